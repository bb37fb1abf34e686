//! A container of plain old data that crosses processes as its own bytes.
//!
//! Timely's default codec encodes and decodes every element (about 40 ns an event, both ways);
//! measurement events are plain old data without padding, so their bytes can be sent as they lie in
//! memory and read in place on the other side. Timely keeps message parts aligned to eight bytes
//! for this purpose; the alignment is still checked, and a copy is made where it does not hold.

use bytemuck::Pod;
use timely::bytes::arc::Bytes;
use timely::container::{DrainContainer, PushInto, SizableContainer};
use timely::dataflow::channels::ContainerBytes;
use timely::{Accountable, container};

/// Items of a plain old data type, owned or still in the receive buffer.
pub struct PodVec<T> {
    owned: Vec<T>,
    /// Received bytes, read in place; always a whole number of aligned items.
    received: Option<Bytes>,
}

impl<T> Default for PodVec<T> {
    fn default() -> Self {
        PodVec { owned: Vec::new(), received: None }
    }
}

impl<T: Pod> PodVec<T> {
    /// The items.
    pub fn as_slice(&self) -> &[T] {
        match &self.received {
            Some(bytes) => bytemuck::try_cast_slice(bytes).unwrap_or(&[]),
            None => &self.owned,
        }
    }
}

impl<T: Pod> Clone for PodVec<T> {
    fn clone(&self) -> Self {
        PodVec { owned: self.as_slice().to_vec(), received: None }
    }
}

impl<T: Pod> Accountable for PodVec<T> {
    fn record_count(&self) -> i64 {
        self.as_slice().len() as i64
    }
}

impl<T: Pod> DrainContainer for PodVec<T> {
    type Item<'a> = T;
    type DrainIter<'a> = std::vec::Drain<'a, T>;

    fn drain(&mut self) -> Self::DrainIter<'_> {
        if self.received.is_some() {
            self.owned = self.as_slice().to_vec();
            self.received = None;
        }
        self.owned.drain(..)
    }
}

impl<T: Pod> SizableContainer for PodVec<T> {
    fn at_capacity(&self) -> bool {
        self.owned.len() >= container::buffer::default_capacity::<T>()
    }

    fn ensure_capacity(&mut self, stash: &mut Option<Self>) {
        if self.owned.capacity() == 0 {
            if let Some(stash) = stash.take() {
                *self = stash;
                self.owned.clear();
                self.received = None;
            }
            self.owned.reserve(container::buffer::default_capacity::<T>());
        }
    }
}

impl<T: Pod> PushInto<T> for PodVec<T> {
    fn push_into(&mut self, item: T) {
        self.owned.push(item);
    }
}

impl<T: Pod> ContainerBytes for PodVec<T> {
    fn from_bytes(bytes: Bytes) -> Self {
        let whole = bytes.len() - bytes.len() % size_of::<T>().max(1);
        if whole == bytes.len() && bytemuck::try_cast_slice::<u8, T>(&bytes).is_ok() {
            return PodVec { owned: Vec::new(), received: Some(bytes) };
        }
        let items = bytes[..whole].chunks_exact(size_of::<T>().max(1));
        PodVec { owned: items.map(bytemuck::pod_read_unaligned).collect(), received: None }
    }

    fn length_in_bytes(&self) -> usize {
        size_of_val(self.as_slice())
    }

    fn into_bytes<W: std::io::Write>(&self, writer: &mut W) {
        let bytes = bytemuck::cast_slice(self.as_slice());
        writer.write_all(bytes).expect("timely hands a buffer of the length it asked for");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sage_core::event::{Event, Kind};
    use timely::bytes::arc::BytesMut;

    #[test]
    fn events_survive_the_wire_aligned_or_not() {
        let events: Vec<_> = (0..5).map(|i| Event::new(Kind::Arrived, i, i * 10)).collect();
        let mut sent = PodVec::default();
        events.iter().for_each(|event| sent.push_into(*event));
        let mut wire = Vec::new();
        sent.into_bytes(&mut wire);
        assert_eq!(wire.len(), sent.length_in_bytes());
        for offset in 0..8 {
            let mut padded = vec![0; offset];
            padded.extend_from_slice(&wire);
            let mut bytes = BytesMut::from(padded);
            bytes.extract_to(offset);
            let length = wire.len();
            let mut received = PodVec::<Event>::from_bytes(bytes.extract_to(length));
            assert_eq!(received.as_slice(), events);
            assert_eq!(received.drain().collect::<Vec<_>>(), events);
        }
    }
}

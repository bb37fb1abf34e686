#![expect(unsafe_code, reason = "abomonation has no safe form; see the module text")]
//! The abomonation codec, for comparison only.
//!
//! RUSTSEC-2021-0120: decoding casts bytes to values without regard for alignment or origin, which
//! is undefined behaviour by the letter even for plain data, and wrong bytes make wild pointers.
//! So bytes never enter from outside: [`Encoded`] is made by [`Encoded::of`] alone and keeps them
//! to itself.

use std::io::{self, Write};

use abomonation::{Abomonation, decode, encode};
use sage_core::event::Event;

use crate::tools::Carried;

/// Mirror of [`Event`]: the trait must be implemented where the type is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marked(Event);

impl From<Event> for Marked {
    fn from(event: Event) -> Self {
        Marked(event)
    }
}

impl Marked {
    /// Touches what a reader touches.
    pub(crate) fn sum(&self) -> u64 {
        self.0.task ^ self.0.at_ns
    }
}

/// The event owns nothing, so there is nothing to write behind it.
impl Abomonation for Marked {}

/// The two buffers are written behind the struct, in this order both ways.
impl Abomonation for Carried {
    unsafe fn entomb<W: Write>(&self, out: &mut W) -> io::Result<()> {
        // SAFETY: the caller's promise, passed on.
        unsafe {
            self.bytes.entomb(out)?;
            self.ends.entomb(out)
        }
    }

    unsafe fn exhume<'a>(&mut self, rest: &'a mut [u8]) -> Option<&'a mut [u8]> {
        // SAFETY: the caller's promise, passed on.
        unsafe {
            let rest = self.bytes.exhume(rest)?;
            self.ends.exhume(rest)
        }
    }

    fn extent(&self) -> usize {
        self.bytes.extent() + self.ends.extent()
    }
}

/// Bytes of a `Vec<T>` that this module wrote.
pub(crate) struct Encoded(Vec<u8>);

impl Encoded {
    /// Encode into the memory of an earlier encoding.
    pub(crate) fn of<T: Abomonation>(items: &Vec<T>, mut memory: Vec<u8>) -> Self {
        memory.clear();
        // SAFETY: only reads `items`; padding is copied along, which is why this stays in a bench.
        let written = unsafe { encode(items, &mut memory) };
        written.expect("writing to memory does not fail");
        Encoded(memory)
    }

    /// The memory, for the next encoding.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.0
    }

    /// Size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Decode in place and look at the items. Decoding writes pointers into the bytes, and writes
    /// them anew the next time, so it can be repeated.
    pub(crate) fn read<T: Abomonation, R>(&mut self, look: impl FnOnce(&Vec<T>) -> R) -> R {
        assert_eq!(
            self.0.as_ptr().align_offset(align_of::<Vec<T>>()),
            0,
            "aligned by the allocator"
        );
        // SAFETY: the bytes are those of a `Vec<T>`, written by `of` on this machine, and aligned.
        let (items, _) = unsafe { decode::<Vec<T>>(&mut self.0) }.expect("whole, as written");
        look(items)
    }
}

//! Bytes as choices and as damage, for fuzz targets and the property tests of the same functions.
//!
//! A fuzzer gives bytes. A target that reads a format takes them as they are. One that needs more
//! than bytes, such as which of several files is damaged and where, reads [`Choices`] from them, so
//! that every input means something and a small change of it is a small change of what is done.
//! [`harm`] does what happens to files: they are cut, bits flip, parts move, come twice or go.

#[cfg(feature = "property")]
mod property;

#[cfg(feature = "property")]
pub use property::{seeds, try_all};

/// What is read from an input, front to back. At its end every choice is the first one, so that each
/// input is a whole one.
#[derive(Debug, Clone)]
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// The choices of an input.
    pub fn new(input: &'a [u8]) -> Self {
        Choices(input)
    }

    /// Whether nothing is left to choose.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte; zero behind the end.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// One of `0..count`, and zero if there is none.
    pub fn below(&mut self, count: usize) -> usize {
        let wide = usize::from(count > 256);
        let more = usize::from(count > 65_536);
        let bytes = 1 + wide + more;
        let number = (0..bytes).fold(0, |number, _| number << 8 | usize::from(self.byte()));
        number.checked_rem(count).unwrap_or(0)
    }

    /// Yes or no.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number of any size; the small ones and those at the ends come often.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..200 => u64::from(small),
            200..215 => u64::MAX - u64::from(self.byte()),
            215..230 => u64::from(u32::MAX) - 2 + u64::from(self.byte() & 3),
            230..240 => u64::MAX >> 1 << (self.byte() & 1),
            _ => {
                let bytes = std::array::from_fn(|_| self.byte());
                u64::from_le_bytes(bytes)
            }
        }
    }

    /// At most `most` bytes as they are.
    pub fn bytes(&mut self, most: usize) -> &'a [u8] {
        let length = self.below(most.saturating_add(1)).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// `whole` in consecutive pieces, as a socket may give it.
    pub fn pieces<'w>(&mut self, whole: &'w [u8]) -> Vec<&'w [u8]> {
        let mut rest = whole;
        let mut pieces = Vec::new();
        while !rest.is_empty() && !self.is_empty() && pieces.len() < 64 {
            let (piece, behind) = rest.split_at(self.below(rest.len() + 1));
            pieces.push(piece);
            rest = behind;
        }
        pieces.push(rest);
        pieces
    }
}

/// Do one kind of damage to `bytes`: cut, flip, overwrite, insert, remove, repeat or move a part.
pub fn harm(bytes: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let kind = choices.byte() % 9;
    let at = choices.below(bytes.len() + 1);
    let length = choices.below(1 + (bytes.len() - at).min(4096));
    let part = at..at + length;
    match kind {
        0 => bytes.truncate(at),
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << (length % 8);
            }
        }
        2 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = choices.byte();
            }
        }
        3 => {
            let new = choices.bytes(64).to_vec();
            bytes.splice(at..at, new);
        }
        4 => drop(bytes.drain(part)),
        5 => {
            let again = bytes[part].to_vec();
            let to = choices.below(bytes.len() + 1);
            bytes.splice(to..to, again);
        }
        6 => {
            let moved: Vec<u8> = bytes.drain(part).collect();
            let to = choices.below(bytes.len() + 1);
            bytes.splice(to..to, moved);
        }
        7 => bytes[part].fill(0),
        _ => {
            let over = bytes[part].to_vec();
            let to = choices.below(bytes.len() - over.len() + 1);
            bytes[to..to + over.len()].copy_from_slice(&over);
        }
    }
}

/// Write another number in the place of one of those in `bytes`, if they are text with numbers: what
/// is read stays JSON or a table, and says something else.
pub fn other_number(bytes: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let starts: Vec<usize> = (0..bytes.len())
        .filter(|&at| bytes[at].is_ascii_digit() && (at == 0 || !bytes[at - 1].is_ascii_digit()))
        .collect();
    let Some(&start) = starts.get(choices.below(starts.len())) else { return };
    let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = choices.number();
    let text = if choices.byte() % 8 == 7 { format!("-{number}") } else { number.to_string() };
    bytes.splice(start..start + digits, text.into_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_input_is_a_whole_one() {
        let mut choices = Choices::new(&[200, 7, 1, 0xff, 0xff, 3]);
        assert_eq!(choices.number(), u64::MAX - 7);
        assert!(choices.flag());
        assert_eq!(choices.below(1000), 0xffff % 1000);
        assert_eq!(choices.clone().bytes(9), b"");
        assert_eq!(choices.rest(), [3]);
        assert_eq!((choices.byte(), choices.below(0), choices.number()), (0, 0, 0));
        assert_eq!(choices.pieces(b"abc"), [b"abc"]);
    }

    #[test]
    fn pieces_are_the_whole_and_damage_never_panics() {
        for seed in 0..=u8::MAX {
            let input: Vec<u8> = (0..200_u8).map(|n| n.wrapping_mul(seed) ^ seed).collect();
            let mut choices = Choices::new(&input);
            assert_eq!(choices.pieces(b"one two three").concat(), b"one two three");
            let mut bytes = b"a file of some bytes".to_vec();
            while !choices.is_empty() {
                harm(&mut bytes, &mut choices);
            }
            let mut table = b"1,22;3".to_vec();
            other_number(&mut table, &mut Choices::new(&[1, seed]));
            assert!(table.starts_with(b"1,") && table.ends_with(b";3"), "{table:?}");
        }
    }
}

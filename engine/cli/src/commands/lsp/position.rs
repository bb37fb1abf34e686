//! Between positions of the protocol, which count UTF-16 units in a line, and bytes.

use lsp_types::{Position, Range};
use sage_dsl::Span;

/// The position of a byte; one within a character is that of the character.
pub(super) fn of(text: &str, byte: u32) -> Position {
    let mut byte = (byte as usize).min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    let before = &text[..byte];
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count();
    Position::new(line as u32, before[start..].encode_utf16().count() as u32)
}

/// The byte at a position; beyond the end of a line it is that end, beyond the text its end.
pub(super) fn byte(text: &str, position: Position) -> u32 {
    let mut start = 0;
    for _ in 0..position.line {
        match text[start..].find('\n') {
            Some(end) => start += end + 1,
            None => return text.len() as u32,
        }
    }
    let line = text[start..].split(['\n', '\r']).next().unwrap_or_default();
    let mut units = position.character as usize;
    for (at, c) in line.char_indices() {
        if units < c.len_utf16() {
            return (start + at) as u32;
        }
        units -= c.len_utf16();
    }
    (start + line.len()) as u32
}

/// The range of a span.
pub(super) fn range(text: &str, span: Span) -> Range {
    Range::new(of(text, span.start), of(text, span.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_bytes_come_back() {
        let text = "// grüße 🦀 x\r\nstage 名 = 1\n";
        for (byte_at, _) in text.char_indices().filter(|(_, c)| !"\r\n".contains(*c)) {
            assert_eq!(byte(text, of(text, byte_at as u32)), byte_at as u32);
        }
        // The crab is two units and four bytes.
        assert_eq!(of(text, text.find('x').unwrap_or(0) as u32), Position::new(0, 12));
    }

    #[test]
    fn what_lies_outside_is_the_nearest_place() {
        let text = "ab\n🦀\n";
        assert_eq!(byte(text, Position::new(0, 99)), 2);
        assert_eq!(byte(text, Position::new(99, 0)), text.len() as u32);
        assert_eq!(byte(text, Position::new(1, 1)), 3, "within the crab is before it");
        assert_eq!(of(text, 5), Position::new(1, 0));
        assert_eq!(of(text, 1_000), Position::new(2, 0));
        assert_eq!(byte("", Position::new(3, 3)), 0);
    }
}

//! Where a bracket closes, within text that the scanner has passed.

/// The place of the bracket that closes the one `text` begins with; strings are passed over.
pub(crate) fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' && bytes[at] != b'\n' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            _ if depth == 0 => return None,
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where a text in quotes of another language ends; two in a row are one within it, as in SQL.
pub(crate) fn single(line: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0;
    while at < line.len() {
        let twice = quote == b'\'' && line.get(at + 1) == Some(&quote);
        match line[at] == quote {
            true if !twice => return Some(at),
            true => at += 2,
            false => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{closing, single};

    #[test]
    fn two_quotes_in_a_row_are_one_in_the_text() {
        assert_eq!(single(b"it''s' == 'a'", b'\''), Some(5));
        assert_eq!(single(b"', 'a'", b'\''), Some(0));
        assert_eq!(single(b"it''s", b'\''), None);
    }

    #[test]
    fn brackets_within_and_in_strings_are_passed_over() {
        assert_eq!(closing("(a, [b], \")\") c)"), Some(12));
        assert_eq!(closing("{ a"), None);
        assert_eq!(closing("a()"), None);
    }
}

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

#[cfg(test)]
mod tests {
    use super::closing;

    #[test]
    fn brackets_within_and_in_strings_are_passed_over() {
        assert_eq!(closing("(a, [b], \")\") c)"), Some(12));
        assert_eq!(closing("{ a"), None);
        assert_eq!(closing("a()"), None);
    }
}

//! Where a value begins and ends in a text that could not be read.

/// The value that a line ends with: back to where one begins.
pub(super) fn operand_before(line: &str) -> &str {
    let mut depth = 0_i32;
    let mut quoted = false;
    for (at, c) in line.char_indices().rev() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            ')' | ']' | '}' => depth += 1,
            '(' | '[' | '{' if depth == 0 => return &line[at + 1..],
            '(' | '[' | '{' => depth -= 1,
            ',' | ':' if depth == 0 => return &line[at + 1..],
            '=' if depth == 0 => {
                let compares = line[..at].ends_with(['=', '!', '<', '>']);
                if !compares && !line[at + 1..].starts_with('=') {
                    return &line[at + 1..];
                }
            }
            _ => {}
        }
    }
    line
}

/// The value that a text begins with: up to a comma, or the end of what it stands in.
pub(super) fn operand_behind(text: &str) -> &str {
    let mut depth = 0_i32;
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' | ',' if depth == 0 => return &text[..at],
            ')' | ']' | '}' => depth -= 1,
            '\n' => return &text[..at],
            _ => {}
        }
    }
    text
}

/// The parts of a list between brackets.
pub(super) fn split_list(mut text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    loop {
        let part = operand_behind(text);
        parts.push(part);
        match text[part.len()..].strip_prefix(',') {
            Some(rest) if parts.len() < 16 => text = rest,
            _ => return parts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reaches_back_to_where_one_begins() {
        for (line, value) in [
            ("emit Out { id: .id, s: \"a, b\" ", " \"a, b\" "),
            ("stage n = f(a, b) ", " f(a, b) "),
            ("where length(.text == \"x\"", ".text == \"x\""),
            ("x", "x"),
        ] {
            assert_eq!(operand_before(line), value, "{line}");
        }
        assert_eq!(split_list("f(a, b), \"x, y\", c"), ["f(a, b)", " \"x, y\"", " c"]);
    }
}

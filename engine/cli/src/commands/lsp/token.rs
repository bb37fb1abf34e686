//! The words and signs of a text, as far as a cursor between them cares.
//!
//! The parser is of no help here: around a cursor a program is half written.

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Text,
    Comment,
    Sign,
}

/// A piece of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) start: usize,
    /// Whether a line ends between it and the one before it.
    pub(super) first_of_line: bool,
}

impl Token<'_> {
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text && self.kind != Kind::Text
    }
}

/// All pieces of a text. Quotes that are never closed go to the end of their line, or of the text.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    let mut first_of_line = true;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c.is_whitespace() || c == '\u{FEFF}' {
            first_of_line |= c == '\n';
            at += c.len_utf8();
            continue;
        }
        let line = rest.find('\n').unwrap_or(rest.len());
        let (kind, length) = if rest.starts_with("//") {
            (Kind::Comment, line)
        } else if let Some(inside) = rest.strip_prefix("\"\"\"") {
            (Kind::Text, inside.find("\"\"\"").map_or(rest.len(), |end| end + 6))
        } else if c == '"' {
            (Kind::Text, quoted(&rest[..line]))
        } else if c.is_ascii_alphanumeric() || c == '_' {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            (Kind::Word, rest.find(|c| !word(c)).unwrap_or(rest.len()))
        } else {
            (Kind::Sign, c.len_utf8())
        };
        tokens.push(Token { kind, text: &rest[..length], start: at, first_of_line });
        first_of_line = false;
        at += length;
    }
    tokens
}

/// Length of what begins with a quote.
fn quoted(line: &str) -> usize {
    let mut escaped = false;
    for (at, c) in line.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_told_apart_and_cover_the_text() {
        let text = "a.b(\"x \\\" y\") // c\n\"open\n\"\"\"t\n\"\"\" é {";
        let all: Vec<&str> = tokens(text).iter().map(|token| token.text).collect();
        let wanted = [
            "a",
            ".",
            "b",
            "(",
            "\"x \\\" y\"",
            ")",
            "// c",
            "\"open",
            "\"\"\"t\n\"\"\"",
            "é",
            "{",
        ];
        assert_eq!(all, wanted);
        for end in 0..text.len() {
            if text.is_char_boundary(end) {
                tokens(&text[..end]);
            }
        }
    }
}

//! The pieces of a text that layout never looks into, comments among them.

/// What a piece is, as far as layout cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word,
    /// A number with the unit that clings to it.
    Number,
    /// A string in quotes of either kind.
    Text,
    /// `// ...` to the end of the line, without blanks at its end.
    Comment,
    Open,
    Close,
    Comma,
    Colon,
    Dot,
    At,
    /// `?` behind a type.
    Optional,
    Operator,
}

/// A piece of text and what stood before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Line ends before it.
    pub(super) newlines: usize,
    /// Whether a blank or a line end stands before it.
    pub(super) apart: bool,
}

impl Token<'_> {
    /// Words that stand between expressions or before one; behind them no operand has ended.
    pub(super) fn is_keyword(&self) -> bool {
        const KEYWORDS: &[&str] = &[
            "from", "stage", "where", "emit", "into", "route", "when", "loop", "up", "to", "until",
            "carry", "if", "then", "else", "match", "on", "not", "and", "or", "in", "contains",
            "expect", "given", "mock", "fault", "sweep", "claim", "by", "every", "of",
        ];
        self.kind == Kind::Word && KEYWORDS.contains(&self.text)
    }

    /// Whether an operand may end here, so that a sign behind it has two sides.
    pub(super) fn ends_operand(&self) -> bool {
        match self.kind {
            Kind::Word => !self.is_keyword(),
            Kind::Number | Kind::Text | Kind::Close => true,
            _ => false,
        }
    }
}

/// Longest first, so that no operator is read as two.
const OPERATORS: &[&str] = &["->", "=>", "==", "!=", "<=", ">=", "&&", "||", "??"];

/// All tokens of a text.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{FEFF}']).len();
        let newlines = rest[..blank].bytes().filter(|byte| *byte == b'\n').count();
        let rest = &rest[blank..];
        if rest.is_empty() {
            break;
        }
        // The path of an import may stand without quotes.
        let bare = newlines == 0 && tokens.last().is_some_and(is_import) && !rest.starts_with('"');
        let (kind, length) = if bare { (Kind::Text, run(rest)) } else { next(rest) };
        let piece = &rest[..length];
        let text = if kind == Kind::Comment { piece.trim_end() } else { piece };
        tokens.push(Token { kind, text, newlines, apart: blank > 0 });
        at += blank + length;
    }
    tokens
}

fn is_import(token: &Token<'_>) -> bool {
    token.text == "import"
}

fn run(text: &str) -> usize {
    text.find(char::is_whitespace).unwrap_or(text.len())
}

fn next(rest: &str) -> (Kind, usize) {
    let first = rest.as_bytes()[0];
    if rest.starts_with("//") {
        return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if let Some(inside) = rest.strip_prefix("\"\"\"") {
        return (Kind::Text, inside.find("\"\"\"").map_or(rest.len(), |end| end + 6));
    }
    if let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(**operator)) {
        return (Kind::Operator, operator.len());
    }
    match first {
        b'"' => (Kind::Text, string(rest)),
        b'{' | b'(' | b'[' => (Kind::Open, 1),
        b'}' | b')' | b']' => (Kind::Close, 1),
        b',' => (Kind::Comma, 1),
        b':' => (Kind::Colon, 1),
        b'.' => (Kind::Dot, 1),
        b'@' => (Kind::At, 1),
        b'?' => (Kind::Optional, 1),
        b'0'..=b'9' => (Kind::Number, number(rest)),
        _ if is_id(first) => (Kind::Word, id(rest)),
        _ => (Kind::Operator, rest.chars().next().map_or(1, char::len_utf8)),
    }
}

fn is_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn id(text: &str) -> usize {
    text.bytes().position(|byte| !is_id(byte)).unwrap_or(text.len())
}

fn string(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    // A backslash before a character of several bytes: on to the end of that character.
    (at + 1..text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(text.len())
}

/// Digits and what the grammar takes with them.
fn number(text: &str) -> usize {
    let digits = |from: usize| {
        text[from..]
            .bytes()
            .position(|byte| !byte.is_ascii_digit() && byte != b'_')
            .map_or(text.len(), |n| from + n)
    };
    let mut end = digits(0);
    let bytes = text.as_bytes();
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end = digits(end + 1);
    }
    match bytes.get(end) {
        Some(b'/') => {
            let unit = end + 1 + id(&text[end + 1..]);
            let known = matches!(&text[end + 1..unit], "Mtok" | "min" | "s" | "h" | "d");
            if known && bytes.get(unit) != Some(&b'(') { unit } else { end }
        }
        Some(b'%') => {
            let behind = text[end + 1..].trim_start_matches([' ', '\t']);
            let operand = behind.starts_with('(')
                || behind
                    .strip_prefix('.')
                    .is_some_and(|rest| rest.starts_with(char::is_alphabetic))
                || id(behind) > 0
                    && !matches!(
                        &behind[..id(behind)],
                        "from"
                            | "stage"
                            | "where"
                            | "emit"
                            | "into"
                            | "route"
                            | "when"
                            | "loop"
                            | "carry"
                            | "then"
                            | "else"
                            | "on"
                            | "and"
                            | "or"
                            | "in"
                            | "contains"
                            | "expect"
                            | "given"
                            | "mock"
                            | "fault"
                            | "sweep"
                            | "claim"
                    );
            if operand { end } else { end + 1 }
        }
        _ => end + id(&text[end..]),
    }
}

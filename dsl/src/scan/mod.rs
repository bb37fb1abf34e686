//! A walk over the characters before the grammar sees them.
//!
//! It finds what a grammar reports badly: an open quote or brace (where the trouble starts, not at
//! the end of the file), characters of other languages, nesting without end. What it can repair it
//! repairs **without moving a byte**, so that the parser goes on and later errors are found too;
//! comments become blanks. Its answer is text whose braces and quotes are balanced, or none.

mod bracket;
mod closing;
mod foreign;

pub(crate) use closing::closing;

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// Deepest nesting of brackets, `if`s and prefix operators. A parser that calls itself must stop
/// somewhere, and nobody reads 40 levels.
const MAX_DEPTH: usize = 40;
/// Largest file, bytes.
const MAX_BYTES: usize = 1 << 20;

/// Words that begin a declaration at the start of a line.
pub(crate) const ITEM_WORDS: &[&str] = &[
    "sage",
    "import",
    "param",
    "type",
    "enum",
    "endpoint",
    "source",
    "sink",
    "index",
    "prompt",
    "fn",
    "flow",
    "schedule",
    "slo",
    "measure",
    "test",
    "experiment",
];

/// Words after which an expression starts anew.
const STEP_WORDS: &[&str] = &[
    "from", "stage", "where", "emit", "into", "on", "route", "when", "loop", "until", "carry",
    "group", "join", "expect", "given", "mock", "fault", "sweep", "claim",
];

/// Findings after which no more are kept; fewer are shown.
const ENOUGH: usize = 300;

/// What the scanner made of a file.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// Text for the parser, of the same length; `None` when parsing would only mislead.
    pub(crate) text: Option<String>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

struct Open {
    bracket: u8,
    at: usize,
    /// `if`s and prefix operators seen since the last comma at this level.
    pending: usize,
}

struct Scanner<'a> {
    file: u32,
    bytes: &'a [u8],
    out: Vec<u8>,
    at: usize,
    open: Vec<Open>,
    pending: usize,
    diagnostics: Vec<Diagnostic>,
    /// A quote was left open: brackets inside of it are guesswork.
    quote_open: bool,
    give_up: bool,
}

/// Scans one file.
pub(crate) fn scan(file: u32, text: &str) -> Scanned {
    let whole = Span { file, start: 0, end: 0 };
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; a program may have 1 MiB", text.len());
        let error = Diagnostic::error(codes::FILE_TOO_LARGE, whole, message)
            .help("data belongs in files of its own, read by `csv(...)` or `jsonl(...)`");
        return Scanned { text: None, diagnostics: vec![error] };
    }
    let mut scanner = Scanner {
        file,
        bytes: text.as_bytes(),
        out: text.as_bytes().to_vec(),
        at: 0,
        open: Vec::new(),
        pending: 0,
        diagnostics: Vec::new(),
        quote_open: false,
        give_up: false,
    };
    scanner.run();
    scanner.close_all();
    let text = (!scanner.give_up).then(|| String::from_utf8(scanner.out).ok()).flatten();
    Scanned { text, diagnostics: scanner.diagnostics }
}

impl Scanner<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start: start as u32, end: end as u32 }
    }

    /// Says what was found, as long as anybody would read it.
    fn report(&mut self, error: Diagnostic) {
        if self.diagnostics.len() < ENOUGH {
            self.diagnostics.push(error);
        }
    }

    fn blank(&mut self, start: usize, end: usize) {
        for byte in &mut self.out[start..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }

    fn line_end(&self, from: usize) -> usize {
        self.bytes[from..].iter().position(|b| *b == b'\n').map_or(self.bytes.len(), |n| from + n)
    }

    fn run(&mut self) {
        while self.at < self.bytes.len() && !self.give_up {
            let at = self.at;
            let rest = &self.bytes[at..];
            match rest[0] {
                b'/' if rest.starts_with(b"//") && self.is_address(at) => self.address(at),
                b'/' if rest.starts_with(b"/*") => self.block_comment(at),
                b'-' if rest.starts_with(b"--") && self.is_dash_comment(at) => {
                    self.dash_comment(at);
                }
                b'/' if rest.starts_with(b"//") => {
                    let end = self.line_end(at);
                    self.blank(at, end);
                    self.at = end;
                }
                b'"' if rest.starts_with(b"\"\"\"") => self.triple(at),
                b'"' => self.string(at),
                b'\'' | b'`' => self.single_quote(at),
                0xE2 if is_curly(rest) => self.curly_quote(at),
                b'#' => self.hash(at),
                b';' => self.semicolon(at),
                open @ (b'{' | b'(' | b'[') => {
                    self.open.push(Open { bracket: open, at, pending: self.pending });
                    self.pending = 0;
                    self.at += 1;
                    self.check_depth(at);
                }
                close @ (b'}' | b')' | b']') => self.close(at, close),
                // What follows any of these is an expression of its own.
                b',' | b':' => {
                    self.pending = 0;
                    self.at += 1;
                }
                b'=' if rest.starts_with(b"=>") => {
                    self.pending = 0;
                    self.at += 2;
                }
                b'-' | b'!' => {
                    self.pending += usize::from(self.is_prefix(at));
                    self.at += 1;
                    self.check_depth(at);
                }
                byte if byte.is_ascii_alphabetic() || byte == b'_' => self.word(at),
                _ => self.at += 1,
            }
        }
    }

    /// Whether the sign at `at` follows another sign or nothing it could be applied to.
    fn is_prefix(&self, at: usize) -> bool {
        let before = self.bytes[..at].iter().rev().find(|byte| !byte.is_ascii_whitespace());
        !before.is_some_and(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b')' | b']' | b'}' | b'"' | b'%')
        })
    }

    fn word(&mut self, at: usize) {
        let end = self.bytes[at..]
            .iter()
            .position(|b| !b.is_ascii_alphanumeric() && *b != b'_')
            .map_or(self.bytes.len(), |n| at + n);
        let word = std::str::from_utf8(&self.bytes[at..end]).unwrap_or("");
        self.at = end;
        match word {
            "if" | "not" | "match" => {
                self.pending += 1;
                self.check_depth(at);
            }
            _ if STEP_WORDS.contains(&word)
                || self.open.is_empty() && ITEM_WORDS.contains(&word) =>
            {
                self.pending = 0;
            }
            _ => {}
        }
    }

    fn check_depth(&mut self, at: usize) {
        let ifs: usize = self.open.iter().map(|open| open.pending).sum();
        if self.open.len() + ifs + self.pending <= MAX_DEPTH {
            return;
        }
        self.give_up = true;
        let message = format!("nested more than {MAX_DEPTH} levels deep");
        let error = Diagnostic::error(codes::TOO_DEEP, self.span(at, at + 1), message)
            .help("give an inner part a name of its own by a `stage` or a `fn`");
        self.report(error);
    }

    fn triple(&mut self, at: usize) {
        let inside = &self.bytes[at + 3..];
        if let Some(n) = inside.windows(3).position(|window| window == b"\"\"\"") {
            self.at = at + 3 + n + 3;
            return;
        }
        let error =
            Diagnostic::error(codes::OPEN_TRIPLE, self.span(at, at + 3), "text is never closed")
                .label("opened here")
                .help("end the text by `\"\"\"`");
        self.report(error);
        self.quote_open = true;
        self.blank(at, self.bytes.len());
        self.at = self.bytes.len();
    }

    fn string(&mut self, at: usize) {
        let mut end = at + 1;
        while end < self.bytes.len() {
            match self.bytes[end] {
                b'"' => {
                    self.at = end + 1;
                    return;
                }
                b'\n' => break,
                b'\\' if self.bytes.get(end + 1).is_some_and(|b| *b != b'\n') => end += 2,
                _ => end += 1,
            }
        }
        let end = end.min(self.bytes.len());
        let error =
            Diagnostic::error(codes::OPEN_STRING, self.span(at, end), "string is never closed")
                .help(
                    "close it by `\"` on the same line; text of several lines stands in `\"\"\"`",
                );
        self.report(error);
        self.quote_open = true;
        // The line end becomes the missing quote. A lone backslash before it would escape it.
        if end < self.bytes.len() {
            self.out[end] = b'"';
            if self.out[end - 1] == b'\\' {
                self.out[end - 1] = b' ';
            }
        } else {
            self.blank(at, end);
        }
        self.at = (end + 1).min(self.bytes.len());
    }

    fn single_quote(&mut self, at: usize) {
        let line = &self.bytes[at + 1..self.line_end(at)];
        let close = closing::single(line, self.bytes[at])
            .filter(|n| !line[..*n].iter().any(|b| matches!(b, b'"' | b'\\')));
        let Some(n) = close else {
            let error = Diagnostic::error(
                codes::SINGLE_QUOTES,
                self.span(at, at + 1),
                if self.bytes[at] == b'`' {
                    "a backtick has no meaning here"
                } else {
                    "a single quote has no meaning here"
                },
            )
            .help("strings stand in double quotes: `\"text\"`");
            self.report(error);
            self.blank(at, at + 1);
            self.at = at + 1;
            return;
        };
        let end = at + n + 2;
        let inner = String::from_utf8_lossy(&self.bytes[at + 1..end - 1]).replace("''", "'");
        let error = Diagnostic::error(
            codes::SINGLE_QUOTES,
            self.span(at, end),
            "strings stand in double quotes",
        )
        .help(format!("write `\"{inner}\"`"));
        // Three quotes in a row are those of Python, or of SQL.
        let certain = !inner.starts_with('\'') && !inner.ends_with('\'');
        self.report(if certain {
            error.fix(self.span(at, end), format!("\"{inner}\""))
        } else {
            error
        });
        self.out[at] = b'"';
        self.out[end - 1] = b'"';
        self.at = end;
    }

    /// Quotes as word processors set them. The straight one stands at the outer end of the three
    /// bytes, so that the text between is left as it is.
    fn curly_quote(&mut self, at: usize) {
        let line = &self.bytes[at + 3..self.line_end(at)];
        let close = line.windows(3).position(is_curly);
        let end = close.map_or(at + 3, |n| at + 3 + n + 3);
        let inner = String::from_utf8_lossy(&self.bytes[at + 3..end.max(at + 6) - 3]).into_owned();
        let mut error = Diagnostic::error(
            codes::SINGLE_QUOTES,
            self.span(at, end),
            "strings stand in straight double quotes",
        );
        self.blank(at, at + 3);
        if close.is_some() && !inner.contains(['"', '\\']) {
            error = error.fix(self.span(at, end), format!("\"{inner}\""));
            self.blank(end - 3, end);
            self.out[at + 2] = b'"';
            self.out[end - 3] = b'"';
        } else {
            self.blank(at, end);
        }
        self.report(error);
        self.at = end;
    }

    fn hash(&mut self, at: usize) {
        let error = Diagnostic::error(
            codes::HASH_COMMENT,
            self.span(at, at + 1),
            "`#` does not start a comment",
        )
        .help("comments start with `//`")
        .fix(self.span(at, at + 1), "//");
        self.report(error);
        let end = self.line_end(at);
        self.blank(at, end);
        self.at = end;
    }

    fn semicolon(&mut self, at: usize) {
        let error =
            Diagnostic::error(codes::SEMICOLON, self.span(at, at + 1), "`;` has no meaning here")
                .help("the end of the line ends a step; between entries stands `,` or a new line")
                .fix(self.span(at, at + 1), "");
        self.report(error);
        self.blank(at, at + 1);
        self.pending = 0;
        self.at = at + 1;
    }
}

/// Whether a line starts with a word of [`ITEM_WORDS`] that is not the key of an entry.
pub(crate) fn starts_item(line: &[u8]) -> bool {
    let length = line.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    let Ok(word) = std::str::from_utf8(&line[..length]) else { return false };
    let next = line[length..].iter().find(|b| **b != b' ');
    ITEM_WORDS.contains(&word) && !matches!(next, Some(b':' | b'=' | b'.' | b','))
}

/// Whether a curly double quote stands at the start.
fn is_curly(bytes: &[u8]) -> bool {
    bytes.starts_with("\u{201c}".as_bytes()) || bytes.starts_with("\u{201d}".as_bytes())
}

//! Comments, quotes and addresses as other languages write them.

use super::Scanner;
use crate::codes;
use crate::diagnostic::Diagnostic;

impl Scanner<'_> {
    /// `/* ... */`: what stands in it is passed over.
    pub(super) fn block_comment(&mut self, at: usize) {
        let inside = &self.bytes[at + 2..];
        let close = inside.windows(2).position(|window| window == b"*/");
        let end = close.map_or_else(|| self.line_end(at), |n| at + 2 + n + 2);
        let error = Diagnostic::error(
            codes::HASH_COMMENT,
            self.span(at, at + 2),
            "`/*` does not start a comment",
        )
        .help("comments start with `//`, on each of their lines");
        let alone = self.bytes[end..self.line_end(end)].iter().all(u8::is_ascii_whitespace);
        let text = std::str::from_utf8(&self.bytes[at + 2..end]).unwrap_or("");
        let text = text.strip_suffix("*/").unwrap_or(text).trim();
        let lines: Vec<String> = text
            .lines()
            .map(|line| format!("// {}", line.trim().trim_start_matches('*').trim_start()))
            .map(|line| line.trim_end().to_owned())
            .collect();
        let error = if alone && close.is_some() && !lines.is_empty() {
            error.fix(self.span(at, end), lines.join("\n"))
        } else {
            error
        };
        self.report(error);
        self.blank(at, end);
        self.at = end;
    }

    /// Whether two dashes with blanks around them begin a comment of SQL, as far as one can tell:
    /// nobody denies a denial.
    pub(super) fn is_dash_comment(&self, at: usize) -> bool {
        let rest = &self.bytes[at..];
        let before = self.bytes[..at].last().is_none_or(u8::is_ascii_whitespace);
        before && (rest.starts_with(b"-- ") || rest.starts_with(b"--\n"))
    }

    pub(super) fn dash_comment(&mut self, at: usize) {
        let error = Diagnostic::error(
            codes::HASH_COMMENT,
            self.span(at, at + 2),
            "`--` does not start a comment",
        )
        .help("comments start with `//`")
        .fix(self.span(at, at + 2), "//");
        self.report(error);
        let end = self.line_end(at);
        self.blank(at, end);
        self.at = end;
    }

    /// Whether the two slashes at `at` belong to an address that stands without quotes.
    pub(super) fn is_address(&self, at: usize) -> bool {
        let before = &self.bytes[..at];
        [b"http:".as_slice(), b"https:"].iter().any(|scheme| {
            before.strip_suffix(*scheme).is_some_and(|it| {
                it.last().is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
            })
        })
    }

    /// An address without quotes. It is read as one in quotes where there is room for them.
    pub(super) fn address(&mut self, at: usize) {
        let scheme = self.bytes[..at].iter().rev().take_while(|b| **b != b' ' && **b != b'\n');
        let word = scheme.take_while(|b| b.is_ascii_alphanumeric() || **b == b':').count();
        let start = at - word;
        let length = self.bytes[at..]
            .iter()
            .position(|b| b.is_ascii_whitespace() || b",;\"'(){}[]".contains(b))
            .unwrap_or(self.bytes.len() - at);
        let end = at + length;
        let text = String::from_utf8_lossy(&self.bytes[start..end]).into_owned();
        let error = Diagnostic::error(
            codes::SINGLE_QUOTES,
            self.span(start, end),
            "an address is a text, in quotes",
        )
        .help(format!("write `\"{text}\"`"))
        .fix(self.span(start, end), format!("\"{text}\""));
        self.report(error);
        let room = start > 0 && self.out[start - 1] == b' ' && self.out[end - 1].is_ascii();
        if room {
            self.out[start - 1] = b'"';
            // Its last letter makes room for the other one.
            self.out[end - 1] = b'"';
            // Comments and brackets within it are none.
            self.at = end;
        } else {
            self.blank(start, end);
            self.at = end;
        }
    }
}

//! Brackets that do not match: which one was forgotten, and what can still be read.

use super::{Open, Scanner, starts_item};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// The sign that closes a bracket.
fn closing_of(open: u8) -> u8 {
    match open {
        b'{' => b'}',
        b'(' => b')',
        _ => b']',
    }
}

impl Scanner<'_> {
    pub(super) fn close(&mut self, at: usize, close: u8) {
        self.at = at + 1;
        let wanted = match close {
            b'}' => b'{',
            b')' => b'(',
            _ => b'[',
        };
        if let Some(open) = self.open.pop_if(|open| open.bracket == wanted) {
            self.pending = open.pending;
            return;
        }
        // A bracket of another kind is open: it was forgotten if the wanted one is further out.
        if let Some(position) = self.open.iter().rposition(|open| open.bracket == wanted) {
            for open in self.open.split_off(position + 1).into_iter().rev() {
                self.unclosed(&open, Some((at, close)));
            }
            self.open.pop();
            return;
        }
        if !self.quote_open {
            let text = char::from(close);
            let error = Diagnostic::error(
                codes::STRAY_BRACKET,
                self.span(at, at + 1),
                format!("`{text}` closes nothing"),
            )
            .help(format!("remove it, or open it by `{}` before", char::from(wanted)));
            self.report(error);
        }
        self.blank(at, at + 1);
    }

    fn unclosed(&mut self, open: &Open, before: Option<(usize, u8)>) {
        if open.bracket == b'{' {
            // Only a `}` can balance it, and that changes what follows.
            self.give_up = true;
        }
        if self.quote_open {
            return;
        }
        let text = char::from(open.bracket);
        let mut error = Diagnostic::error(
            codes::OPEN_BRACKET,
            self.span(open.at, open.at + 1),
            format!("`{text}` is never closed"),
        )
        .label("opened here");
        let line = &self.bytes[open.at..self.line_end(open.at)];
        if let Some(slash) = line.windows(2).position(|signs| signs == b"//") {
            // `(.n // 2)`: what follows is no comment to whoever writes Python.
            if line[slash + 2..].contains(&closing_of(open.bracket)) {
                error = error.help(
                    "`//` begins a comment; a division is `/`, and that of two ints drops the remainder",
                );
            }
        }
        if let Some((at, close)) = before {
            let close = char::from(close);
            error = error.also(self.span(at, at + 1), format!("this `{close}` comes first"));
        }
        self.report(error);
    }

    /// At the end of the file: a brace still open was forgotten before the next declaration.
    pub(super) fn close_all(&mut self) {
        let open = std::mem::take(&mut self.open);
        if self.give_up || open.is_empty() {
            return;
        }
        let mut braces = 0;
        for bracket in open.iter().rev() {
            self.unclosed(bracket, None);
            braces += usize::from(bracket.bracket == b'{');
        }
        self.give_up = braces > 0;
        let Some(first) = open.iter().find(|open| open.bracket == b'{') else { return };
        // Put the missing braces into the blanks before the next declaration, if they fit.
        let Some(item) = self.next_item(first.at) else {
            // Nothing follows: what stands before the open brace can still be checked.
            let start = self.item_start(first.at);
            self.blank(start, self.bytes.len());
            self.give_up = false;
            return;
        };
        let room = self.out[..item].iter().rev().take_while(|b| b.is_ascii_whitespace()).count();
        if room > braces {
            for offset in 1..=braces {
                self.out[item - 1 - offset] = b'}';
            }
            self.give_up = false;
            if let Some(error) = self.diagnostics.last_mut() {
                let at = Span { file: self.file, start: item as u32, end: item as u32 };
                let text = "a declaration starts here, so a `}` is missing before";
                *error = error.clone().also(at, text);
            }
        }
    }

    /// Start of the first line after `from` that looks like a declaration.
    fn next_item(&self, from: usize) -> Option<usize> {
        let mut at = self.line_end(from) + 1;
        while at < self.out.len() {
            if starts_item(&self.out[at..]) {
                return Some(at);
            }
            at = self.line_end(at) + 1;
        }
        None
    }

    fn item_start(&self, from: usize) -> usize {
        let mut line = from;
        loop {
            line = self.bytes[..line].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
            if line == 0 || starts_item(&self.out[line..]) {
                return line;
            }
            line -= 1;
        }
    }
}

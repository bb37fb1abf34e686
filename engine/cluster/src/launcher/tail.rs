//! The last lines of a worker's standard error: what a person wants to see when it dies.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Lines kept.
const LINES: usize = 20;
/// Longest line; a longer one is cut in two, so a worker cannot fill the supervisor's memory.
const LINE: u64 = 4096;

#[derive(Debug, Default)]
pub(super) struct Tail {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<String>,
    ended: bool,
}

impl Tail {
    /// Reads to the end, line by line.
    pub(super) fn follow(&self, stderr: impl Read, on_line: impl Fn(&str)) {
        lines(stderr, |line| {
            on_line(line);
            self.push(line);
        });
        self.end();
    }

    /// One line more.
    pub(super) fn push(&self, line: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.lines.len() == LINES {
            state.lines.pop_front();
        }
        state.lines.push_back(line.to_owned());
    }

    /// There will be no more lines.
    pub(super) fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.ended.notify_all();
    }

    /// The lines so far, after a wait of at most `patience` for the end of the pipe: a dying process
    /// writes its reason last, and its exit may be seen before the pipe is read.
    pub(super) fn text(&self, patience: Duration) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, _) = self
            .ended
            .wait_timeout_while(state, patience, |state| !state.ended)
            .unwrap_or_else(PoisonError::into_inner);
        state.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Reads to the end and gives each line; one that is too long comes in pieces.
pub(super) fn lines(input: impl Read, mut on_line: impl FnMut(&str)) {
    let mut input = BufReader::new(input);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match (&mut input).take(LINE).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&bytes);
        on_line(text.trim_end_matches(['\n', '\r']));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_lines_and_cuts_long_ones() {
        let tail = Tail::default();
        let mut lines: Vec<String> = (0..50).map(|line| format!("line {line}")).collect();
        lines.push("x".repeat(5000));
        let text = lines.join("\r\n");
        tail.follow(text.as_bytes(), |_| {});
        let kept = tail.text(Duration::ZERO);
        let lines: Vec<&str> = kept.lines().collect();
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines[0], "line 32");
        assert_eq!(lines[18].len(), 4096);
        assert_eq!(lines[19].len(), 5000 - 4096);
    }
}

//! Lines of a plan under the arms and loops that they stand in.
//!
//! A loop is shown once, by its first round: the others are the same nodes over the values of their
//! own round.

use super::line;
use crate::plan::Turn;

/// Writes lines; says which arm or loop they are in where that changes.
#[derive(Default)]
pub(super) struct Tree {
    turns: Vec<Turn>,
}

impl Tree {
    /// Where a line goes that stands in `turns`, and the headings before it; `None` when it is a
    /// copy of another.
    pub(super) fn enter(
        &mut self,
        out: &mut String,
        depth: usize,
        turns: &[Turn],
    ) -> Option<usize> {
        if turns.iter().any(|turn| matches!(turn, Turn::Round { number: 2.., .. })) {
            return None;
        }
        let mut depth = depth;
        let mut same = true;
        for (at, turn) in turns.iter().enumerate() {
            let before = self.turns.get(at).filter(|_| same);
            let goes_on = before.is_some_and(|before| before.goes_on(turn));
            match turn {
                Turn::Arm { subject, pattern, line: at_line } => {
                    let same_route = before.is_some_and(|before| matches!(
                        before,
                        Turn::Arm { subject: other, line, .. } if other == subject && line == at_line
                    ));
                    if !same_route {
                        line(out, depth, &format!("route {subject} (line {at_line})"));
                    }
                    if !goes_on {
                        let head = pattern
                            .as_ref()
                            .map_or("else".to_owned(), |pattern| format!("when {pattern}"));
                        line(out, depth + 1, &head);
                    }
                    depth += 2;
                }
                Turn::Round { of, until, line: at_line, .. } => {
                    if !goes_on {
                        let until =
                            until.as_ref().map_or(String::new(), |it| format!(" until {it}"));
                        line(out, depth, &format!("loop up to {of}{until} (line {at_line})"));
                    }
                    depth += 1;
                }
            }
            same &= goes_on;
        }
        self.turns = turns.to_vec();
        Some(depth)
    }
}

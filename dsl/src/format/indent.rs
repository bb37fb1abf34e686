//! Lines and how far they are indented: two blanks for each line that left a bracket open, two more
//! for one that goes on with what the line before began.

use super::spacing;
use super::token::{Kind, Token};

/// Blanks a level.
const STEP: usize = 2;

/// One line of the result.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) indent: usize,
    /// Its code; holds line ends if text in triple quotes does.
    pub(super) code: String,
    /// The comment at its end.
    pub(super) comment: Option<&'a str>,
    /// Blanks between the two.
    pub(super) gap: usize,
    pub(super) blank_before: bool,
}

/// Sets tokens in lines, where the author broke them.
pub(super) fn lines<'a>(tokens: &[Token<'a>]) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    // For each open bracket the indentation of the line it stands in.
    let mut open: Vec<usize> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = &tokens[..at];
        if before.is_empty() || token.newlines > 0 {
            let indent = indentation(tokens, at, &open);
            let tight = token.kind == Kind::Close
                || before.last().is_none_or(|last| last.kind == Kind::Open);
            let blank_before = token.newlines > 1 && !tight;
            lines.push(Line { indent, code: String::new(), comment: None, gap: 1, blank_before });
        }
        let Some(line) = lines.last_mut() else { continue };
        match token.kind {
            Kind::Comment => {
                line.comment = Some(token.text);
                continue;
            }
            Kind::Open => open.push(line.indent),
            Kind::Close => drop(open.pop()),
            _ => {}
        }
        if !line.code.is_empty() && spacing::blank(before, token, tokens.get(at + 1)) {
            line.code.push(' ');
        }
        line.code.push_str(token.text);
    }
    lines
}

fn indentation(tokens: &[Token<'_>], at: usize, open: &[usize]) -> usize {
    let closing = tokens[at..]
        .iter()
        .enumerate()
        .take_while(|(offset, token)| {
            token.kind == Kind::Close && (*offset == 0 || token.newlines == 0)
        })
        .count();
    if closing > 0 {
        return open.len().checked_sub(closing).and_then(|outer| open.get(outer)).map_or(0, |n| *n);
    }
    let inside = open.last().map_or(0, |indent| indent + STEP);
    inside + if goes_on(tokens, at) { STEP } else { 0 }
}

/// Whether the line that starts at `at` goes on with what came before.
fn goes_on(tokens: &[Token<'_>], at: usize) -> bool {
    let token = &tokens[at];
    let Some(last) = tokens[..at].iter().rev().find(|token| token.kind != Kind::Comment) else {
        return false;
    };
    if matches!(last.kind, Kind::Open | Kind::Comma) {
        return false;
    }
    let begun = match last.kind {
        Kind::Operator | Kind::Colon => true,
        _ => matches!(last.text, "and" | "or" | "in" | "contains" | "not" | "then" | "else" | "if"),
    };
    let follows = match token.kind {
        Kind::Operator => last.ends_operand(),
        // An `else` of a route is a step of its own.
        Kind::Word if token.text == "else" => {
            tokens.get(at + 1).is_none_or(|next| next.text != "=>")
        }
        Kind::Word => {
            matches!(
                token.text,
                "on" | "then" | "into" | "until" | "and" | "or" | "in" | "contains"
            ) && tokens.get(at + 1).is_none_or(|next| next.kind != Kind::Colon)
        }
        _ => false,
    };
    begun || follows
}

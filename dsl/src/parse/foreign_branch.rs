//! Branches without `then`, and signs around a step, as other languages write them.

use super::foreign::{Form, unexpected};
use super::operand::operand_behind;
use super::recover::first_word;

/// What is known of a line that could not be read on, from what stands before and what follows.
pub(super) fn find(line: &str, rest: &str) -> Option<Form> {
    without_then(line, rest).or_else(|| assigned(line, rest)).or_else(|| ended(line, rest))
}

/// `if (c) "x" else "y"`, `if c: "x" else: "y"`.
fn without_then(line: &str, rest: &str) -> Option<Form> {
    let at = line.rfind("if ").or_else(|| line.rfind("if("))?;
    let apart = line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "_.\"".contains(c));
    let condition = line[at + "if".len()..].trim();
    let colon = rest.starts_with(':');
    let bracketed = condition.starts_with('(') && condition.ends_with(')');
    if apart || condition.is_empty() || condition.contains(" then ") || !(colon || bracketed) {
        return None;
    }
    let first = rest.lines().next().unwrap_or(rest);
    let (yes, no) = first[usize::from(colon)..].split_once(" else")?;
    let behind = no.strip_prefix(':').or_else(|| no.starts_with(' ').then_some(no))?;
    let (yes, no) = (yes.trim(), operand_behind(behind));
    let nested =
        |text: &str| text.trim().is_empty() || text.contains(" else") || text.contains("if ");
    if nested(yes) || nested(no) {
        return None;
    }
    let length = first.len() - behind.len() + no.trim_end().len();
    let back = line.len() - line.trim_end().len();
    let meant = format!("then {yes} else {}", no.trim());
    let form = unexpected(1, "the branches of an `if` stand behind `then` and `else`", {
        format!("write `if {condition} {meant}`")
    });
    Some(form.replacing(back, length, format!(" {meant}")))
}

/// `stage x := 3`.
fn assigned(line: &str, rest: &str) -> Option<Form> {
    let head = line.trim_end().strip_suffix(':')?;
    let step = first_word(line.trim_start());
    if !rest.starts_with('=') || !["stage", "carry", "param", "flat_map"].contains(&step) {
        return None;
    }
    let form = unexpected(1, "a value stands behind `=`", format!("write `{} = ...`", head.trim()));
    Some(form.replacing(line.len() - head.trim_end().len(), 1, " ="))
}

/// `where .n > 3,`.
fn ended(line: &str, rest: &str) -> Option<Form> {
    let behind = rest.strip_prefix(',')?;
    let ends = behind.lines().next().unwrap_or("").trim().is_empty();
    let step = first_word(line.trim_start());
    let steps = ["where", "stage", "emit", "dedup", "flat_map", "join", "from", "carry"];
    (ends && steps.contains(&step)).then(|| {
        let form = unexpected(1, "a step ends with its line", "leave the `,` out");
        form.replacing(line.len() - line.trim_end().len(), 1, "")
    })
}

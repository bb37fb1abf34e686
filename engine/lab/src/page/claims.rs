//! The claims with their verdicts, those that fail not hidden behind those that hold.

use crate::plots::escape;
use crate::results::{Outcome, Results, Verdict};

pub(super) fn section(results: &Results) -> String {
    if results.claims.is_empty() {
        return String::new();
    }
    let count =
        |outcome: Outcome| results.claims.iter().filter(|claim| claim.outcome == outcome).count();
    let mut text = format!(
        "<h2>Claims</h2>\n<p>Of {} claims {} hold, {} fail and {} cannot be measured.</p>\n",
        results.claims.len(),
        count(Outcome::Holds),
        count(Outcome::Fails),
        count(Outcome::NotMeasurable)
    );
    results.claims.iter().for_each(|claim| text.push_str(&verdict(claim)));
    text
}

fn verdict(claim: &Verdict) -> String {
    let (class, words) = match claim.outcome {
        Outcome::Holds => ("holds", "✓ holds"),
        Outcome::Fails => ("fails", "✗ fails"),
        Outcome::NotMeasurable => ("open", "? not measurable"),
    };
    let repeats = match claim.repeats {
        Some((held, of)) if of > 1 && claim.is_split() => {
            format!(" on average, in {held} of {of} repeats")
        }
        Some((held, of)) if of > 1 => format!(" in {held} of {of} repeats"),
        _ => String::new(),
    };
    let mut text = format!(
        "<div class=\"claim {class}\"><b class=\"outcome\">{words}</b>{repeats}: {}<br>\
         <code>{}</code>",
        escape(&claim.text),
        escape(&claim.condition)
    );
    if !claim.detail.is_empty() {
        let lines: String =
            claim.detail.iter().map(|line| format!("<li>{}</li>", escape(line))).collect();
        text.push_str(&format!("<ul>{lines}</ul>"));
    }
    text.push_str("</div>\n");
    text
}

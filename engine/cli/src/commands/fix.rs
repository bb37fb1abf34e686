//! `check --fix`: the fixes that diagnostics carry, made in the file.
//!
//! A fix may uncover the next mistake, so it goes in rounds until nothing is left to do. Only the
//! file that was named is written; what it imports belongs to others as well.

use std::path::Path;

use sage_dsl::{Compiled, Edit, Span};

use crate::program;

/// Rounds after which something is wrong with the fixes and not with the program.
const MOST_ROUNDS: usize = 16;

/// Makes all fixes of the program in `path`, and says how many.
pub(super) fn fix(path: &Path, sets: &[String]) -> anyhow::Result<()> {
    let mut made = 0;
    for _ in 0..MOST_ROUNDS {
        let compiled = program::compile(path, sets)?;
        let (edits, count) = fixes(&compiled);
        let Some(source) = compiled.sources.files.first().filter(|_| count > 0) else {
            break;
        };
        made += count;
        program::replace(path, &patched(&source.text, &edits))?;
    }
    if made > 0 {
        let plural = if made == 1 { "fix" } else { "fixes" };
        eprintln!("{}: made {made} {plural}", path.display());
    }
    Ok(())
}

/// Replacements of the main file that do not touch each other, by place, and how many fixes they
/// are. A fix of several places is made in all of them or waits for the next round.
fn fixes(compiled: &Compiled) -> (Vec<Edit>, usize) {
    let all = compiled.diagnostics.iter().filter_map(|diagnostic| diagnostic.fix.as_ref());
    let of_main = all.filter(|fix| fix.edits().iter().all(|edit| edit.span.file == 0));
    let mut made = 0;
    let mut chosen: Vec<Edit> = Vec::new();
    for fix in of_main {
        let edits = fix.edits();
        if edits.iter().all(|edit| chosen.iter().all(|other| apart(edit.span, other.span))) {
            chosen.extend(edits);
            made += 1;
        }
    }
    chosen.sort_by_key(|edit| edit.span);
    (chosen, made)
}

/// Whether two replacements do not touch. Of two insertions at one place it could not be said which
/// comes first.
fn apart(a: Span, b: Span) -> bool {
    let end = |span: Span| span.end.max(span.start + 1);
    end(a) <= b.start || end(b) <= a.start
}

fn patched(text: &str, edits: &[Edit]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        let (start, end) = (edit.span.start as usize, edit.span.end as usize);
        out.push_str(text.get(done..start).unwrap_or(""));
        out.push_str(&edit.replacement);
        done = end;
    }
    out.push_str(text.get(done..).unwrap_or(""));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn span(start: u32, end: u32) -> Span {
        Span { file: 0, start, end }
    }

    #[test]
    fn pieces_are_replaced_and_all_else_stays() {
        let edit = |start, end, replacement: &str| Edit {
            span: span(start, end),
            replacement: replacement.to_owned(),
        };
        let edits = [edit(0, 0, "sage 1\n"), edit(2, 3, "CC"), edit(4, 5, "")];
        assert_eq!(patched("abcdef", &edits), "sage 1\nabCCdf");
    }

    #[test]
    fn replacements_that_touch_wait_for_the_next_round() {
        assert!(apart(span(0, 2), span(2, 3)) && apart(span(4, 5), span(0, 2)));
        assert!(!apart(span(0, 2), span(1, 3)) && !apart(span(1, 1), span(1, 1)));
    }
}

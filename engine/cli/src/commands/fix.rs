//! `check --fix`: the fixes that diagnostics carry, made in the file.
//!
//! A fix may uncover the next mistake, so it goes in rounds until nothing is left to do. Only the
//! file that was named is written; what it imports belongs to others as well.
//!
//! Behind a place that cannot be read, such as a brace or a quote that is missing, all that follows
//! may be something else than it seems to be: while there is one without a fix of its own, nothing
//! is written.

use std::path::Path;

use sage_dsl::{Compiled, Diagnostic, Edit, Span};

use super::fix_elsewhere;
use crate::data_files;
use crate::program;

/// Rounds after which something is wrong with the fixes and not with the program.
const MOST_ROUNDS: usize = 16;

/// Makes all fixes of the program in `path`, and says how many.
pub(super) fn fix(path: &Path, sets: &[String]) -> anyhow::Result<()> {
    let (mut made, mut left, mut renamed) = (0, None, Vec::new());
    for _ in 0..MOST_ROUNDS {
        let mut compiled = program::compile(path, sets)?;
        let missing = data_files::missing(&compiled);
        compiled.diagnostics.extend(missing);
        let (edits, count) = fixes(&compiled);
        let Some(source) = compiled.sources.files.first().filter(|_| count > 0) else {
            break;
        };
        if let Some(span) = unreadable(&compiled) {
            left = Some((count, compiled.sources.line_column(span).0));
            break;
        }
        made += count;
        renamed.extend(fix_elsewhere::renamed(&compiled));
        program::replace(path, &patched(&source.text, &edits))?;
    }
    if made > 0 {
        let plural = if made == 1 { "fix" } else { "fixes" };
        eprintln!("{}: made {made} {plural}", path.display());
    }
    fix_elsewhere::tell(path, sets, &renamed)?;
    if let Some((count, line)) = left {
        let what = if count == 1 { "a fix waits" } else { "fixes wait" };
        eprintln!(
            "{}: {what} for line {line}, which cannot be read: what comes behind it may be meant \
             otherwise; mend it and give the command again",
            path.display()
        );
    }
    Ok(())
}

/// A place of the main file that cannot be read, and that no fix mends.
fn unreadable(compiled: &Compiled) -> Option<Span> {
    let errors = compiled.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
    let of_syntax = errors.filter(|error| error.code.starts_with("S01") && error.fix.is_none());
    of_syntax.filter_map(Diagnostic::span).find(|span| span.file == 0)
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
    // The mark of other systems stays in front.
    let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    for edit in edits {
        let (start, end) = (edit.span.start as usize, edit.span.end as usize);
        let (start, end) = (start.max(mark), end.max(mark));
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
        assert_eq!(patched("\u{feff}ab", &edits[..1]), "\u{feff}sage 1\nab");
    }

    #[test]
    fn replacements_that_touch_wait_for_the_next_round() {
        assert!(apart(span(0, 2), span(2, 3)) && apart(span(4, 5), span(0, 2)));
        assert!(!apart(span(0, 2), span(1, 3)) && !apart(span(1, 1), span(1, 1)));
    }
}

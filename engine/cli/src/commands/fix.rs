//! `check --fix`: the fixes that diagnostics carry, made in the file.
//!
//! A fix may uncover the next mistake, so it goes in rounds until nothing is left to do. Only the
//! file that was named is written; what it imports belongs to others as well.

use std::path::Path;

use sage_dsl::{Compiled, Fix};

use crate::program;

/// Rounds after which something is wrong with the fixes and not with the program.
const MOST_ROUNDS: usize = 16;

/// Makes all fixes of the program in `path`, and says how many.
pub(super) fn fix(path: &Path, sets: &[String]) -> anyhow::Result<()> {
    let mut made = 0;
    for _ in 0..MOST_ROUNDS {
        let compiled = program::compile(path, sets)?;
        let fixes = fixes(&compiled);
        let Some(source) = compiled.sources.files.first().filter(|_| !fixes.is_empty()) else {
            break;
        };
        made += fixes.len();
        program::replace(path, &patched(&source.text, &fixes))?;
    }
    if made > 0 {
        let plural = if made == 1 { "fix" } else { "fixes" };
        eprintln!("{}: made {made} {plural}", path.display());
    }
    Ok(())
}

/// Fixes of the main file that do not touch each other, by place.
fn fixes(compiled: &Compiled) -> Vec<Fix> {
    let all = compiled.diagnostics.iter().filter_map(|diagnostic| diagnostic.fix.clone());
    let mut fixes: Vec<Fix> = all.filter(|fix| fix.span.file == 0).collect();
    fixes.sort_by_key(|fix| fix.span);
    let mut end = 0;
    fixes.retain(|fix| {
        // Two at one place: the second is for the next round.
        let free = fix.span.start >= end;
        if free {
            end = fix.span.end.max(fix.span.start + 1);
        }
        free
    });
    fixes
}

fn patched(text: &str, fixes: &[Fix]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for fix in fixes {
        let (start, end) = (fix.span.start as usize, fix.span.end as usize);
        out.push_str(text.get(done..start).unwrap_or(""));
        out.push_str(&fix.replacement);
        done = end;
    }
    out.push_str(text.get(done..).unwrap_or(""));
    out
}

#[cfg(test)]
mod tests {
    use sage_dsl::Span;

    use super::*;

    #[test]
    fn pieces_are_replaced_and_all_else_stays() {
        let fix = |start, end, replacement: &str| Fix {
            span: Span { file: 0, start, end },
            replacement: replacement.to_owned(),
        };
        let fixes = [fix(0, 0, "sage 1\n"), fix(2, 3, "CC"), fix(4, 5, "")];
        assert_eq!(patched("abcdef", &fixes), "sage 1\nabCCdf");
    }
}

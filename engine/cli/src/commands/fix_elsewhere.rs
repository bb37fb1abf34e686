//! `check --fix`: what is left to do in other files.
//!
//! Only the file that was named is written. A name that got another there may stand in the files that
//! import it, and what it imports may have mistakes of its own: both are said, with the command that
//! mends them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sage_dsl::{Compiled, Diagnostic};

use crate::program;

/// Files beside the program that are looked at.
const MOST_FILES: usize = 200;
/// Bytes of a program; there are none that are larger.
const MOST_BYTES: u64 = 1 << 20;

/// Names that the fixes of a round change where they are declared.
pub(super) fn renamed(compiled: &Compiled) -> Vec<String> {
    let of_case = compiled.diagnostics.iter().filter(|it| it.code == "S0112" && it.fix.is_some());
    let spans = of_case.filter_map(Diagnostic::span).filter(|span| span.file == 0);
    spans.map(|span| compiled.sources.text(span).to_owned()).collect()
}

/// Says which other files have something to mend.
pub(super) fn tell(path: &Path, sets: &[String], renamed: &[String]) -> anyhow::Result<()> {
    let compiled = program::compile(path, sets)?;
    let mut imported: BTreeMap<&str, usize> = BTreeMap::new();
    for found in compiled.diagnostics.iter().filter(|found| found.fix.is_some()) {
        if let Some(span) = found.span().filter(|span| span.file != 0) {
            *imported.entry(compiled.sources.path(span)).or_default() += 1;
        }
    }
    for (file, count) in imported {
        let what = if count == 1 { "1 fix waits" } else { &format!("{count} fixes wait") };
        eprintln!("{file}: {what} in this imported file: `sage-flow check --fix {file}`");
    }
    if renamed.is_empty() {
        return Ok(());
    }
    for file in importers(path) {
        let Ok(other) = program::compile(&file, &[]) else { continue };
        let unknown = other.diagnostics.iter().filter(|it| it.code.starts_with("S02"));
        let mut places = unknown.filter_map(Diagnostic::span).filter(|span| span.file == 0);
        let old = |text: &str| renamed.iter().any(|name| name == text);
        if let Some(span) = places.find(|span| old(other.sources.text(*span))) {
            let (shown, name) = (file.display(), other.sources.text(span));
            eprintln!(
                "{shown}:{}: still says `{name}`, which has another name now: \
                 `sage-flow check --fix {shown}`",
                other.sources.line(span)
            );
        }
    }
    Ok(())
}

/// Programs in the folder of `path` that import it, by name.
fn importers(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Some(own), Ok(entries)) = (path.file_name(), std::fs::read_dir(folder)) else {
        return Vec::new();
    };
    let import = format!("{}\"", own.to_string_lossy());
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|other| other.extension().is_some_and(|it| it == "sage"))
        .filter(|other| other.file_name() != Some(own))
        .take(MOST_FILES)
        .filter(|other| other.metadata().is_ok_and(|it| it.len() <= MOST_BYTES))
        .filter(|other| {
            let text = std::fs::read_to_string(other).unwrap_or_default();
            text.lines().any(|line| line.starts_with("import") && line.contains(&import))
        })
        .map(|other| folder.join(other.file_name().unwrap_or_default()))
        .map(|other| other.strip_prefix(".").map(Path::to_path_buf).unwrap_or(other))
        .collect();
    found.sort();
    found
}

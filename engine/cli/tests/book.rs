//! The book has all pages, its reference is what the registries say, and every piece of a program in
//! the documentation can be read.
//!
//! `UPDATE_PAGES=1` writes the reference pages anew.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use support::Sage;

const REFERENCE: [&str; 9] = [
    "stages",
    "sources",
    "documents",
    "sinks",
    "policies",
    "functions",
    "aggregates",
    "blocks",
    "codes",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn names(folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| Path::new(name).extension().is_some_and(|it| it == "md")).collect()
}

#[test]
fn the_reference_is_what_the_registries_say() {
    for name in REFERENCE {
        let now = Sage::new().args(&format!("doc --markdown {name}")).go().exits(0).stdout;
        let path = root().join(format!("book/src/reference/{name}.md"));
        if std::env::var_os("UPDATE_PAGES").is_some() {
            std::fs::write(&path, &now).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == now,
            "{name}.md is not what `sage-flow doc --markdown {name}` prints; \
                UPDATE_PAGES=1 writes it"
        );
        assert!(now.matches("\n## ").count() > 1, "{name} is empty");
    }
    let wanted: BTreeSet<String> = REFERENCE.iter().map(|name| format!("{name}.md")).collect();
    assert_eq!(names("book/src/reference"), wanted);
}

#[test]
fn every_page_is_a_chapter_and_every_chapter_a_page() {
    let summary = std::fs::read_to_string(root().join("book/src/SUMMARY.md")).unwrap();
    let linked: BTreeSet<String> = summary
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(str::to_owned)
        .collect();
    let mut pages = names("docs");
    for page in &pages {
        let chapter = std::fs::read_to_string(root().join("book/src").join(page));
        assert_eq!(chapter.unwrap_or_default(), format!("{{{{#include ../../docs/{page}}}}}\n"));
        // In the book there are only the chapters.
        let text = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
        assert!(!text.contains("](../"), "{page} links to what is no chapter");
    }
    pages.extend(REFERENCE.iter().map(|name| format!("reference/{name}.md")));
    assert_eq!(linked, pages, "left: SUMMARY.md, right: the pages");
}

#[test]
fn every_piece_of_a_program_in_the_documentation_can_be_read() {
    let mut files: Vec<PathBuf> =
        names("docs").iter().map(|it| root().join("docs").join(it)).collect();
    files.extend(REFERENCE.map(|name| root().join(format!("book/src/reference/{name}.md"))));
    files.push(root().join("README.md"));
    let mut pieces = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for piece in text.split("\n```sage").skip(1) {
            let piece = piece.split_once('\n').unwrap().1.split("\n```").next().unwrap();
            pieces += 1;
            let read = |text: &str| Sage::new().args("fmt -").stdin(text).go();
            // A program, declarations, steps, or an entry of a block.
            let forms = [
                piece.to_owned(),
                format!("sage 1\n{piece}\n"),
                format!("sage 1\nflow f {{\n  from s\n{piece}\n}}\n"),
                format!("sage 1\nschedule {{\n{piece}\n}}\n"),
                format!("sage 1\nexperiment e {{\n{piece}\n}}\n"),
                format!("sage 1\ntest \"t\" {{\n{piece}\n}}\n"),
                format!("sage 1\nfn f(x: int) -> int = {piece}\n"),
            ];
            let good = forms.iter().any(|form| read(form).code == Some(0));
            let why = read(&forms[1]).stderr;
            assert!(good, "{}:\n{piece}\n{why}", file.display());
        }
    }
    assert!(pieces > 40, "{pieces}");
}

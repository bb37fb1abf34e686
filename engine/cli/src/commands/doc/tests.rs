//! No word of the language is without a page.

use std::collections::BTreeSet;
use std::path::Path;

use sage_dsl::measures::STATISTICS;
use sage_dsl::units::{DURATIONS, SIZES};

use super::{find, names};
use crate::commands::lsp::words_of;

#[test]
fn every_name_of_the_registries_has_a_page() {
    let mut wanted: BTreeSet<&str> = names().into_iter().collect();
    wanted.extend(STATISTICS);
    wanted.extend(sage_dsl::manual::ENDPOINT_FIGURES);
    wanted.extend(sage_dsl::manual::ENTRIES.iter().map(|(entry, _)| *entry));
    wanted.extend(sage_dsl::manual::WINDOW.iter().map(|(option, _)| *option));
    wanted.extend(sage_dsl::AGGREGATES.iter().flat_map(sage_dsl::AggregateSpec::keys));
    wanted.extend(DURATIONS.iter().chain(SIZES).map(|(unit, _)| *unit));
    let columns = sage_lab::results::COLUMNS.iter();
    wanted.extend(columns.flat_map(|column| column.aliases).copied());
    assert!(wanted.len() > 300, "{}", wanted.len());
    let lacking: Vec<&str> =
        wanted.into_iter().filter(|name| find::pages(name).is_empty()).collect();
    assert!(lacking.is_empty(), "no page for {lacking:?}");
}

/// The words of programs that are no names of theirs are words of the language.
#[test]
fn every_word_of_the_programs_that_is_shipped_has_a_page() {
    let pipelines = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
    let (mut seen, mut lacking) = (0, BTreeSet::new());
    for entry in std::fs::read_dir(pipelines).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "sage") {
            continue;
        }
        for word in words_of(&path) {
            seen += 1;
            if find::pages(&word).is_empty() {
                lacking.insert(word);
            }
        }
    }
    assert!(seen > 500, "{seen}");
    assert!(lacking.is_empty(), "no page for {lacking:?}");
}

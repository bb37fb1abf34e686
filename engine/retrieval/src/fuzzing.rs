//! What a fuzzer may throw at this crate, one function a format; property tests call the same ones.
//!
//! They are compiled for tests and for the targets in `fuzz/` only. Each takes the fuzzer's bytes and
//! panics where a promise is broken.

use std::path::Path;

use fuzz_input::{Choices, harm};
use sage_core::index::{Index, Query};

use crate::format::{Layout, header, padding};
use crate::index::ALL_SECTIONS;
use crate::{BuildOptions, IndexBuilder, MappedIndex, SearchMode};

const MODES: [SearchMode; 4] =
    [SearchMode::Bm25, SearchMode::Vector, SearchMode::Rrf, SearchMode::Weighted(0.5)];

/// The bytes of a real index.
fn built(path: &Path) -> Vec<u8> {
    let options = BuildOptions { search: SearchMode::Rrf, dims: 4 };
    let mut builder = IndexBuilder::new(options).expect("an index");
    for key in ["alpha beta", "beta gamma gamma", "gamma delta"] {
        builder.push(key, key, key.as_bytes(), None).expect("a document");
    }
    builder.build_to(path).expect("a file");
    std::fs::read(path).expect("a file")
}

/// Search in every way; what is found is there.
fn search(index: &MappedIndex) {
    for (text, vector) in [
        (Some("alpha beta gamma"), Some(&[0.1, 0.2, -0.3, 1.0][..])),
        (Some("delta"), None),
        (None, Some(&[1.0, f32::NAN, f32::INFINITY, 0.0][..])),
        (Some(""), Some(&[][..])),
    ] {
        for mode in MODES {
            let hits = index.search_by(mode, Query { text, vector }, 10);
            assert!(hits.len() <= index.len());
            for hit in hits {
                assert!((hit.document as usize) < index.len(), "a hit that is no document");
                let _ = (index.document(hit.document), index.key(hit.document));
            }
        }
    }
    let _ = (index.document(u32::MAX), index.key(u32::MAX));
}

/// A file that is damaged, in any way, is not opened.
pub fn index_damaged(input: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("docs.index");
    let whole = built(&path);
    search(&MappedIndex::open(&path).expect("it is whole"));
    let mut bytes = whole.clone();
    let mut choices = Choices::new(input);
    for _ in 0..4 {
        harm(&mut bytes, &mut choices);
    }
    std::fs::remove_file(&path).expect("a file");
    std::fs::write(&path, &bytes).expect("a file");
    match MappedIndex::open(&path) {
        Ok(_) => assert!(bytes == whole, "damage that nobody sees"),
        Err(why) => assert!(why.to_string().contains("docs.index"), "{why}"),
    }
}

/// Any bytes as a file.
pub fn index_file(input: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("docs.index");
    std::fs::write(&path, input).expect("a file");
    if let Ok(index) = MappedIndex::open(&path) {
        search(&index);
    }
}

/// A file with wrong contents and right checksums. Checksums find damage; they do not stop someone
/// who computes them anew.
pub fn index_forged(input: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("docs.index");
    let bytes = built(&path);
    let layout = Layout::read(&bytes, &path).expect("it is whole");
    let mut sections = ALL_SECTIONS.map(|section| layout.section(&bytes, section).to_vec());
    let mut choices = Choices::new(input);
    for _ in 0..6 {
        if choices.is_empty() {
            break;
        }
        let section = choices.below(sections.len());
        harm(&mut sections[section], &mut choices);
    }
    let mut forged = header(&sections.each_ref().map(Vec::as_slice));
    for section in &sections {
        forged.extend_from_slice(section);
        forged.extend_from_slice(&[0; 8][..padding(section.len())]);
    }
    std::fs::remove_file(&path).expect("a file");
    std::fs::write(&path, &forged).expect("a file");
    if let Ok(index) = MappedIndex::open(&path) {
        search(&index);
    }
}

#[cfg(test)]
mod tests {
    use fuzz_input::try_all;

    #[test]
    fn damage_of_an_index_is_seen() {
        try_all("index_damaged", 150, super::index_damaged);
        try_all("index_file", 150, super::index_file);
    }

    #[test]
    fn a_forged_index_panics_nobody() {
        try_all("index_forged", 150, super::index_forged);
    }
}

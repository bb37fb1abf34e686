//! What an index must always be:
//!
//! - **right**: BM25 from the file equals BM25 recomputed naively from the texts;
//! - **the same**: for every thread and process, however often it is built;
//! - **safe**: a file that was cut, changed or never was an index gives an error, never a panic.

#![expect(clippy::unwrap_used, reason = "a failure here should stop the test")]

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use proptest::prelude::*;
use sage_core::index::{Index, Query};
use sage_core::text::{hashed_vector, is_stop_word, words};
use sage_retrieval::{BuildOptions, IndexBuilder, MappedIndex, RetrievalError, SearchMode};
use tempfile::TempDir;

const TEXTS: [&str; 6] = [
    "The gateway limits the calls in flight.",
    "A worker that dies ends the run; workers are processes.",
    "Calls are retried by the gateway, and only by the gateway.",
    "",
    "the of and",
    "Metrics count calls, retries and workers.",
];

fn build(path: &Path, search: SearchMode, dims: usize, texts: &[impl AsRef<str>]) {
    let mut builder = IndexBuilder::new(BuildOptions { search, dims }).unwrap();
    for (number, text) in texts.iter().enumerate() {
        let row = format!("row {number}");
        builder.push(&format!("d{number}"), text.as_ref(), row.as_bytes(), None).unwrap();
    }
    assert_eq!(builder.build_to(path).unwrap().documents, texts.len());
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docs.index");
    (folder, path)
}

fn search(index: &MappedIndex, mode: SearchMode, text: &str) -> Vec<(u32, u32)> {
    let vector = hashed_vector(text, index.dimensions());
    let hits = index.search_by(mode, Query { text: Some(text), vector: Some(&vector) }, 10);
    hits.iter().map(|hit| (hit.document, hit.score.to_bits())).collect()
}

const MODES: [SearchMode; 4] =
    [SearchMode::Bm25, SearchMode::Vector, SearchMode::Rrf, SearchMode::Weighted(0.5)];

#[test]
fn rows_and_keys_come_back() {
    let (_folder, path) = folder();
    build(&path, SearchMode::Rrf, 16, &TEXTS);
    let index = MappedIndex::open(&path).unwrap();
    assert_eq!((index.len(), index.dimensions()), (6, 16));
    assert_eq!(index.search_mode(), SearchMode::Rrf);
    for number in 0..6 {
        assert_eq!(index.document(number), Some(format!("row {number}").as_bytes()));
        assert_eq!(index.key(number), Some(&*format!("d{number}")));
    }
    assert_eq!(index.document(6), None);
    assert_eq!(index.document(u32::MAX), None);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn one_side_is_enough() {
    let (_folder, path) = folder();
    build(&path, SearchMode::Weighted(0.5), 64, &TEXTS);
    let index = MappedIndex::open(&path).unwrap();
    let vector = hashed_vector("a process that dies", 64);
    let first = |query| index.search(query, 1).first().map(|hit| hit.document);
    assert_eq!(first(Query { text: Some("a process that dies"), vector: None }), Some(1));
    assert_eq!(first(Query { text: None, vector: Some(&vector) }), Some(1));
    assert_eq!(first(Query { text: Some("worker"), vector: Some(&vector[..3]) }), Some(1));
    assert_eq!(first(Query::default()), None);
    assert!(index.search(Query { text: Some("zebra"), vector: None }, 5).is_empty());
    assert!(index.search(Query { text: Some("worker"), vector: None }, 0).is_empty());
}

#[test]
fn an_empty_index_finds_nothing() {
    let (_folder, path) = folder();
    build(&path, SearchMode::Rrf, 8, &[""; 0]);
    let index = MappedIndex::open(&path).unwrap();
    assert!(index.is_empty());
    assert!(MODES.iter().all(|mode| search(&index, *mode, "worker").is_empty()));
}

#[test]
fn bad_documents_are_refused_and_leave_no_trace() {
    let (_folder, path) = folder();
    let options = BuildOptions { search: SearchMode::Rrf, dims: 2 };
    let mut builder = IndexBuilder::new(options).unwrap();
    builder.push("a", "one", b"", Some(vec![1.0, 0.0])).unwrap();
    let twice = builder.push("a", "two", b"", None);
    assert!(matches!(twice, Err(RetrievalError::DuplicateKey(key)) if key == "a"));
    let long = builder.push("b", "two", b"", Some(vec![1.0; 3]));
    assert!(matches!(long, Err(RetrievalError::VectorLength { found: 3, expected: 2, .. })));
    builder.build_to(&path).unwrap();
    assert_eq!(MappedIndex::open(&path).unwrap().len(), 1);
    assert!(IndexBuilder::new(BuildOptions { dims: 1 << 20, ..options }).is_err());
}

#[test]
fn a_rebuild_leaves_open_readers_alone() {
    let (folder, path) = folder();
    build(&path, SearchMode::Bm25, 0, &TEXTS);
    let old = MappedIndex::open(&path).unwrap();
    build(&path, SearchMode::Bm25, 0, &["zebra"]);
    assert_eq!(old.len(), 6);
    assert_eq!(search(&old, SearchMode::Bm25, "gateway").len(), 2);
    assert_eq!(MappedIndex::open(&path).unwrap().len(), 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
}

/// Whole names, and the parts of words that change between letters and digits; the texts of
/// [`text`] have no others.
fn name_parts(text: &str) -> Vec<String> {
    let names = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.');
    let mut parts = Vec::new();
    for name in names.filter(|name| !name.is_empty() && name.is_ascii()) {
        if name.contains('_') || name.contains('.') {
            parts.push(name.to_lowercase());
        }
        for word in name.split(['_', '.']) {
            let digits = word.find(|c: char| c.is_ascii_digit());
            if let Some(at) = digits.filter(|at| *at > 0) {
                parts.push(word[..at].to_lowercase());
                parts.push(word[at..].to_owned());
            }
        }
    }
    parts
}

/// Document frequencies, counts and lengths from scratch; one score a document.
fn naive_bm25(texts: &[String], query: &str) -> Vec<f64> {
    let stemmer = rust_stemmers::Stemmer::create(rust_stemmers::Algorithm::English);
    let terms = |text: &str| -> Vec<String> {
        let content = words(text).filter(|word| !is_stop_word(word));
        let words = content.map(|word| stemmer.stem(&word).into_owned());
        // Of the parts there are none that a stemmer would change.
        words.chain(name_parts(text)).collect()
    };
    let documents: Vec<Vec<String>> = texts.iter().map(|text| terms(text)).collect();
    let count = documents.len() as f64;
    let total: usize = documents.iter().map(Vec::len).sum();
    let average = (total as f64 / count).max(1.0);
    let score = |document: &Vec<String>| {
        terms(query).iter().fold(0.0, |sum, term| {
            let having = documents.iter().filter(|d| d.contains(term)).count() as f64;
            let tf = document.iter().filter(|t| *t == term).count() as f64;
            let idf = (1.0 + (count - having + 0.5) / (having + 0.5)).ln();
            let damping = 1.2 * (0.25 + 0.75 * document.len() as f64 / average);
            sum + idf * tf * 2.2 / (tf + damping)
        })
    };
    documents.iter().map(score).collect()
}

fn text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "worker",
        "workers",
        "Gateway",
        "retry",
        "retries",
        "the",
        "of",
        "scheduling",
        "naïve",
        "x9",
        "max_slots",
        "os.path",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bm25_equals_the_naive_computation(
        texts in prop::collection::vec(text(), 1..30),
        query in text(),
    ) {
        let (_folder, path) = folder();
        build(&path, SearchMode::Bm25, 0, &texts);
        let index = MappedIndex::open(&path).unwrap();
        let expect = naive_bm25(&texts, &query);
        let hits = index.search(Query { text: Some(&query), vector: None }, texts.len());
        let found: HashMap<u32, f32> = hits.iter().map(|hit| (hit.document, hit.score)).collect();
        for (document, expect) in expect.iter().enumerate() {
            let found = found.get(&(document as u32)).copied().unwrap_or(0.0);
            prop_assert!((f64::from(found) - expect).abs() < 1e-3 * expect.max(1.0));
        }
        prop_assert!(hits.is_sorted_by(|a, b| (b.score, a.document) <= (a.score, b.document)
            || a.score > b.score));
    }

    #[test]
    fn a_changed_byte_is_an_error(at in any::<prop::sample::Index>(), with in 1_u8..) {
        let (_folder, path) = folder();
        build(&path, SearchMode::Rrf, 8, &TEXTS);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= with;
        std::fs::write(&path, &bytes).unwrap();
        let error = MappedIndex::open(&path).unwrap_err();
        prop_assert!(error.to_string().contains("docs.index"), "{error}");
    }

    #[test]
    fn any_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let (_folder, path) = folder();
        std::fs::write(&path, &bytes).unwrap();
        prop_assert!(MappedIndex::open(&path).is_err());
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let (_folder, path) = folder();
    build(&path, SearchMode::Rrf, 8, &TEXTS);
    let bytes = std::fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert!(MappedIndex::open(&path).is_err(), "cut to {length} of {}", bytes.len());
    }
    std::fs::write(&path, [&bytes[..], &[0; 8]].concat()).unwrap();
    assert!(MappedIndex::open(&path).is_err(), "longer");
    assert!(MappedIndex::open(path.parent().unwrap()).is_err(), "a folder");
    assert!(MappedIndex::open(Path::new("/nowhere/docs.index")).is_err(), "missing");
}

/// Prints the hits of every mode for the index named in the environment; run as a process of its
/// own by the test below, and a no-op otherwise.
#[test]
fn child_process() {
    let Ok(path) = std::env::var("SAGE_TEST_INDEX") else { return };
    let index = MappedIndex::open(Path::new(&path)).unwrap();
    for mode in MODES {
        println!("hits {:?}", search(&index, mode, "gateway retries of workers"));
    }
}

#[test]
fn threads_and_processes_agree() {
    let (_folder, path) = folder();
    build(&path, SearchMode::Rrf, 64, &TEXTS);
    let first = std::fs::read(&path).unwrap();
    build(&path, SearchMode::Rrf, 64, &TEXTS);
    assert_eq!(first, std::fs::read(&path).unwrap(), "a build is reproducible, byte for byte");

    let index = MappedIndex::open(&path).unwrap();
    let here = || MODES.map(|mode| search(&index, mode, "gateway retries of workers"));
    let expect = here();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(here)).collect();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap() == expect));
    });
    let expect: Vec<_> = expect.iter().map(|hits| format!("hits {hits:?}")).collect();
    for _ in 0..2 {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_process", "--nocapture"])
            .env("SAGE_TEST_INDEX", &path)
            .output()
            .unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        // The harness may print on the first line too.
        let hits = output.lines().filter_map(|line| line.find("hits ").map(|at| &line[at..]));
        assert_eq!(hits.collect::<Vec<_>>(), expect);
    }
}

#[test]
fn building_is_quick() {
    let (_folder, path) = folder();
    let texts: Vec<String> = (0..7_500_u32)
        .map(|n| {
            let words = (0..120).map(|i| format!("w{}", n.wrapping_mul(31 + i) % 9_973));
            words.collect::<Vec<_>>().join(" ")
        })
        .collect();
    let started = Instant::now();
    build(&path, SearchMode::Rrf, 384, &texts);
    let built = started.elapsed();
    let started = Instant::now();
    let index = MappedIndex::open(&path).unwrap();
    println!("7500 documents: built in {built:.1?}, opened in {:.1?}", started.elapsed());
    assert_eq!(index.len(), 7_500);
}

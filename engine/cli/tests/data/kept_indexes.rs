//! A second run takes the index of the first, and trusts none that is damaged.

#![allow(clippy::unwrap_used, reason = "a failure here should stop the test")]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use crate::support::{STATE, Sage};

const PROGRAM: &str = r#"
sage 1
type Query  { id: string @key, text: string }
type Doc    { id: string @key, title: string, text: string }
type Answer { id: string @key, found: [string] }
endpoint embedder { url: "sim:a100/qwen2.5-7b@1000", model: "BAAI/bge-small-en-v1.5" }
source queries: Query from csv("queries.csv")
index docs: Doc from markdown("notes") { with: embedder }
sink answers: Answer to jsonl("answers.jsonl")
flow look {
  from queries
  stage qvec = embed(.text) on embedder
  stage hits = retrieve(docs, qvec, k: 1)
  emit Answer { id: .id, found: hits.id } into answers
}
"#;

fn sage() -> Sage {
    let sage = Sage::new()
        .file("look.sage", PROGRAM)
        .file("queries.csv", "id,text\nq1,where are bananas kept\n");
    std::fs::create_dir(sage.folder.path().join("notes")).unwrap();
    let sage = note(sage, "a.md", "# Apples\n\nApples are kept in the cellar over the winter.\n");
    note(sage, "b.md", "# Bananas\n\nBananas are kept in the kitchen, never in the cold.\n")
}

fn note(sage: Sage, name: &str, text: &str) -> Sage {
    sage.file(&format!("notes/{name}"), text)
}

/// What a run in a folder of its own says, and how often it called the model.
fn run(sage: &Sage, out: &str, more: &str) -> (String, u64) {
    let done = sage.again().args("run look.sage --workers 1 --out").arg(out).args(more).go();
    let said = done.exits(0).stderr;
    let read =
        |name: &str| std::fs::read_to_string(sage.folder.path().join(out).join(name)).unwrap();
    assert!(read("answers.jsonl").contains("b.md#bananas"), "{said}");
    let metrics: serde_json::Value = serde_json::from_str(&read("metrics.json")).unwrap();
    (said, metrics["endpoint_stats"][0]["calls"].as_u64().unwrap())
}

fn kept(sage: &Sage) -> Vec<PathBuf> {
    let folder = sage.folder.path().join(STATE).join("indexes");
    let mut kept: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    kept.sort();
    kept
}

const REUSED: &str = "index docs: 2 passages, as an earlier run has built them";

#[test]
fn a_second_run_takes_the_index_of_the_first() {
    let sage = sage();
    let (said, first) = run(&sage, "one", "");
    assert!(said.contains("index docs: 2 passages\n"), "{said}");
    let (said, second) = run(&sage, "two", "");
    assert!(said.contains(REUSED), "{said}");
    assert_eq!((first, second), (2, 1), "the question alone");
    let [file] = &kept(&sage)[..] else { panic!("{:?}", kept(&sage)) };
    let numbers = ["one", "two"].map(|out| {
        std::fs::metadata(sage.folder.path().join(out).join("index/docs.index")).unwrap().ino()
    });
    assert_eq!(numbers, [std::fs::metadata(file).unwrap().ino(); 2], "one file for both");
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);

    // All anew when that is asked for.
    let (said, _) = run(&sage, "three", "--fresh");
    assert!(said.contains("index docs: 2 passages\n"), "{said}");

    // Damaged: said, built anew, and good again.
    let [file] = &kept(&sage)[..] else { panic!("{:?}", kept(&sage)) };
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::remove_file(file).unwrap();
    std::fs::write(file, bytes).unwrap();
    let (said, _) = run(&sage, "four", "");
    assert!(said.contains("the one of an earlier run is not used, it is damaged"), "{said}");
    let (said, _) = run(&sage, "five", "");
    assert!(said.contains(REUSED), "{said}");
}

#[test]
fn whatever_happens_to_a_kept_index_is_told_and_a_good_one_takes_its_place() {
    let sage = sage();
    run(&sage, "first", "");
    let [file] = &kept(&sage)[..] else { panic!("{:?}", kept(&sage)) };
    let (file, whole) = (file.clone(), std::fs::read(file).unwrap());
    let replace = |bytes: &[u8]| {
        // The runs before have the same file.
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, bytes).unwrap();
    };
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let last = whole.len() - 1;
    let damage = [0, 5, 9, 40, whole.len() / 3, whole.len() / 2, last].map(flipped);
    let short = [0, 3, 64, whole.len() / 2, last].map(|length| whole[..length].to_vec());
    let mut out = 0..;
    let mut next = || run(&sage, &format!("run-{}", out.next().unwrap()), "").0;
    for bytes in damage.into_iter().chain(short).chain([[&whole[..], b"more"].concat()]) {
        replace(&bytes);
        let said = next();
        assert!(said.contains("the one of an earlier run is not used, "), "{said}");
        assert!(said.contains("; it is built anew"), "{said}");
        assert_eq!(std::fs::read(&file).unwrap(), whole, "the good one is kept");
    }
    assert!(next().contains(REUSED));
    // Somebody removes it, or puts something else in its place.
    std::fs::remove_file(&file).unwrap();
    let said = next();
    assert!(said.contains("2 passages") && !said.contains("earlier run"), "{said}");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let said = next();
    assert!(
        said.contains("cannot be read (") && said.contains("it is not kept for later"),
        "{said}"
    );
    let folder = file.parent().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    std::fs::write(folder, "no folder").unwrap();
    let said = next();
    assert!(said.contains("it is not kept for later runs: "), "{said}");
}

#[test]
fn a_changed_document_has_a_new_index_and_the_others_keep_their_vectors() {
    let sage = sage();
    run(&sage, "one", "");
    let sage = note(sage, "a.md", "# Apples\n\nApples are made into juice in the late summer.\n");
    let (said, _) = run(&sage, "two", "");
    assert!(said.contains("2 passages, 1 of them with vectors of an earlier run"), "{said}");
    assert_eq!(kept(&sage).len(), 2);
    // Files of both states are of use: the first one comes back.
    let sage = note(sage, "a.md", "# Apples\n\nApples are kept in the cellar over the winter.\n");
    let (said, _) = run(&sage, "three", "");
    assert!(said.contains(REUSED), "{said}");

    let cache = |words: &str| {
        let home = sage.folder.path().join("cache");
        sage.again().args(words).env("SAGE_CACHE_DIR", home.to_str().unwrap()).go().exits(0).stdout
    };
    let info = cache("cache info");
    assert!(info.contains("indexes  2 in ") && info.contains("vectors  of 0 models in "), "{info}");
    // What a model in the process has made stands beside the answers.
    let vectors = sage.folder.path().join("cache/vectors");
    std::fs::create_dir_all(&vectors).unwrap();
    std::fs::write(vectors.join("00ff.vectors"), "1234").unwrap();
    let info = cache("cache info --json");
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    assert_eq!((&info["vectors"]["files"], &info["vectors"]["bytes"]), (&1.into(), &4.into()));
    assert_eq!(info["indexes"]["files"], 2);
    let cleared = cache("cache clear --yes --older-than 1h");
    assert!(cleared.contains("removed vectors of 0 models"), "{cleared}");
    let cleared = cache("cache clear --yes");
    assert!(cleared.contains("removed vectors of 1 models, 4 B"), "{cleared}");
    assert!(!vectors.join("00ff.vectors").exists());
    assert!(cleared.contains("removed 2 indexes"), "{cleared}");
    assert!(kept(&sage).is_empty());
}

//! Indexes that are kept: taken again only if they are whole and the right ones.

#![allow(clippy::unwrap_used, reason = "a failure here should stop the test")]

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use sage_core::index::{Index, Query};
use sage_retrieval::{
    BuildOptions, Fingerprint, IndexBuilder, IndexStore, MappedIndex, SearchMode, Taken, text_hash,
};

const DIMS: usize = 4;

fn fingerprint(name: &str) -> Fingerprint {
    Fingerprint::of([name.as_bytes()])
}

fn vector(text: &str) -> Vec<f32> {
    let bytes = text_hash(text);
    bytes[..DIMS].iter().map(|byte| f32::from(*byte) - 100.0).collect()
}

fn build(path: &Path, name: &str, texts: &[&str]) {
    let options = BuildOptions { search: SearchMode::Weighted(0.5), dims: DIMS };
    let maker = Some(fingerprint("model"));
    let mut builder = IndexBuilder::new(options).unwrap().named(fingerprint(name), maker);
    for text in texts {
        builder.push(text, text, text.as_bytes(), Some(vector(text))).unwrap();
    }
    builder.build_to(path).unwrap();
}

struct Place {
    folder: tempfile::TempDir,
    store: IndexStore,
}

impl Place {
    fn new(most: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = IndexStore::new(&folder.path().join("kept"), most);
        Place { folder, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Builds an index and keeps it; where it is kept.
    fn keep(&self, name: &str, texts: &[&str]) -> PathBuf {
        let from = self.path("built.index");
        build(&from, name, texts);
        self.store.keep(fingerprint(name), &from).unwrap();
        let number = std::fs::metadata(&from).unwrap().ino();
        let kept = std::fs::read_dir(self.store.folder()).unwrap().map(|entry| entry.unwrap());
        let kept = kept.map(|entry| entry.path());
        kept.into_iter().find(|path| std::fs::metadata(path).unwrap().ino() == number).unwrap()
    }

    fn take(&self, name: &str) -> Taken {
        self.store.take(fingerprint(name), &self.path("docs.index"))
    }
}

#[test]
fn what_is_kept_is_taken_and_is_the_same_file() {
    let place = Place::new(1 << 20);
    assert!(matches!(place.take("a"), Taken::Missing));
    let kept = place.keep("a", &["one apple", "two pears"]);
    let Taken::Whole(index) = place.take("a") else { panic!("it is kept") };
    assert_eq!(index.len(), 2);
    let number = |path: &Path| std::fs::metadata(path).unwrap().ino();
    assert_eq!(number(&kept), number(&place.path("docs.index")), "one copy in memory");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&kept), mode(place.store.folder())), (0o600, 0o700));
    // Again over itself, and without it being there any more.
    assert!(matches!(place.take("a"), Taken::Whole(_)));
    assert!(matches!(place.take("b"), Taken::Missing));
    assert_eq!(place.store.clear(None).unwrap().files, 1);
    assert!(matches!(place.take("a"), Taken::Missing));
    let text = Query { text: Some("pears"), vector: None };
    assert_eq!(index.search(text, 1)[0].document, 1, "who uses it keeps it");
    assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 3, "nothing else is left");
}

#[test]
fn what_is_damaged_or_old_or_another_is_removed_and_said() {
    let place = Place::new(1 << 20);
    type Damage = fn(&mut Vec<u8>);
    let damage: [(&str, Damage); 4] = [
        ("damaged", |bytes| *bytes.last_mut().unwrap() ^= 1),
        ("damaged", |bytes| bytes.truncate(600)),
        ("old format", |bytes| bytes[8] -= 1),
        ("is not an index", Vec::clear),
    ];
    for (reason, damage) in damage {
        let kept = place.keep("a", &["one apple"]);
        let mut bytes = std::fs::read(&kept).unwrap();
        damage(&mut bytes);
        std::fs::remove_file(&kept).unwrap();
        std::fs::write(&kept, bytes).unwrap();
        let Taken::Broken(why) = place.take("a") else { panic!("{reason}") };
        assert!(why.contains(reason), "{why}");
        assert!(!kept.exists() && !place.path("docs.index").exists(), "{reason}");
        assert!(matches!(place.take("a"), Taken::Missing));
    }
    let (a, b) = (place.keep("a", &["one apple"]), place.keep("b", &["two pears"]));
    std::fs::rename(b, a).unwrap();
    let Taken::Broken(why) = place.take("a") else { panic!("another index") };
    assert!(why.contains("another index"), "{why}");
}

#[test]
fn those_used_longest_ago_go_first() {
    let place = Place::new(1 << 20);
    let kept = place.keep("a", &["one apple"]);
    let length = std::fs::metadata(&kept).unwrap().len();
    place.keep("b", &["one grape"]);
    let ages = [("a", 300), ("b", 200)];
    for (name, seconds) in ages {
        assert!(matches!(place.take(name), Taken::Whole(_)));
        let at = SystemTime::now() - Duration::from_secs(seconds);
        let file = std::fs::File::open(place.path("docs.index")).unwrap();
        file.set_modified(at).unwrap();
    }
    let small = IndexStore::new(place.store.folder(), length * 2);
    let from = place.path("built.index");
    build(&from, "c", &["one peach"]);
    small.keep(fingerprint("c"), &from).unwrap();
    assert!(matches!(place.take("a"), Taken::Missing), "the oldest");
    assert!(matches!(place.take("b"), Taken::Whole(_)));
    assert!(matches!(place.take("c"), Taken::Whole(_)));
    assert_eq!(small.survey().files, 2);
    assert!(small.survey().bytes <= length * 2);
    // What is larger than all that may be kept is not kept, and pushes nothing out.
    let tiny = IndexStore::new(place.store.folder(), length / 2);
    tiny.keep(fingerprint("d"), &from).unwrap();
    assert_eq!(small.survey().files, 2);
    assert_eq!(small.clear(Some(Duration::from_secs(3600))).unwrap().files, 0);
}

#[test]
fn runs_at_the_same_time_do_not_harm_each_other() {
    let place = Place::new(1 << 20);
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let place = &place;
            scope.spawn(move || {
                for round in 0..30 {
                    let own = place.path(&format!("{thread}.index"));
                    match place.store.take(fingerprint("a"), &own) {
                        Taken::Whole(index) => assert_eq!(index.len(), 2),
                        Taken::Missing => {
                            build(&own, "a", &["one apple", "two pears"]);
                            place.store.keep(fingerprint("a"), &own).unwrap();
                        }
                        Taken::Broken(why) => panic!("{why}"),
                    }
                    if (thread, round % 7) == (0, 3) {
                        place.store.clear(None).unwrap();
                    }
                    assert_eq!(MappedIndex::open(&own).unwrap().len(), 2);
                }
            });
        }
    });
}

#[test]
fn vectors_of_texts_that_stayed_serve_the_next_index() {
    let place = Place::new(1 << 20);
    place.keep("a", &["one apple", "two pears"]);
    place.keep("b", &["two pears", "three figs"]);
    let texts = ["three figs", "one apple", "a new plum"];
    let wanted = texts.iter().map(|text| text_hash(text)).collect();
    assert!(place.store.vectors(fingerprint("other model"), &wanted).is_empty());
    let found = place.store.vectors(fingerprint("model"), &wanted);
    assert_eq!(found.len(), 2);

    let options = BuildOptions { search: SearchMode::Weighted(0.5), dims: DIMS };
    let maker = Some(fingerprint("model"));
    let mut builder = IndexBuilder::new(options).unwrap().named(fingerprint("c"), maker);
    for text in texts {
        match found.get(&text_hash(text)) {
            Some(kept) => builder.push_kept(text, text, text.as_bytes(), kept).unwrap(),
            None => builder.push(text, text, text.as_bytes(), Some(vector(text))).unwrap(),
        }
    }
    let (partly, anew) = (place.path("partly.index"), place.path("anew.index"));
    builder.build_to(&partly).unwrap();
    build(&anew, "c", &texts);
    assert_eq!(std::fs::read(partly).unwrap(), std::fs::read(anew).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever comes, changes and goes: an index that takes the vectors of the one before is the
    /// one that would be built anew, byte for byte.
    #[test]
    fn a_history_of_documents_leaves_no_trace(
        states in prop::collection::vec(prop::collection::btree_map(0_u8..12, 0_u8..6, 0..10), 1..8),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (live, anew) = (folder.path().join("live.index"), folder.path().join("anew.index"));
        let mut made = HashSet::new();
        for state in states {
            let texts: Vec<(String, String)> =
                state.iter().map(|(key, text)| (format!("k{key}"), format!("text {text}"))).collect();
            let dims = if texts.is_empty() { 0 } else { DIMS };
            let options = BuildOptions { search: SearchMode::Weighted(0.5), dims };
            let builder =
                || IndexBuilder::new(options).unwrap().named(fingerprint("x"), Some(fingerprint("m")));
            let (mut next, mut fresh) = (builder(), builder());
            let mut kept = HashMap::new();
            if let Ok(before) = MappedIndex::open(&live) {
                let wanted = texts.iter().map(|(_, text)| text_hash(text)).collect();
                before.add_vectors(&wanted, &mut kept);
            }
            let mut now = HashSet::new();
            for (key, text) in &texts {
                if let Some(vector) = kept.get(&text_hash(text)) {
                    prop_assert!(made.contains(text), "nobody has made it");
                    next.push_kept(key, text, b"", vector).unwrap();
                } else {
                    prop_assert!(!made.contains(text), "it is made again");
                    next.push(key, text, b"", Some(vector(text))).unwrap();
                }
                now.insert(text.clone());
                fresh.push(key, text, b"", Some(vector(text))).unwrap();
            }
            made = now;
            next.build_to(&live).unwrap();
            fresh.build_to(&anew).unwrap();
            prop_assert_eq!(std::fs::read(&live).unwrap(), std::fs::read(&anew).unwrap());
        }
    }
}

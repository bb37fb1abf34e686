//! An index whose file is replaced while it is searched.
//!
//! A file never changes, so a new state of the documents is a new file under the same name. Who
//! searches looks before each search whether the name stands for another file, and goes on with that
//! one; searches that have begun end with the old file, which stays in memory until they have.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use sage_core::index::{Hit, Index, Query};

use crate::error::RetrievalError;
use crate::index::MappedIndex;

/// The newest state of an index.
#[derive(Debug)]
pub struct LiveIndex {
    path: PathBuf,
    open: RwLock<Open>,
}

#[derive(Debug)]
struct Open {
    index: Arc<MappedIndex>,
    mark: Option<Mark>,
}

/// What tells two files of one name apart. The number of a file is not given away again while it is
/// mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    device: u64,
    number: u64,
    changed: (i64, i64),
}

fn mark(path: &Path) -> Option<Mark> {
    let metadata = std::fs::metadata(path).ok()?;
    let changed = (metadata.mtime(), metadata.mtime_nsec());
    Some(Mark { device: metadata.dev(), number: metadata.ino(), changed })
}

impl LiveIndex {
    /// The index at `path`, which has to be there.
    pub fn open(path: &Path) -> Result<Self, RetrievalError> {
        // Before the file is opened: one that comes between is found by the next search.
        let mark = mark(path);
        let index = Arc::new(MappedIndex::open(path)?);
        Ok(LiveIndex { path: path.to_owned(), open: RwLock::new(Open { index, mark }) })
    }

    /// The index as it is now. A file that cannot be opened leaves the one before in its place.
    pub fn now(&self) -> Arc<MappedIndex> {
        let now = mark(&self.path);
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        if now.is_none() || now == open.mark {
            return Arc::clone(&open.index);
        }
        drop(open);
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if now != open.mark {
            open.mark = now;
            if let Ok(index) = MappedIndex::open(&self.path) {
                open.index = Arc::new(index);
            }
        }
        Arc::clone(&open.index)
    }
}

impl Index for LiveIndex {
    fn search(&self, query: Query<'_>, k: usize) -> Vec<Hit> {
        self.now().search(query, k)
    }

    fn search_among(&self, query: Query<'_>, k: usize, wanted: &[u32]) -> Vec<Hit> {
        self.now().search_among(query, k, wanted)
    }

    /// None: numbers of documents are those of one state, so [`Index::current`] has to be asked
    /// for both, the search and the documents.
    fn document(&self, _document: u32) -> Option<&[u8]> {
        None
    }

    fn len(&self) -> usize {
        self.now().len()
    }

    fn dimensions(&self) -> usize {
        self.now().dimensions()
    }

    fn current(&self) -> Option<Arc<dyn Index>> {
        Some(self.now())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::{BuildOptions, IndexBuilder, SearchMode};

    fn write(path: &Path, documents: &[(&str, &str)]) {
        let options = BuildOptions { search: SearchMode::Weighted(0.5), dims: 8 };
        let mut builder = IndexBuilder::new(options).unwrap();
        for (key, text) in documents {
            builder.push(key, text, key.as_bytes(), None).unwrap();
        }
        builder.build_to(path).unwrap();
    }

    fn found(index: &LiveIndex, text: &str) -> Vec<String> {
        let now = index.current().unwrap();
        let hits = now.search(Query { text: Some(text), vector: None }, 3);
        let key =
            |hit: &Hit| String::from_utf8(now.document(hit.document).unwrap().into()).unwrap();
        hits.iter().map(key).collect()
    }

    #[test]
    fn the_next_search_sees_the_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docs.index");
        write(&path, &[("a", "apples"), ("b", "bananas")]);
        let index = LiveIndex::open(&path).unwrap();
        assert_eq!(found(&index, "bananas"), ["b"]);
        let before = index.now();
        write(&path, &[("c", "bananas and cherries")]);
        assert_eq!(found(&index, "bananas"), ["c"]);
        assert_eq!((index.len(), before.len()), (1, 2), "a search that began ends as it began");
        // What is no index leaves the last one.
        std::fs::remove_file(&path).unwrap();
        assert_eq!(found(&index, "cherries"), ["c"]);
        std::fs::write(&path, "nonsense").unwrap();
        assert_eq!(found(&index, "cherries"), ["c"]);
        std::fs::remove_file(&path).unwrap();
        write(&path, &[("d", "cherries")]);
        assert_eq!(found(&index, "cherries"), ["d"]);
    }

    #[test]
    fn searches_and_documents_are_of_one_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docs.index");
        // In each state the document found has the state's own text in front.
        let state = |n: usize| -> Vec<(String, String)> {
            (0..=n % 3).map(|at| (format!("{n}"), format!("word{at} needle"))).take(1).collect()
        };
        let write_state = |n: usize| {
            let documents = state(n);
            let documents: Vec<(&str, &str)> =
                documents.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
            write(&path, &documents);
        };
        write_state(0);
        let index = LiveIndex::open(&path).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut last = 0;
                        while !done.load(Ordering::Relaxed) {
                            let found: usize = found(&index, "needle")[0].parse().unwrap();
                            assert!(found >= last, "{found} after {last}");
                            last = found;
                        }
                    })
                })
                .collect();
            for n in 1..30 {
                write_state(n);
            }
            done.store(true, Ordering::Relaxed);
            readers.into_iter().for_each(|reader| reader.join().unwrap());
        });
        assert_eq!(found(&index, "needle"), ["29"]);
    }
}

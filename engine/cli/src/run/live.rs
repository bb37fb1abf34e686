//! Follows the documents of live indexes while a run goes on.
//!
//! The documents are read again and again; what they are is known by key and content, so a pass over
//! unchanged documents costs no more than reading them. Where something differs, only new texts are
//! embedded, and a new file takes the place of the old one under the same name; the workers go over
//! to it between two searches. A pass that fails leaves everything as it was, and is said once.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::bail;
use sage_core::text::{fnv1a, fnv1a_more};
use sage_dsl::plan::{IndexPlan, Plan};
use sage_retrieval::MappedIndex;

use super::embedding::embed;
use super::indexes::{self, Prepared, Vector};
use super::interrupt::Interrupts;
use super::kept_indexes::{self, Identity, Reuse};
use super::services::Access;

/// Between two looks whether the run has ended.
const LISTEN: Duration = Duration::from_millis(50);

/// Documents by key, with the hash of their contents.
pub(crate) type Known = BTreeMap<String, u64>;

/// What the documents are.
pub(super) fn known(documents: &[Prepared]) -> Known {
    let content = |one: &Prepared| fnv1a_more(fnv1a(one.text.as_bytes()), &one.row);
    documents.iter().map(|one| (one.key.clone(), content(one))).collect()
}

/// How many documents came, changed and went.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    added: usize,
    changed: usize,
    removed: usize,
}

impl Difference {
    pub(super) fn of(before: &Known, now: &Known) -> Self {
        let mut difference = Difference::default();
        for (key, content) in now {
            match before.get(key) {
                None => difference.added += 1,
                Some(old) if old != content => difference.changed += 1,
                Some(_) => {}
            }
        }
        difference.removed = before.keys().filter(|key| !now.contains_key(*key)).count();
        difference
    }

    fn is_none(&self) -> bool {
        *self == Difference::default()
    }
}

/// One index that is followed.
pub(super) struct Following<'f> {
    pub(super) plan: &'f Plan,
    pub(super) index: &'f IndexPlan,
    /// Its file.
    pub(super) path: PathBuf,
    /// What is in it.
    pub(super) known: Known,
    pub(super) access: Option<&'f Access>,
    pub(super) interrupts: &'f Interrupts,
}

impl Following<'_> {
    /// Follow until `stop`; `say` is told of each change and of each new trouble.
    pub(super) fn run(mut self, stop: &AtomicBool, say: impl Fn(&str)) {
        let every = Duration::from_nanos(self.index.refresh_ns.unwrap_or_default());
        let (mut last, mut trouble) = (None, String::new());
        while sleep(every, stop) {
            match self.pass() {
                Ok(None) => trouble.clear(),
                Ok(Some((identity, note))) => {
                    (last, trouble) = (Some(identity), String::new());
                    say(&note);
                }
                Err(_) if stop.load(Ordering::Relaxed) => {}
                Err(error) => {
                    let error = format!("index {}: not refreshed: {error:#}", self.index.name);
                    if error != trouble {
                        say(&error);
                    }
                    trouble = error;
                }
            }
        }
        // Of the states in between nobody will ask for one.
        let kept = last.and_then(|identity| Reuse::of_user(true).keep(&identity, &self.path));
        kept.iter().for_each(|trouble| say(&format!("index {}: {trouble}", self.index.name)));
    }

    /// One look at the documents; the new index and what to say, if something has changed.
    fn pass(&mut self) -> anyhow::Result<Option<(Identity, String)>> {
        let corpus = indexes::read_again(self.index)?;
        let (documents, bad) = indexes::prepare_all(self.index, &corpus)?;
        if let (true, Some(first)) = (documents.is_empty(), bad.first()) {
            // Rather the state before than none, when something is wrong with all of them.
            bail!("no document can be used: {first}");
        }
        let now = known(&documents);
        let difference = Difference::of(&self.known, &now);
        if difference.is_none() {
            return Ok(None);
        }
        let made = match indexes::embedder(self.index) {
            Some(endpoint) => Some(self.vectors(endpoint, &documents)?),
            None => None,
        };
        let identity = Identity::of(self.plan, self.index, &documents)?;
        let (info, _) = indexes::write(self.index, &documents, made, &identity, &self.path)?;
        self.known = now;
        let Difference { added, changed, removed } = difference;
        let left = if bad.is_empty() {
            String::new()
        } else {
            format!(", {} left out (first: {})", bad.len(), bad[0])
        };
        let note = format!(
            "index {}: {added} added, {changed} changed, {removed} removed; {} passages{left}",
            self.index.name, info.documents
        );
        Ok(Some((identity, note)))
    }

    /// Vectors of all documents, made for those texts alone that the index as it is does not have.
    fn vectors(&self, endpoint: usize, documents: &[Prepared]) -> anyhow::Result<Vec<Vector>> {
        let mut kept = HashMap::new();
        if let Ok(before) = MappedIndex::open(&self.path) {
            before.add_vectors(&kept_indexes::texts(documents), &mut kept);
        }
        indexes::vectors_of(documents, &kept, |texts| {
            embed(self.plan, endpoint, texts, self.access, self.interrupts)
        })
    }
}

/// Ends the following when it goes, however that comes.
pub(super) struct Stop<'s>(pub(super) &'s AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits; false when it is time to stop.
fn sleep(mut left: Duration, stop: &AtomicBool) -> bool {
    while !stop.load(Ordering::Relaxed) {
        if left.is_zero() {
            return true;
        }
        let step = left.min(LISTEN);
        thread::sleep(step);
        left -= step;
    }
    false
}

/// Where the file of an index of this name lies in `folder`.
pub(super) fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.index"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_counted_by_key_and_content() {
        let known = |pairs: &[(&str, u64)]| -> Known {
            pairs.iter().map(|(key, content)| ((*key).to_owned(), *content)).collect()
        };
        let before = known(&[("a", 1), ("b", 2), ("c", 3)]);
        let now = known(&[("a", 1), ("b", 7), ("d", 4), ("e", 5)]);
        let expect = Difference { added: 2, changed: 1, removed: 1 };
        assert_eq!(Difference::of(&before, &now), expect);
        assert!(Difference::of(&now, &now).is_none());
    }
}

//! The records on the disk: one file a job, replaced by rename, so that a reader never sees half of
//! one. A file that is damaged all the same is named and takes no other with it.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::NamedTempFile;

use super::place;
use super::record::{Record, SCHEMA};
use crate::exit::{usage, usage_of};

/// Ended jobs that are kept; the oldest go first.
const KEPT: usize = 200;
/// A record has a few KiB; more is damage, and is not read.
const MOST_BYTES: u64 = 4 << 20;
const END: &str = "json";
/// Begin of the names of files that are being written.
const UNFINISHED: &str = ".unfinished-";
/// A file that is not finished by then never will be.
const UNFINISHED_FOR: Duration = Duration::from_secs(60);

/// The folder of records.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) folder: PathBuf,
}

/// All that is there.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// Newest first.
    pub(crate) jobs: Vec<Record>,
    pub(crate) unread: Vec<Unread>,
}

/// A file that says nothing of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    /// The job's, by the name of the file.
    pub(crate) id: String,
    pub(crate) path: PathBuf,
    pub(crate) reason: String,
    /// Written by a newer version, and whole for all that is known.
    pub(crate) newer: bool,
}

impl Store {
    /// The user's; nothing is made.
    pub(crate) fn open() -> anyhow::Result<Self> {
        Ok(Store { folder: place::folder()? })
    }

    /// Make the folder.
    pub(super) fn make(&self) -> io::Result<()> {
        place::make(&self.folder)
    }

    /// Every job that is there; none where there is no folder.
    pub(crate) fn all(&self) -> anyhow::Result<Listed> {
        let shown = self.folder.display();
        let refused = |error: io::Error| usage(format!("cannot read `{shown}`: {error}"));
        match place::check(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Listed::default()),
            checked => checked.map_err(refused)?,
        }
        let mut listed = Listed::default();
        for entry in fs::read_dir(&self.folder).map_err(refused)?.flatten() {
            let path = entry.path();
            let Some(id) = id_of(&path) else { continue };
            match read(&path, id) {
                Ok(record) => listed.jobs.push(record),
                // Removed since it was listed.
                Err(Damage::Gone) => {}
                Err(Damage::Newer(schema)) => listed.unread.push(Unread {
                    id: id.to_owned(),
                    reason: format!(
                        "it was written by a newer sage-flow (schema {schema}, this one knows {SCHEMA})"
                    ),
                    path,
                    newer: true,
                }),
                Err(Damage::Broken(reason)) => {
                    listed.unread.push(Unread { id: id.to_owned(), reason, path, newer: false });
                }
            }
        }
        listed.jobs.sort_by(|a, b| (&b.started, &b.id).cmp(&(&a.started, &a.id)));
        listed.unread.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(listed)
    }

    /// A job as it is by now, if its record is whole.
    pub(crate) fn reread(&self, id: &str) -> Option<Record> {
        id_of(Path::new(&format!("{id}.{END}")))?;
        read(&self.file(id), id).ok()
    }

    /// Write a job's record, in the place of an earlier one.
    pub(super) fn write(&self, record: &Record) -> io::Result<()> {
        self.unfinished(record)?.persist(self.file(&record.id))?;
        Ok(())
    }

    /// Write the record of a new job; false if another has its id.
    pub(super) fn claim(&self, record: &Record) -> io::Result<bool> {
        match self.unfinished(record)?.persist_noclobber(self.file(&record.id)) {
            Ok(_) => Ok(true),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error),
        }
    }

    /// Readable by the user alone, as tempfile makes files.
    fn unfinished(&self, record: &Record) -> io::Result<NamedTempFile> {
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.folder)?;
        serde_json::to_writer_pretty(&mut file, record)?;
        file.write_all(b"\n")?;
        file.flush()?;
        Ok(file)
    }

    /// Forget a job.
    pub(crate) fn remove(&self, id: &str) -> anyhow::Result<()> {
        match fs::remove_file(self.file(id)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(usage_of(error)),
            _ => Ok(()),
        }
    }

    /// Forget the oldest ended jobs above the bound. One with living workers stays: nobody else
    /// knows of them.
    pub(super) fn prune(&self) -> anyhow::Result<()> {
        let ended = |record: &Record| {
            !record.state().goes_on() && record.elsewhere().is_none() && record.living().is_empty()
        };
        let jobs = self.all()?.jobs;
        for record in jobs.iter().filter(|record| ended(record)).skip(KEPT) {
            self.remove(&record.id)?;
        }
        Ok(())
    }

    /// Remove what writers left that were killed while they wrote; gives the number of files.
    pub(crate) fn sweep(&self) -> usize {
        let old = |path: &Path| {
            let changed = fs::symlink_metadata(path).and_then(|found| found.modified());
            let age = changed.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
            age.is_some_and(|age| age > UNFINISHED_FOR)
        };
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let unfinished = entries.filter(|entry| {
            entry.file_name().to_string_lossy().starts_with(UNFINISHED) && old(&entry.path())
        });
        unfinished.filter(|entry| fs::remove_file(entry.path()).is_ok()).count()
    }

    fn file(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.{END}"))
    }
}

impl Listed {
    /// The job that `name` means: its id, a folder it writes to, or the beginning of its id.
    pub(crate) fn find(&self, name: &str) -> anyhow::Result<&Record> {
        if let Some(record) = self.jobs.iter().find(|record| record.id == name) {
            return Ok(record);
        }
        let folder = fs::canonicalize(name).or_else(|_| std::path::absolute(name));
        if let Some(record) = folder.ok().and_then(|folder| self.of_folder(&folder)) {
            return Ok(record);
        }
        if let Some(unread) = self.unread.iter().find(|unread| unread.id == name) {
            return Err(usage(format!("`{}`: {}", unread.path.display(), unread.reason)));
        }
        let begins: Vec<&Record> =
            self.jobs.iter().filter(|record| record.id.starts_with(name)).collect();
        match &begins[..] {
            [record] if !name.is_empty() => Ok(record),
            [_, _, ..] if !name.is_empty() => {
                let ids: Vec<&str> = begins.iter().map(|record| record.id.as_str()).collect();
                Err(usage(format!("`{name}` may be any of {}; give the whole id", ids.join(", "))))
            }
            // A run that was killed in its first moments has a folder and no record.
            _ if Path::new(name).is_dir() => Err(usage(format!(
                "there is no job that writes to `{name}`; a run in it that was broken off goes on by the \
                 command that started it"
            ))),
            _ => Err(usage(format!("there is no job `{name}`{}", self.like(name)))),
        }
    }

    /// The job that writes to a folder, or was the last to.
    pub(crate) fn of_folder(&self, folder: &Path) -> Option<&Record> {
        let mut there = self.jobs.iter().filter(|record| record.writes_to(folder));
        let last = there.next()?;
        Some(
            there
                .find(|record| record.state().goes_on() && !last.state().goes_on())
                .unwrap_or(last),
        )
    }

    fn like(&self, name: &str) -> String {
        let near = |record: &&Record| strsim::osa_distance(&record.id, name) <= 2;
        self.jobs.iter().find(near).map_or_else(
            || "; `sage-flow jobs list --all` shows those there are".to_owned(),
            |record| format!("; did you mean `{}`?", record.id),
        )
    }
}

/// Ids are plain words: nothing in them leads out of the folder.
fn id_of(path: &Path) -> Option<&str> {
    let id = path.file_name()?.to_str()?.strip_suffix(END)?.strip_suffix('.')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (!id.is_empty() && id.chars().all(plain)).then_some(id)
}

enum Damage {
    Gone,
    Newer(u64),
    Broken(String),
}

fn read(path: &Path, id: &str) -> Result<Record, Damage> {
    let broken = |why: &dyn std::fmt::Display| Damage::Broken(format!("it is damaged: {why}"));
    let unread = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => Damage::Gone,
        _ => Damage::Broken(format!("it cannot be read: {error}")),
    };
    // To open a pipe would be to wait for who writes to it.
    if !fs::metadata(path).map_err(unread)?.is_file() {
        return Err(broken(&"it is no file"));
    }
    let file = fs::File::open(path).map_err(unread)?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Damage::Broken(format!("it cannot be read: {error}")))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(broken(&format!("it has more than {} MiB", MOST_BYTES >> 20)));
    }
    if bytes.is_empty() {
        return Err(broken(&"it is empty"));
    }
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| broken(&error))?;
    match value.get("schema").and_then(Value::as_u64) {
        Some(schema) if schema > SCHEMA => return Err(Damage::Newer(schema)),
        Some(_) => {}
        None => return Err(broken(&"it has no schema")),
    }
    let record: Record = serde_json::from_value(value).map_err(|error| broken(&error))?;
    if record.id != id {
        return Err(broken(&format!("it is of job `{}`", record.id.escape_debug())));
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::super::record::tests::example;
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let outer = tempfile::tempdir().unwrap();
        let store = Store { folder: outer.path().join("jobs") };
        store.make().unwrap();
        (outer, store)
    }

    #[test]
    fn what_is_written_is_read_and_an_id_is_claimed_once() {
        let (_outer, store) = store();
        let mut record = example("rag-1");
        assert!(store.claim(&record).unwrap());
        assert!(!store.claim(&record).unwrap());
        record.counts.tasks_in = 7;
        store.write(&record).unwrap();
        let listed = store.all().unwrap();
        assert_eq!((&listed.jobs, &listed.unread), (&vec![record], &Vec::new()));
        assert_eq!(fs::metadata(store.file("rag-1")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&store.folder).unwrap().count(), 1, "nothing unfinished is left");
    }

    #[test]
    fn no_damage_takes_other_records_with_it() {
        let (_outer, store) = store();
        store.write(&example("whole")).unwrap();
        let text = fs::read_to_string(store.file("whole")).unwrap();
        let damaged = text.replace("whole", "cut");
        // Cut at every length, and one bit turned at every place.
        for at in 0..damaged.trim_end().len() {
            fs::write(store.file("cut"), &damaged.as_bytes()[..at]).unwrap();
            let listed = store.all().unwrap();
            assert_eq!((listed.jobs.len(), listed.unread.len()), (1, 1), "{at}");
            let mut turned = damaged.clone().into_bytes();
            turned[at] ^= 1 << (at % 8);
            fs::write(store.file("cut"), &turned).unwrap();
            let listed = store.all().unwrap();
            assert_eq!(listed.jobs.len() + listed.unread.len(), 2, "{at}");
            assert!(listed.jobs.iter().any(|record| record.id == "whole"), "{at}");
        }
        let why = |text: &str| {
            fs::write(store.file("cut"), text).unwrap();
            store.all().unwrap().unread.remove(0)
        };
        assert!(why("").reason.contains("empty"));
        assert!(why("{}").reason.contains("no schema"));
        assert!(why(&text).reason.contains("of job `whole`"));
        let newer = why(r#"{"schema": 7, "unheard": "of"}"#);
        assert!(newer.newer && newer.reason.contains("schema 7, this one knows 1"), "{newer:?}");
    }

    #[test]
    fn a_job_is_found_by_id_folder_and_beginning() {
        let listed = Listed {
            jobs: vec![example("rag-ab"), example("rag-ac"), example("llm-x")],
            unread: Vec::new(),
        };
        let id = |name: &str| listed.find(name).map(|record| record.id.clone());
        assert_eq!(id("rag-ac").unwrap(), "rag-ac");
        assert_eq!(id("llm").unwrap(), "llm-x");
        assert_eq!(id("/somewhere/out").unwrap(), "rag-ab", "the newest");
        let said = |name: &str| id(name).unwrap_err().to_string();
        assert!(said("rag").contains("any of rag-ab, rag-ac"));
        assert!(said("rag-ad").contains("did you mean"));
        assert!(said("").contains("no job"));
    }

    #[test]
    fn the_oldest_ended_jobs_go_first() {
        let (_outer, store) = store();
        let mut gone = example("gone");
        gone.supervisor.start -= 1;
        for number in 0..KEPT + 5 {
            gone.id = format!("ended-{number}");
            gone.started = format!("2026-01-02T03:{:02}:{:02}.000Z", number / 60, number % 60);
            store.write(&gone).unwrap();
        }
        let mut old = example("old");
        old.started = "2020-01-01T00:00:00.000Z".into();
        store.write(&old).unwrap();
        store.prune().unwrap();
        let left: Vec<String> = store.all().unwrap().jobs.into_iter().map(|job| job.id).collect();
        assert_eq!(left.len(), KEPT + 1);
        assert!(left.contains(&"old".to_owned()), "it goes on");
        assert!((0..5).all(|number| !left.contains(&format!("ended-{number}"))));
    }

    #[test]
    fn ids_stay_in_the_folder() {
        for (path, id) in [
            ("a-1.json", Some("a-1")),
            (".unfinished-x", None),
            (".json", None),
            ("a.b.json", None),
            ("a.txt", None),
        ] {
            assert_eq!(id_of(Path::new(path)), id, "{path}");
        }
        let (_outer, store) = store();
        assert!(store.reread("../x").is_none());
    }
}

//! Indexes that are kept for later runs.
//!
//! An index file never changes, so a run that would build the same one may take the file that is
//! there. It is known by a fingerprint of all that went into it, which stands in its name and in the
//! file itself. A run gets a link to the file: all runs of a host share one copy in memory, and what
//! is removed here stays with those that use it.
//!
//! Nothing kept is trusted: a file is verified as any other, and has to carry the fingerprint that was
//! asked for. Files appear under their names at once and complete, so runs that keep the same index
//! at the same time replace one good file by another. The folder is its owner's alone, as the files
//! are, since they hold texts of documents.

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::error::RetrievalError;
use crate::index::MappedIndex;
use crate::reuse::{KeptVector, TextHash};

/// How the names of kept files end.
const ENDING: &str = "index";
/// Most indexes that are looked into for vectors.
const DONORS: usize = 4;
/// A file under a temporary name that is older has no living writer.
const ABANDONED: Duration = Duration::from_secs(3600);

/// What an index is made of, as one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub(crate) [u8; Fingerprint::LENGTH]);

impl Fingerprint {
    pub(crate) const LENGTH: usize = 32;

    /// Of parts; where one ends counts.
    pub fn of<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Self {
        let mut hash = Sha256::new();
        // The same texts make another file in another format.
        hash.update(crate::format::VERSION.to_le_bytes());
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        Fingerprint(std::array::from_fn(|at| digest[at]))
    }

    fn name(&self) -> String {
        let digits = self.0.iter().map(|byte| format!("{byte:02x}"));
        digits.chain([format!(".{ENDING}")]).collect()
    }
}

/// What became of a wish for a kept index.
#[derive(Debug)]
pub enum Taken {
    /// It is at the wanted place.
    Whole(Box<MappedIndex>),
    /// There is none.
    Missing,
    /// It cannot be used, for this reason, and is removed if that is possible.
    Broken(String),
}

/// What a folder of kept indexes holds, or what was removed from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeptIndexes {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl KeptIndexes {
    fn add(&mut self, bytes: u64) {
        (self.files, self.bytes) = (self.files + 1, self.bytes + bytes);
    }
}

/// A folder of kept indexes.
#[derive(Debug, Clone)]
pub struct IndexStore {
    folder: PathBuf,
    most: u64,
}

struct Kept {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl IndexStore {
    /// The store in `folder`, which is made at the first use, of at most so many bytes.
    pub fn new(folder: &Path, most: u64) -> Self {
        IndexStore { folder: folder.to_owned(), most }
    }

    /// Puts the index of this fingerprint to `to`, if it is kept.
    pub fn take(&self, fingerprint: Fingerprint, to: &Path) -> Taken {
        let kept = self.folder.join(fingerprint.name());
        if !kept.exists() {
            return Taken::Missing;
        }
        match place(&kept, to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Taken::Missing,
            Err(error) => {
                let place = kept.display();
                return Taken::Broken(format!("`{place}` cannot be read ({error})"));
            }
            Ok(()) => {}
        }
        let broken = |reason: String| {
            let _ = fs::remove_file(&kept);
            let _ = fs::remove_file(to);
            Taken::Broken(reason)
        };
        match MappedIndex::open(to) {
            Ok(index) if index.fingerprint() == Some(fingerprint) => {
                // Which was used last, for the bound; a file that cannot be marked goes the earlier.
                let _ = File::open(&kept).and_then(|file| file.set_modified(SystemTime::now()));
                Taken::Whole(Box::new(index))
            }
            Ok(_) => broken("it is another index under this name".into()),
            Err(RetrievalError::Damaged { detail, .. }) => {
                broken(format!("it is damaged: {detail}"))
            }
            Err(RetrievalError::Version { found, .. }) => {
                broken(format!("it has the old format {found}"))
            }
            Err(error) => broken(error.to_string()),
        }
    }

    /// Keeps the index at `from`, which carries this fingerprint; older ones go to stay within the
    /// bound.
    pub fn keep(&self, fingerprint: Fingerprint, from: &Path) -> Result<(), RetrievalError> {
        let length = fs::metadata(from).map_err(RetrievalError::io("inspect", from))?.len();
        if length > self.most {
            return Ok(());
        }
        self.make().map_err(RetrievalError::io("create", &self.folder))?;
        self.shrink(self.most - length);
        let to = self.folder.join(fingerprint.name());
        place(from, &to).map_err(RetrievalError::io("keep an index as", &to))
    }

    /// Vectors that `maker` has made for some of the `wanted` texts, from the indexes used last.
    pub fn vectors(
        &self,
        maker: Fingerprint,
        wanted: &HashSet<TextHash>,
    ) -> HashMap<TextHash, KeptVector> {
        let mut found = HashMap::default();
        for kept in self.kept().iter().rev().take(DONORS) {
            if found.len() == wanted.len() {
                break;
            }
            // What cannot be opened is removed when it is asked for.
            if let Ok(index) = MappedIndex::open(&kept.path)
                && index.maker() == Some(maker)
            {
                index.add_vectors(wanted, &mut found);
            }
        }
        found
    }

    /// What is kept.
    pub fn survey(&self) -> KeptIndexes {
        let mut all = KeptIndexes::default();
        self.kept().iter().for_each(|kept| all.add(kept.bytes));
        all
    }

    /// Removes what nobody has used for so long, or all.
    pub fn clear(&self, older_than: Option<Duration>) -> Result<KeptIndexes, RetrievalError> {
        let mut removed = KeptIndexes::default();
        for kept in self.kept() {
            let age = kept.used.elapsed().unwrap_or_default();
            if older_than.is_none_or(|least| age >= least) && remove(&kept.path)? {
                removed.add(kept.bytes);
            }
        }
        self.sweep();
        Ok(removed)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let mode = fs::metadata(&self.folder)?.permissions().mode();
        if mode & 0o077 != 0 {
            fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700))?;
        }
        Ok(())
    }

    /// All files, that used longest ago first.
    fn kept(&self) -> Vec<Kept> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let kept = entries.filter_map(|entry| {
            let (path, data) = (entry.path(), entry.metadata().ok()?);
            let known = path.extension().is_some_and(|ending| ending == ENDING) && data.is_file();
            known.then(|| Kept {
                path,
                bytes: data.len(),
                used: data.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            })
        });
        let mut kept: Vec<Kept> = kept.collect();
        kept.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
        kept
    }

    /// Removes files until there are at most so many bytes.
    fn shrink(&self, most: u64) {
        let kept = self.kept();
        let mut bytes: u64 = kept.iter().map(|kept| kept.bytes).sum();
        for one in kept {
            if bytes <= most {
                break;
            }
            // What cannot be removed is still there and counts.
            if remove(&one.path).unwrap_or(false) {
                bytes -= one.bytes;
            }
        }
        self.sweep();
    }

    /// Removes what writers that were killed have left.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let temporary = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
            let age = entry.metadata().and_then(|data| data.modified()).ok();
            let old = age.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > ABANDONED);
            if temporary && old {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// How temporary names begin.
const TEMPORARY: &str = ".kept-";

/// Puts the file at `from` to `to`, at once and complete: the same file where both are on one disk,
/// a copy otherwise.
fn place(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let beside = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .make_in(folder, |path| fs::hard_link(from, path));
    match beside {
        Ok(beside) => {
            let name = beside.path().to_owned();
            beside.persist(to).map_err(|error| error.error)?;
            // A name does not take the place of another of the same file, and both stay.
            let _ = fs::remove_file(name);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
        Err(_) => {
            let mut beside = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
            io::copy(&mut File::open(from)?, &mut beside)?;
            beside.as_file().sync_all()?;
            beside.persist(to).map_err(|error| error.error)?;
        }
    }
    Ok(())
}

/// Whether it was there to be removed.
fn remove(path: &Path) -> Result<bool, RetrievalError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(RetrievalError::io("remove", path)(error)),
    }
}

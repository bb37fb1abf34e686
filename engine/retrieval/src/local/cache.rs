//! Vectors by the content of their texts, in one file for each model.
//!
//! ```text
//! magic 8 | dimensions u32 | 0 u32 | fingerprint 16 | entries ...
//! entry: key 16 | f32 x dimensions | checksum u64
//! ```
//!
//! Entries are only appended, and each carries a checksum: a file that was cut off in the middle of
//! one, or damaged, loses the entries from there on and nothing else, since a vector can always be
//! made again. Another process that adds to the same file at the same time can at worst make entries
//! be lost, never be read wrong.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use crate::error::RetrievalError;
use crate::format::checksum;

const MAGIC: &[u8; 8] = b"sagevec\n";
const HEADER: usize = 32;

/// Vectors that were made before.
pub(super) struct VectorCache {
    dimensions: usize,
    vectors: FxHashMap<[u8; 16], Box<[f32]>>,
    /// Entries that are not in the file yet.
    unsaved: Vec<u8>,
    file: Option<(File, PathBuf)>,
}

impl VectorCache {
    /// The file of the model with this `fingerprint` in `folder`, or no file.
    pub(super) fn open(
        folder: Option<&Path>,
        fingerprint: [u8; 16],
        dimensions: usize,
    ) -> Result<Self, RetrievalError> {
        let (vectors, unsaved) = (FxHashMap::default(), Vec::new());
        let mut cache = VectorCache { dimensions, vectors, unsaved, file: None };
        let Some(folder) = folder else { return Ok(cache) };
        std::fs::create_dir_all(folder).map_err(RetrievalError::io("create", folder))?;
        let name: String = fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = folder.join(format!("{name}.vectors"));
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(RetrievalError::io("read", &path)(error)),
        };
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&(dimensions as u32).to_le_bytes());
        header.extend_from_slice(&[0; 4]);
        header.extend_from_slice(&fingerprint);
        let sound = if bytes.get(..HEADER) == Some(&header) {
            HEADER + cache.read(&bytes[HEADER..])
        } else {
            0
        };
        let write = || -> std::io::Result<File> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)?;
            file.set_len(sound as u64)?;
            file.seek(SeekFrom::End(0))?;
            if sound == 0 {
                file.write_all(&header)?;
            }
            Ok(file)
        };
        let file = write().map_err(RetrievalError::io("write", &path))?;
        cache.file = Some((file, path));
        Ok(cache)
    }

    /// Takes the sound entries at the head of `bytes`; gives how long they are.
    fn read(&mut self, bytes: &[u8]) -> usize {
        let size = 16 + self.dimensions * 4;
        let mut taken = 0;
        for entry in bytes.chunks_exact(size + 8) {
            let (body, sum) = entry.split_at(size);
            if checksum(body).to_le_bytes() != *sum {
                break;
            }
            let (key, floats) = body.split_at(16);
            let floats = floats.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four));
            self.vectors.insert(std::array::from_fn(|at| key[at]), floats.collect());
            taken += entry.len();
        }
        taken
    }

    pub(super) fn len(&self) -> usize {
        self.vectors.len()
    }

    pub(super) fn has(&self, key: &[u8; 16]) -> bool {
        self.vectors.contains_key(key)
    }

    pub(super) fn get(&self, key: &[u8; 16]) -> Option<Vec<f32>> {
        self.vectors.get(key).map(|vector| vector.to_vec())
    }

    /// Adds a vector; it is in the file after [`Self::save`].
    pub(super) fn add(&mut self, key: [u8; 16], vector: Vec<f32>) {
        let start = self.unsaved.len();
        self.unsaved.extend_from_slice(&key);
        self.unsaved.extend(vector.iter().flat_map(|x| x.to_le_bytes()));
        let sum = checksum(&self.unsaved[start..]);
        self.unsaved.extend_from_slice(&sum.to_le_bytes());
        self.vectors.insert(key, vector.into());
    }

    /// Writes what was added.
    pub(super) fn save(&mut self) -> Result<(), RetrievalError> {
        if let Some((file, path)) = &mut self.file {
            file.write_all(&self.unsaved).map_err(RetrievalError::io("write", path))?;
        }
        self.unsaved.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(folder: &Path, count: u8) -> PathBuf {
        let mut cache = VectorCache::open(Some(folder), [7; 16], 3).unwrap();
        for n in 0..count {
            cache.add([n; 16], vec![f32::from(n), 0.5, -1.0]);
        }
        cache.save().unwrap();
        cache.file.unwrap().1
    }

    #[test]
    fn vectors_come_back_for_the_same_model_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = filled(folder.path(), 5);
        let again = VectorCache::open(Some(folder.path()), [7; 16], 3).unwrap();
        assert_eq!((again.len(), again.get(&[3; 16])), (5, Some(vec![3.0, 0.5, -1.0])));
        assert_eq!(VectorCache::open(Some(folder.path()), [8; 16], 3).unwrap().len(), 0);
        std::fs::copy(&path, folder.path().join(format!("{}.vectors", "08".repeat(16)))).unwrap();
        assert_eq!(VectorCache::open(Some(folder.path()), [8; 16], 3).unwrap().len(), 0);
    }

    proptest! {
        #[test]
        fn damage_loses_vectors_and_never_changes_one(
            cut in any::<prop::sample::Index>(),
            at in any::<prop::sample::Index>(),
            with in any::<u8>(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = filled(folder.path(), 6);
            let mut bytes = std::fs::read(&path).unwrap();
            let place = at.index(bytes.len());
            bytes[place] ^= with;
            bytes.truncate(cut.index(bytes.len() + 1));
            std::fs::write(&path, &bytes).unwrap();
            let mut cache = VectorCache::open(Some(folder.path()), [7; 16], 3).unwrap();
            for n in 0..6 {
                if let Some(vector) = cache.get(&[n; 16]) {
                    prop_assert_eq!(vector, vec![f32::from(n), 0.5, -1.0]);
                }
            }
            // It goes on from there.
            cache.add([9; 16], vec![9.0; 3]);
            cache.save().unwrap();
            let again = VectorCache::open(Some(folder.path()), [7; 16], 3).unwrap();
            prop_assert_eq!(again.get(&[9; 16]), Some(vec![9.0; 3]));
            prop_assert_eq!(again.len(), cache.len());
        }
    }
}

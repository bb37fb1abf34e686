//! A folder of Parquet files, as programs that write in parallel leave it: its parts, one behind the
//! other in the order of their names, as if they were one file.
//!
//! What begins with a dot or `_` is the writer's own (`_SUCCESS`, `_temporary`) and passed over, as
//! linked folders are. The head of every part is read before anything starts.

use std::path::{Path, PathBuf};
use std::{fs, io};

use sage_dsl::plan::{SourcePlan, lookup};
use sage_dsl::types::Value;

use super::reader;
use crate::error::DataflowError;
use crate::sources::{Batch, Source, broken};

/// Most parts; more are another folder than was meant.
const MOST: usize = 10_000;
/// Folders nested deeper than this are no parts of a table.
const MOST_DEEP: usize = 8;

struct Parts {
    plan: SourcePlan,
    files: std::vec::IntoIter<PathBuf>,
    current: Option<Box<dyn Source>>,
    /// Whether that one has ended.
    ended: bool,
}

/// Open the parts in a folder.
pub(super) fn open(plan: &SourcePlan, folder: &Path) -> Result<Box<dyn Source>, DataflowError> {
    let shown = folder.display();
    if lookup(&plan.args, "reread").is_some_and(|value| *value != Value::Null) {
        let message = format!("`{shown}` is a folder, and `reread` is of one file");
        return Err(broken(plan, message));
    }
    let mut files = Vec::new();
    list(folder, MOST_DEEP, &mut files)
        .map_err(|error| broken(plan, format!("`{shown}` cannot be listed: {error}")))?;
    if files.len() > MOST {
        return Err(broken(plan, format!("`{shown}` has more than {MOST} Parquet files")));
    }
    if files.is_empty() {
        let message = format!("`{shown}` has no file that ends in .parquet");
        return Err(broken(plan, message));
    }
    for file in &files {
        reader::open(&part(plan, file))?;
    }
    Ok(Box::new(Parts {
        plan: plan.clone(),
        files: files.into_iter(),
        current: None,
        ended: false,
    }))
}

/// The same source with one file.
fn part(plan: &SourcePlan, file: &Path) -> SourcePlan {
    let path = Value::String(file.to_string_lossy().into_owned());
    SourcePlan { args: vec![("path".to_owned(), path)], ..plan.clone() }
}

fn list(folder: &Path, deep: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (name, path) = (entry.file_name(), entry.path());
        if name.as_encoded_bytes().starts_with(b".") || name.as_encoded_bytes().starts_with(b"_") {
            continue;
        }
        let named = path.extension().is_some_and(|it| it.eq_ignore_ascii_case("parquet"));
        if entry.file_type()?.is_dir() && deep > 0 {
            list(&path, deep - 1, files)?;
        } else if named && path.is_file() && name.to_str().is_some() {
            files.push(path);
        }
        if files.len() > MOST {
            break;
        }
    }
    Ok(())
}

impl Source for Parts {
    fn read(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, DataflowError> {
        loop {
            let Some(current) = self.current.as_mut().filter(|_| !self.ended) else {
                let Some(file) = self.files.next() else { return Ok(false) };
                self.current = Some(reader::open(&part(&self.plan, &file))?);
                self.ended = false;
                continue;
            };
            self.ended = !current.read(batch, rows)?;
            if !batch.rows.is_empty() || !batch.bad.is_empty() {
                return Ok(true);
            }
        }
    }

    fn place(&self) -> Option<String> {
        self.current.as_ref().and_then(|current| current.place())
    }
}

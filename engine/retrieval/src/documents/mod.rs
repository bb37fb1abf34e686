//! Document sources: what `index ... from KIND(...)` may name.
//!
//! One file a source and one line in [`DOCUMENTS`]. A source yields documents as named text fields;
//! turning those into the declared record is the caller's business, because only it knows the
//! types. Each document remembers where it came from, so that later errors can say so too. A bad
//! row is reported and left out; only a corpus with nothing but bad rows is an error.

mod chunk;
mod csv;
mod files;
mod front_matter;
mod html;
mod jsonl;
mod markdown;
mod split;
mod text;

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sage_dsl::catalog::Signature;
use sage_dsl::plan::lookup;
use sage_dsl::types::Value;

use crate::error::RetrievalError;

/// Open a file of documents. A pipe would be waited for, and a device may have no end.
fn open(path: &Path) -> Result<File, RetrievalError> {
    let metadata = fs::metadata(path).map_err(RetrievalError::io("open", path))?;
    if !metadata.is_file() && !metadata.is_dir() {
        let why = io::Error::other("it is a pipe or a device, not a file");
        return Err(RetrievalError::io("open", path)(why));
    }
    File::open(path).map_err(RetrievalError::io("open", path))
}

/// Every document source.
pub const DOCUMENTS: &[&DocumentSpec] =
    &[&csv::SPEC, &html::SPEC, &jsonl::SPEC, &markdown::SPEC, &text::SPEC];

/// Their signatures, for the checker's catalog.
pub const SIGNATURES: &[&Signature] = &[
    &csv::SPEC.signature,
    &html::SPEC.signature,
    &jsonl::SPEC.signature,
    &markdown::SPEC.signature,
    &text::SPEC.signature,
];

/// Arguments by parameter name, as the plan holds them.
pub type Arguments = [(String, Value)];

/// A document source.
#[derive(Debug)]
pub struct DocumentSpec {
    /// Name, summary, parameters.
    pub signature: Signature,
    /// Reads all documents; paths among the arguments are already resolved.
    pub read: fn(&Arguments) -> Result<Corpus, RetrievalError>,
}

/// What a source yields.
#[derive(Debug, Default)]
pub struct Corpus {
    /// Documents, in the order of files and lines.
    pub documents: Vec<Document>,
    /// What could not be read.
    pub bad_rows: Vec<BadRow>,
}

/// One document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Names and texts of its fields.
    pub fields: Vec<(String, String)>,
    /// Where it begins.
    pub place: Place,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// 1-based; 0 means the file as a whole.
    pub line: u32,
}

/// A row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Where it stands.
    pub place: Place,
    /// What is wrong with it.
    pub reason: String,
}

impl Document {
    /// Text of the field called `name`.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, text)| text.as_str())
    }
}

impl Corpus {
    /// Itself, unless there is nothing in it.
    fn checked(self, path: &Path, remedy: &'static str) -> Result<Self, RetrievalError> {
        match (self.documents.is_empty(), self.bad_rows.first()) {
            (false, _) => Ok(self),
            (true, None) => Err(RetrievalError::NoDocuments { path: path.to_owned(), remedy }),
            (true, Some(first)) => {
                Err(RetrievalError::AllBad { count: self.bad_rows.len(), first: first.to_string() })
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file.display()),
            line => write!(f, "{}:{line}", self.file.display()),
        }
    }
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// The document source called `name`.
pub fn find(name: &str) -> Option<&'static DocumentSpec> {
    DOCUMENTS.iter().copied().find(|spec| spec.signature.name == name)
}

/// The paths given for the argument `name`: one string or a list of them.
fn paths(
    args: &Arguments,
    name: &str,
    source_name: &'static str,
) -> Result<Vec<PathBuf>, RetrievalError> {
    let path = |value: &Value| match value {
        Value::String(text) => Some(PathBuf::from(text)),
        _ => None,
    };
    let paths = match lookup(args, name) {
        Some(Value::List(values)) => values.iter().map(path).collect(),
        Some(value) => path(value).map(|path| vec![path]),
        None => None,
    };
    paths
        .filter(|paths| !paths.is_empty())
        .ok_or(RetrievalError::Argument { source_name, expected: "a path as text" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_sorted_and_complete() {
        let names: Vec<_> = DOCUMENTS.iter().map(|spec| spec.signature.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        assert_eq!(names, SIGNATURES.iter().map(|s| s.name).collect::<Vec<_>>());
        assert!(find("markdown").is_some() && find("pdf").is_none());
    }

    #[test]
    fn a_missing_path_is_an_error() {
        for spec in DOCUMENTS {
            assert!(matches!((spec.read)(&[]), Err(RetrievalError::Argument { .. })));
            let name = spec.signature.params[0].name.to_owned();
            let nowhere = Value::String("/nowhere/at/all".into());
            let error = (spec.read)(&[(name, nowhere)]).unwrap_err();
            assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
        }
    }
}

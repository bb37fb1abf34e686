//! `csv(path)`: a header with field names, then one document a row.

use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use ::csv::{Reader, StringRecord};
use sage_core::unpack::Unpacked;
use sage_dsl::catalog::{Kind, Param, Signature};

use super::{BadRow, Corpus, Document, DocumentSpec, Place, open, paths};
use crate::error::RetrievalError;

pub(super) const SPEC: DocumentSpec = DocumentSpec {
    signature: Signature {
        name: "csv",
        summary: "documents from the rows of a CSV file with a header; a packed one is unpacked",
        params: &[Param { name: "path", kind: Kind::Path, default: None, doc: "the file" }],
        example: "csv(\"data/docs.csv\")",
        takes_fields: false,
    },
    read: |args| read(&paths(args, "path", "csv")?[0]),
};

fn read(path: &Path) -> Result<Corpus, RetrievalError> {
    let file = open(path)?;
    let unpacked = Unpacked::new(BufReader::new(file));
    let mut reader = Reader::from_reader(unpacked.map_err(RetrievalError::io("read", path))?);
    let name: Arc<Path> = path.into();
    let mut corpus = Corpus::default();
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => {
            corpus.bad_rows.push(bad(&name, 1, &error));
            return corpus.checked(path, "expected a header line");
        }
    };
    let mut row = StringRecord::new();
    loop {
        let line = reader.position().line() as u32;
        match reader.read_record(&mut row) {
            Ok(false) => break,
            Ok(true) => {
                let fields = header.iter().zip(&row).map(|(k, v)| (k.to_owned(), v.to_owned()));
                // The row's own position: blank lines before it are skipped by the reader.
                let line = row.position().map_or(line, |at| at.line() as u32);
                let place = Place { file: Arc::clone(&name), line };
                corpus.documents.push(Document { fields: fields.collect(), place });
            }
            Err(error) if error.is_io_error() => {
                let source = std::io::Error::other(error);
                return Err(RetrievalError::io("read", path)(source));
            }
            Err(error) => corpus.bad_rows.push(bad(&name, line, &error)),
        }
    }
    corpus.checked(path, "expected a header line and at least one row")
}

fn bad(file: &Arc<Path>, line: u32, error: &::csv::Error) -> BadRow {
    use ::csv::ErrorKind;
    let (at, reason) = match error.kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            (pos.as_ref(), format!("{len} fields where the header has {expected_len}"))
        }
        ErrorKind::Utf8 { pos, .. } => (pos.as_ref(), "not UTF-8".to_owned()),
        _ => (None, error.to_string()),
    };
    let line = at.map_or(line, |at| at.line() as u32);
    BadRow { place: Place { file: Arc::clone(file), line }, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_rows_survive_bad_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docs.csv");
        std::fs::write(&path, b"id,text\na,\"x, y\"\nb\nc,\xff\nd,z\n").unwrap();
        let corpus = read(&path).unwrap();
        let texts: Vec<_> = corpus.documents.iter().map(|d| d.field("text")).collect();
        assert_eq!(texts, [Some("x, y"), Some("z")]);
        let reasons: Vec<_> = corpus.bad_rows.iter().map(ToString::to_string).collect();
        assert!(reasons[0].ends_with("docs.csv:3: 1 fields where the header has 2"), "{reasons:?}");
        assert!(reasons[1].ends_with("docs.csv:4: not UTF-8"), "{reasons:?}");

        std::fs::write(&path, "id,text\n").unwrap();
        assert!(matches!(read(&path), Err(RetrievalError::NoDocuments { .. })));
    }
}

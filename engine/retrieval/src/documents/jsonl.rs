//! `jsonl(path)`: one JSON object a line, one document an object.
//!
//! Texts are taken as they are; other values keep their JSON form, for the record's types to read.

use std::io::{BufRead, BufReader};
use std::path::Path;

use sage_core::unpack::Unpacked;
use sage_dsl::catalog::{Kind, Param, Signature};
use serde_json::{Map, Value};

use super::{BadRow, Corpus, Document, DocumentSpec, Place, open, paths};
use crate::error::RetrievalError;

pub(super) const SPEC: DocumentSpec = DocumentSpec {
    signature: Signature {
        name: "jsonl",
        summary: "documents from a file with one JSON object a line; a packed one is unpacked",
        params: &[Param { name: "path", kind: Kind::Path, default: None, doc: "the file" }],
        example: "jsonl(\"data/docs.jsonl\")",
        takes_fields: false,
    },
    read: |args| read(&paths(args, "path", "jsonl")?[0]),
};

fn read(path: &Path) -> Result<Corpus, RetrievalError> {
    let file = open(path)?;
    let unpacked = Unpacked::new(BufReader::new(file));
    let mut reader = BufReader::new(unpacked.map_err(RetrievalError::io("read", path))?);
    let (mut corpus, mut row) = (Corpus::default(), Vec::new());
    let name = path.into();
    for line in 1.. {
        row.clear();
        let read = reader.read_until(b'\n', &mut row);
        if read.map_err(RetrievalError::io("read", path))? == 0 {
            break;
        }
        if row.trim_ascii().is_empty() {
            continue;
        }
        let place = Place { file: std::sync::Arc::clone(&name), line };
        match serde_json::from_slice::<Map<String, Value>>(&row) {
            Ok(object) => {
                let fields = object.into_iter().map(|(key, value)| (key, text_of(value)));
                corpus.documents.push(Document { fields: fields.collect(), place });
            }
            Err(error) => {
                // The parser counts lines within the row; only its column means something here.
                let column = error.column();
                let reason = format!("not a JSON object (at column {column})");
                corpus.bad_rows.push(BadRow { place, reason });
            }
        }
    }
    corpus.checked(path, "expected one JSON object a line")
}

fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_rows_survive_bad_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docs.jsonl");
        std::fs::write(&path, b"{\"id\":\"a\",\"n\":3}\n\n[1]\n\xff\n{\"id\":\"b\"}").unwrap();
        let corpus = read(&path).unwrap();
        let ids: Vec<_> = corpus.documents.iter().map(|d| d.field("id")).collect();
        assert_eq!(ids, [Some("a"), Some("b")]);
        assert_eq!(corpus.documents[0].field("n"), Some("3"));
        assert_eq!(corpus.documents[1].place.line, 5);
        assert_eq!(corpus.bad_rows.iter().map(|row| row.place.line).collect::<Vec<_>>(), [3, 4]);

        // As packed by `pzstd`, which begins with a frame to be passed over.
        let text = zstd::encode_all(&b"{\"id\":\"z\"}\n"[..], 1).unwrap();
        let packed = [&b"\x50\x2a\x4d\x18\x04\0\0\0abcd"[..], &text].concat();
        std::fs::write(&path, packed).unwrap();
        assert_eq!(read(&path).unwrap().documents[0].field("id"), Some("z"));

        std::fs::write(&path, "nonsense\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("docs.jsonl:1: not a JSON object"), "{error}");
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(read(&path), Err(RetrievalError::NoDocuments { .. })));
    }
}

//! `text(paths...)`: plain text files or folders of them, one document a passage.
//!
//! Passages are runs of whole paragraphs, numbered within their file; a plain text has no headings
//! that could name them.

use std::sync::Arc;

use sage_dsl::catalog::{Kind, Param, Signature};

use super::chunk::{CHUNK, Chunks, OVERLAP, SIZE};
use super::{Document, DocumentSpec, Place, files, paths};

pub(super) const SPEC: DocumentSpec = DocumentSpec {
    signature: Signature {
        name: "text",
        summary: "passages of text files (.txt), cut at blank lines",
        params: &[
            Param {
                name: "paths",
                kind: Kind::Paths,
                default: None,
                doc: "files, or folders that are searched for .txt files",
            },
            CHUNK,
            SIZE,
            OVERLAP,
        ],
        example: "text(\"data/notes\", chunk: sentences, size: 200 tokens, overlap: 30 tokens)",
        takes_fields: false,
    },
    read: |args| {
        let paths = paths(args, "paths", "text")?;
        let remedy = "expected text files (.txt) with at least one word";
        let chunks = Chunks::of(args);
        files::read_all(&paths, &["txt"], remedy, |name, file, text, corpus| {
            let passages = chunks.cut(text).into_iter().enumerate();
            corpus.documents.extend(passages.map(|(number, (line, passage))| Document {
                fields: vec![
                    ("id".into(), format!("{name}#{}", number + 1)),
                    ("title".into(), name.to_owned()),
                    ("text".into(), passage),
                    ("path".into(), name.to_owned()),
                ],
                place: Place { file: Arc::clone(file), line: line + 1 },
            }));
        })
    },
};

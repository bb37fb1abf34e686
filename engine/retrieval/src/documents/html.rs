//! `html(paths...)`: HTML pages or folders of them, one document a passage.
//!
//! What a reader would see of a page is a text, which is cut like any other; its title names all of
//! its passages, since a passage from the middle seldom says what it is about.

use std::sync::Arc;

use sage_core::text::page;
use sage_dsl::catalog::{Kind, Param, Signature};

use super::chunk::{CHUNK, Chunks, OVERLAP, SIZE};
use super::{Document, DocumentSpec, Place, files, paths};

/// Endings of files that are pages.
pub(super) const ENDINGS: &[&str] = &["html", "htm", "xhtml"];

pub(super) const SPEC: DocumentSpec = DocumentSpec {
    signature: Signature {
        name: "html",
        summary: "passages of what is to be read on HTML pages (.html), under the title of the page",
        params: &[
            Param {
                name: "paths",
                kind: Kind::Paths,
                default: None,
                doc: "files, or folders that are searched for .html, .htm and .xhtml files",
            },
            CHUNK,
            SIZE,
            OVERLAP,
        ],
        example: "html(\"site\")",
        takes_fields: false,
    },
    read: |args| {
        let paths = paths(args, "paths", "html")?;
        let remedy = "expected HTML pages (.html) with at least one word to be read";
        let chunks = Chunks::of(args);
        files::read_all(&paths, ENDINGS, remedy, |name, file, text, corpus| {
            let page = page(text);
            let title = if page.title.is_empty() { name } else { &page.title };
            let passages = chunks.cut(&page.text).into_iter().enumerate();
            corpus.documents.extend(passages.map(|(number, (_, passage))| Document {
                fields: vec![
                    ("id".into(), format!("{name}#{}", number + 1)),
                    ("title".into(), title.to_owned()),
                    ("text".into(), passage),
                    ("path".into(), name.to_owned()),
                ],
                // Lines of the text are not those of the file.
                place: Place { file: Arc::clone(file), line: 0 },
            }));
        })
    },
};

#[cfg(test)]
mod tests {
    use std::fs;

    use sage_dsl::types::Value;

    use crate::documents::{Corpus, find};

    fn read(kind: &str, path: &std::path::Path) -> Result<Corpus, String> {
        let path = Value::String(path.display().to_string());
        (find(kind).unwrap().read)(&[("paths".to_owned(), path)]).map_err(|error| error.to_string())
    }

    #[test]
    fn pages_are_what_a_reader_sees_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("b")).unwrap();
        fs::write(
            at("b/two.HTM"),
            "<title>Two &amp; more</title><style>p { color: red }</style>\
             <p>Pears ripen in autumn.<script>steal()</script><p>They keep for weeks.",
        )
        .unwrap();
        fs::write(at("one.html"), "<p>Apples are kept in the cellar.").unwrap();
        fs::write(at("none.html"), "<script>nothing()</script>").unwrap();
        fs::write(at("notes.txt"), "not a page").unwrap();
        let corpus = read("html", folder.path()).unwrap();
        let shown: Vec<_> = corpus
            .documents
            .iter()
            .map(|document| ["id", "title", "text"].map(|name| document.field(name).unwrap()))
            .collect();
        let two = "Pears ripen in autumn.\n\nThey keep for weeks.";
        assert_eq!(
            shown,
            [
                ["b/two.HTM#1", "Two & more", two],
                ["one.html#1", "one.html", "Apples are kept in the cellar."]
            ]
        );
        assert!(corpus.bad_rows.is_empty(), "{:?}", corpus.bad_rows);
    }

    #[test]
    fn a_page_is_not_taken_for_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        fs::write(&path, "<p>Apples are kept in the cellar.").unwrap();
        for kind in ["markdown", "text"] {
            let said = read(kind, &path).unwrap_err();
            assert!(said.contains("page.html") && said.contains("html("), "{said}");
        }
    }
}

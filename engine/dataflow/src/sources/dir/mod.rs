//! `dir`: the documents of a folder, a record each.
//!
//! Names are listed when the source is opened, and each file is read when its turn comes; so memory
//! does not grow with the folder. What cannot be read as a document is a bad row like any other.

mod document;
#[cfg(test)]
mod tests;
mod walk;

use std::path::PathBuf;

use sage_core::record::{Datum, pack, pack_value};
use sage_dsl::catalog::{Kind, Param, Signature};
use sage_dsl::plan::{SourcePlan, lookup};
use sage_dsl::types::{Field, Type, Value};

use self::document::{Document, Format};
use self::walk::{Found, TooMany, Walk};
use super::live::{ROUNDS, UNTIL_IDLE, WATCH};
use super::{BadRow, Batch, Source, SourceEntry, broken, is_watched, missing, text};
use crate::error::DataflowError;

pub(super) static ENTRY: SourceEntry = SourceEntry {
    signature: Signature {
        name: "dir",
        summary: "the documents of a folder and of those within it, a record for each file, with \
                  fields of these names: path, name, title, text, format (txt, md, html), size",
        params: &[
            Param {
                name: "path",
                kind: Kind::Path,
                default: None,
                doc: "the folder; hidden files and linked folders are passed over",
            },
            Param {
                name: "endings",
                kind: Kind::String,
                default: Some("\"txt md markdown html htm\""),
                doc: "endings of the files that are read, packed ones (`.gz`, `.zst`) among them",
            },
            Param {
                name: "largest",
                kind: Kind::Size,
                default: Some("16MiB"),
                doc: "a file that is larger, unpacked, is a bad row",
            },
            Param {
                name: "most",
                kind: Kind::Count(1, 10_000_000),
                default: Some("100000"),
                doc: "a folder with more files is an error",
            },
            WATCH,
            UNTIL_IDLE,
            ROUNDS,
        ],
        example: "source notes: Note from dir(\"notes\")",
        takes_fields: false,
    },
    open,
};

/// What a field of the record is filled with.
enum Fill {
    Path,
    Name,
    Title,
    Text,
    Format,
    Size,
    Default(Value),
    Null,
}

/// Fields that a document has.
const FIELDS: &str = "path, name, title, text, format and size";

struct Dir {
    fills: Vec<Fill>,
    key: Option<usize>,
    files: std::vec::IntoIter<Found>,
    largest: u64,
    /// Path of the one that was read last.
    last: PathBuf,
}

fn open(plan: &SourcePlan) -> Result<Box<dyn Source>, DataflowError> {
    let path = PathBuf::from(text(plan, "path").ok_or_else(|| broken(plan, "it names no folder"))?);
    let fills = plan.record.fields.iter().map(|field| fill(plan, field)).collect::<Result<_, _>>()?;
    let given = text(plan, "endings").unwrap_or("txt md markdown html htm");
    let endings: Vec<String> = given
        .split([' ', ','])
        .map(|ending| ending.trim_start_matches(['*', '.']).to_ascii_lowercase())
        .filter(|ending| !ending.is_empty())
        .collect();
    let number = |name: &str| lookup(&plan.args, name).and_then(Value::as_int);
    let most = number("most").and_then(|n| usize::try_from(n).ok()).unwrap_or(100_000);
    let largest = number("largest").and_then(|n| u64::try_from(n).ok()).unwrap_or(16 << 20);
    let shown = path.display();
    if std::fs::metadata(&path).is_ok_and(|it| !it.is_dir()) {
        let message = format!("`{shown}` is no folder; one file is read by `csv`, `jsonl` or an index");
        return Err(broken(plan, message));
    }
    let mut walk = Walk::new(&endings, most);
    match walk.folder(&path) {
        Err(error) => return Err(missing(plan, &path, &error)),
        Ok(Err(TooMany)) => {
            let message = format!(
                "`{shown}` has more than {most} files that end in {given}; read a part of it, or \
                 allow more by `most: {}`",
                most.saturating_mul(10)
            );
            return Err(broken(plan, message));
        }
        Ok(Ok(())) => {}
    }
    if walk.found.is_empty() && !is_watched(plan) {
        let message = format!(
            "`{shown}` has no file that ends in {given}; other endings are read by `endings: \"rst\"`"
        );
        return Err(broken(plan, message));
    }
    Ok(Box::new(Dir { fills, key: plan.key, files: walk.found.into_iter(), largest, last: PathBuf::new() }))
}

fn fill(plan: &SourcePlan, field: &Field) -> Result<Fill, DataflowError> {
    let ty = match &field.ty {
        Type::Optional(inner) => inner,
        other => other,
    };
    let (fill, fits, wants) = match field.name.as_str() {
        "path" => (Fill::Path, *ty == Type::String, "string"),
        "name" => (Fill::Name, *ty == Type::String, "string"),
        "title" => (Fill::Title, *ty == Type::String, "string"),
        "text" => (Fill::Text, *ty == Type::String, "string"),
        "size" => (Fill::Size, matches!(ty, Type::Size | Type::Int), "size or int"),
        "format" => {
            let knows_all = |variants: &[String]| {
                Format::WORDS.iter().all(|word| variants.iter().any(|it| it == word))
            };
            let fits = match ty {
                Type::Enum(it) => knows_all(&it.variants),
                other => *other == Type::String,
            };
            (Fill::Format, fits, "string, or an enum with html, md and txt")
        }
        _ => {
            return match (&field.default, &field.ty) {
                (Some(default), _) => Ok(Fill::Default(default.clone())),
                (None, Type::Optional(_)) => Ok(Fill::Null),
                _ => Err(broken(
                    plan,
                    format!(
                        "a document has no `{}` for {}; it has {FIELDS}. Rename the field or give it \
                         a default",
                        field.name, plan.record.name
                    ),
                )),
            };
        }
    };
    if fits {
        return Ok(fill);
    }
    let message = format!("`{}` of a document is {wants}, not {}", field.name, field.ty);
    Err(broken(plan, message))
}

impl Source for Dir {
    fn read(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, DataflowError> {
        for _ in 0..rows {
            let Some(found) = self.files.next() else { return Ok(false) };
            let read = match &found.trouble {
                Some(trouble) => Err(trouble.clone()),
                None => document::read(&found.path, self.largest),
            };
            self.last.clone_from(&found.path);
            match read {
                Ok(document) => batch.rows.push(|out| self.pack(out, &found, &document)),
                Err(reason) => {
                    let place = found.path.display().to_string();
                    let bad = BadRow::new(place, found.name.as_bytes(), reason);
                    batch.bad.push(bad.of(self.key_of(&found)));
                }
            }
        }
        Ok(true)
    }

    fn place(&self) -> Option<String> {
        Some(self.last.display().to_string())
    }
}

fn own_name(found: &Found) -> &str {
    found.name.rsplit('/').next().unwrap_or_default()
}

impl Dir {
    /// The key of a document that cannot be read, if its name is all that is needed.
    fn key_of(&self, found: &Found) -> Option<Vec<u8>> {
        // Trouble may be of a folder, with all that is in it.
        let fill = self.fills.get(self.key?).filter(|_| found.trouble.is_none())?;
        let mut key = Vec::new();
        match fill {
            Fill::Path => pack(&mut key, Datum::Str(&found.name)),
            Fill::Name => pack(&mut key, Datum::Str(own_name(found))),
            _ => return None,
        }
        Some(key)
    }

    fn pack(&self, out: &mut Vec<u8>, found: &Found, document: &Document) {
        for fill in &self.fills {
            let datum = match fill {
                Fill::Path => Datum::Str(&found.name),
                Fill::Name => Datum::Str(own_name(found)),
                Fill::Title => Datum::Str(&document.title),
                Fill::Text => Datum::Str(&document.text),
                Fill::Format => Datum::Str(document.format.word()),
                Fill::Size => Datum::Int(document.size as i64),
                Fill::Null => Datum::Null,
                Fill::Default(value) => {
                    pack_value(out, value);
                    continue;
                }
            };
            pack(out, datum);
        }
    }
}

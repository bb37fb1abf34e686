//! Files that a program names: results that could not be written, and data that has to be there.
//!
//! The names of results are known as soon as the program is read, so all of them are looked at
//! together, each where it is written. Whether a file of data exists is not for a compiler to find
//! out; its place in the text is handed out, so that who does can point at it.

use super::Checker;
use super::names::Decl;
use crate::ast::{Call, ExprKind};
use crate::catalog::{Kind, Param, Signature, is_place_of_run};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::lookup;
use crate::span::Span;
use crate::types::Value;

/// A file or folder of data that a program reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Where it is, as a run finds it.
    pub path: String,
    /// Where it is named in the program.
    pub span: Span,
    /// ``source `queries` ``.
    pub reader: String,
}

/// Who writes a file, and where it says so.
struct Writer {
    name: String,
    what: String,
    span: Span,
    is_measure: bool,
}

impl InputFile {
    /// Says that it cannot be read.
    pub fn unreadable(&self, why: &str) -> Diagnostic {
        let message = format!("{}: cannot open `{}`: {why}", self.reader, self.path);
        Diagnostic::error(codes::NO_INPUT, self.span, message)
            .help("paths are relative to the folder of the program, not to the current folder")
    }
}

impl Checker<'_> {
    /// Looks at the names of all files that sinks and `measure` blocks write.
    pub(crate) fn check_outlets(&mut self) {
        let mut writers = self.writers();
        writers.sort_by_key(|writer| writer.span);
        for (at, writer) in writers.iter().enumerate() {
            let name = &writer.name;
            let mut parts = name.split('/');
            let plain = !name.is_empty() && parts.all(|part| !["", ".", ".."].contains(&part));
            let of_run =
                is_place_of_run(name) || self.input.catalog.own_files.contains(&name.as_str());
            let packed = [".gz", ".zst"].iter().any(|end| name.to_lowercase().ends_with(end));
            // Figures are looked for beside the results, and not below them.
            let below = writer.is_measure && name.contains('/');
            if !plain || below {
                let message = if plain {
                    format!(
                        "`{name}` is no plain file name, as the figures of a `measure` block have"
                    )
                } else {
                    format!("`{name}` is no file within the output folder of a run")
                };
                let last = name.rsplit('/').find(|part| !["", ".", ".."].contains(part));
                let diagnostic = Diagnostic::error(codes::FILE_NAME, writer.span, message);
                self.report(diagnostic.help(match last {
                    Some(last) => format!(
                        "write `\"{last}\"`; the folder is chosen by `sage-flow run ... --out FOLDER`"
                    ),
                    None => "give a plain file name".to_owned(),
                }));
            } else if packed && writer.is_measure {
                let message = "the figures of a `measure` block are not packed";
                self.report(
                    Diagnostic::error(codes::FILE_NAME, writer.span, message)
                        .help("leave out the last ending, and pack the file after the run"),
                );
            } else if of_run {
                let message = format!("a run itself writes `{name}`");
                self.report(
                    Diagnostic::error(codes::FILE_NAME, writer.span, message)
                        .help(format!("choose another name, such as `\"{}\"`", other_name(name))),
                );
            } else if let Some(first) = writers[..at].iter().find(|other| other.name == *name) {
                let message = format!("{} writes `{name}`, too", first.what);
                self.report(
                    Diagnostic::error(codes::FILE_TWICE, writer.span, message)
                        .also(first.span, "named here first")
                        .help("each sink and each `measure` block writes a file of its own"),
                );
            }
        }
    }

    fn writers(&self) -> Vec<Writer> {
        let values = |name: &str| self.sinks.iter().find(|sink| sink.name == name);
        let sinks = self.names.values.iter().filter_map(|(name, (_, decl))| {
            let Decl::Sink(leaf) = decl else { return None };
            let text = lookup(&values(name)?.args, "path").and_then(Value::as_str)?;
            let (name, what) = (text.to_owned(), format!("sink `{name}`"));
            let mut places = places_of_files(&leaf.call, self.input.catalog.sinks, true);
            Some(Writer { name, what, span: places.pop()?, is_measure: false })
        });
        let measures = self.names.measures.iter().filter_map(|(_, block)| {
            let mut places = places_of_files(&block.to, self.input.catalog.sinks, true);
            let span = places.pop()?;
            // A param may give it, too, but then it is looked at when it is used.
            let name = text_at(&block.to, span)?;
            Some(Writer { name, what: "a `measure` block".to_owned(), span, is_measure: true })
        });
        sinks.chain(measures).collect()
    }

    /// Data that sources and indexes in use read.
    pub(crate) fn input_files(&self) -> Vec<InputFile> {
        let mut files = Vec::new();
        for (name, (_, decl)) in self.names.values.iter().filter(|it| self.used.contains(*it.0)) {
            let (leaf, word, known, args) = match decl {
                Decl::Source(leaf) => {
                    let Some(Some(plan)) = self.streams.get(*name) else { continue };
                    (leaf, "source", self.input.catalog.sources, &plan.args)
                }
                Decl::Index(leaf) => {
                    let found = self.indexes.iter().flatten().find(|plan| plan.name == **name);
                    let Some(plan) = found else { continue };
                    (leaf, "index", self.input.catalog.documents, &plan.args)
                }
                _ => continue,
            };
            let paths = args.iter().filter(|(name, _)| name == "path" || name == "paths");
            let paths = paths.flat_map(|(_, value)| match value {
                Value::List(items) => items.iter().filter_map(Value::as_str).collect(),
                value => value.as_str().into_iter().collect::<Vec<_>>(),
            });
            let places = places_of_files(&leaf.call, known, false);
            files.extend(paths.zip(places).map(|(path, span)| InputFile {
                path: path.to_owned(),
                span,
                reader: format!("{word} `{name}`"),
            }));
        }
        files
    }
}

/// `tasks.csv` as `my_tasks.csv`.
fn other_name(name: &str) -> String {
    format!("my_{}", name.rsplit('/').next().unwrap_or(name))
}

fn text_at(call: &Call, span: Span) -> Option<String> {
    let arg = call.args.iter().find(|arg| arg.value.span == span)?;
    match &arg.value.kind {
        ExprKind::Literal(Value::String(text)) => Some(text.clone()),
        _ => None,
    }
}

/// Where the files stand that a call names.
fn places_of_files(call: &Call, known: &[&'static Signature], results: bool) -> Vec<Span> {
    let Some(signature) = known.iter().find(|it| it.name == call.name.text) else {
        return Vec::new();
    };
    let Some(at) = signature.params.iter().position(|it| names_file(it, results)) else {
        return Vec::new();
    };
    let many = signature.params[at].kind == Kind::Paths;
    let named = |name: &str| name == signature.params[at].name;
    let args = call.args.iter().enumerate().filter(|(place, arg)| match &arg.name {
        Some(name) => named(&name.text),
        None => many || *place == at,
    });
    args.map(|(_, arg)| arg.value.span).collect()
}

/// Whether a parameter is the name of a file. Those of data are paths, those of results plain text;
/// a service has a `path`, too, which is neither.
fn names_file(param: &Param, results: bool) -> bool {
    param.name.starts_with("path") && (results || matches!(param.kind, Kind::Path | Kind::Paths))
}

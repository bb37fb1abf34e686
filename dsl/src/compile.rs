//! The one way in: text and its surroundings to plans and diagnostics.

use std::collections::HashMap;

use crate::ast;
use crate::catalog::Catalog;
use crate::check::{self, Inputs, Names};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::experiment::Experiment;
use crate::parse;
use crate::path;
use crate::plan::Plan;
use crate::span::{SourceMap, Span};

/// Files a program may consist of.
const MAX_FILES: usize = 64;
/// Findings shown of one program; more only bury the first.
const MAX_DIAGNOSTICS: usize = 200;

/// A program to compile, and everything outside of it that it may ask for.
pub struct Request<'a> {
    /// Path of the main file; paths in it are relative to its folder.
    pub path: &'a str,
    /// Text of the main file.
    pub text: &'a str,
    /// `--set name=value`. For a string param the value is taken as it is, else read as a literal.
    pub overrides: &'a [(String, String)],
    /// Environment variables, for `env(...)`.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Text of an imported file by its resolved path.
    pub load: &'a dyn Fn(&str) -> Result<String, String>,
    /// What the engine offers.
    pub catalog: &'a Catalog,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// A plan per flow of the main file, or of the imported files when it has none. Empty when
    /// there is an error.
    pub plans: Vec<Plan>,
    /// The experiments of the main file. Empty when there is an error.
    pub experiments: Vec<Experiment>,
    /// Errors and warnings, by place.
    pub diagnostics: Vec<Diagnostic>,
    /// The files, for showing places.
    pub sources: SourceMap,
}

impl Compiled {
    /// Whether there is an error.
    pub fn failed(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Compiles a program. All findings are reported at once; nothing is run and nothing is read but
/// through `request`.
pub fn compile(request: Request<'_>) -> Compiled {
    let mut sources = SourceMap::default();
    let mut diagnostics = Vec::new();
    let (files, imports) = load_all(&request, &mut sources, &mut diagnostics);
    let names = Names::gather(&files, &imports, &mut diagnostics);
    let has_flow = !names.flows.is_empty();
    let unread = names.is_poisoned("*");
    let input = Inputs {
        catalog: request.catalog,
        sources: &sources,
        overrides: request.overrides,
        env: request.env,
        incomplete: diagnostics.iter().any(Diagnostic::is_error),
    };
    // When the main file cannot be read at all, there is nothing to check against.
    let main_unread =
        files.first().is_some_and(|file| file.poisoned.iter().any(|name| name == "*"));
    let mut plans = Vec::new();
    if !main_unread {
        let (found, more) = check::check(input, names);
        plans = found;
        diagnostics.extend(more);
    }
    if !has_flow && !unread && !diagnostics.iter().any(Diagnostic::is_error) {
        let start = Span { file: 0, start: 0, end: 0 };
        diagnostics.push(
            Diagnostic::warning(codes::NO_FLOW, start, "the file has no flow")
                .help("a flow is `flow name { from source ... emit into sink }`"),
        );
    }
    tidy(&mut diagnostics);
    if diagnostics.iter().any(Diagnostic::is_error) {
        plans.clear();
    }
    Compiled { plans, experiments: Vec::new(), diagnostics, sources }
}

/// Sorts by place, drops what was said twice, and keeps the number readable.
fn tidy(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by_key(Diagnostic::span);
    diagnostics.dedup_by(|a, b| a.code == b.code && a.span() == b.span() && a.message == b.message);
    if diagnostics.len() > MAX_DIAGNOSTICS {
        // Errors go first into what is kept, or warnings could hide that there is one.
        diagnostics.sort_by_key(|diagnostic| !diagnostic.is_error());
        diagnostics.truncate(MAX_DIAGNOSTICS);
        diagnostics.sort_by_key(Diagnostic::span);
    }
}

/// The main file and everything it imports, each once; and who imports whom.
fn load_all(
    request: &Request<'_>,
    sources: &mut SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Vec<ast::File>, Vec<Vec<u32>>) {
    let mut numbers: HashMap<String, Option<u32>> = HashMap::new();
    let mut files = Vec::new();
    let mut imports: Vec<Vec<u32>> = Vec::new();
    let main = sources.add(request.path, request.text);
    numbers.insert(path::resolve("", request.path), Some(main));
    let mut next = 0;
    while next < sources.files.len() {
        let file = next as u32;
        let (mut tree, found) = parse::file(file, &sources.files[next].text);
        diagnostics.extend(found);
        let mut edges = Vec::new();
        for import in &tree.imports {
            let wanted = path::resolve(&sources.files[next].path, &import.text);
            if let Some(known) = numbers.get(&wanted) {
                edges.extend(*known);
                continue;
            }
            let loaded = if sources.files.len() < MAX_FILES {
                (request.load)(&wanted)
            } else {
                Err(format!("a program may have {MAX_FILES} files"))
            };
            let number = match loaded {
                Ok(text) => Some(sources.add(&wanted, &text)),
                Err(reason) => {
                    let message = format!("cannot read `{wanted}`: {reason}");
                    diagnostics.push(
                        Diagnostic::error(codes::IMPORT_FAILED, import.span, message)
                            .help("imports are relative to the folder of the importing file"),
                    );
                    None
                }
            };
            edges.extend(number);
            numbers.insert(wanted, number);
        }
        // What a missing file declares is unknown; uses of it are not reported.
        if tree.imports.iter().any(|import| {
            numbers.get(&path::resolve(&sources.files[next].path, &import.text)) == Some(&None)
        }) {
            tree.poisoned.push("*".to_owned());
        }
        files.push(tree);
        imports.push(edges);
        next += 1;
    }
    (files, imports)
}

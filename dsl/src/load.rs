//! The files of a program: the main one and everything it imports, each once.

use std::collections::HashMap;

use crate::ast::{self, Item};
use crate::codes;
use crate::compile::Request;
use crate::diagnostic::Diagnostic;
use crate::parse;
use crate::path;
use crate::span::{SourceMap, Span};

/// Files a program may consist of.
const MAX_FILES: usize = 64;

/// Trees of files by number, and who imports whom; the main file is the first.
pub(crate) struct Loaded {
    pub(crate) files: Vec<ast::File>,
    pub(crate) imports: Vec<Vec<u32>>,
}

impl Loaded {
    /// `main` and the files it imports, directly or not, in the order in which they would be loaded
    /// if it were the main file.
    pub(crate) fn program(&self, main: u32) -> Vec<u32> {
        let mut program = vec![main];
        let mut next = 0;
        while let Some(file) = program.get(next) {
            for import in &self.imports[*file as usize].clone() {
                if !program.contains(import) {
                    program.push(*import);
                }
            }
            next += 1;
        }
        program
    }

    /// Whether `file` declares a flow.
    pub(crate) fn has_flow(&self, file: u32) -> bool {
        self.flows(file).next().is_some()
    }

    /// Names of the flows that `file` declares.
    pub(crate) fn flows(&self, file: u32) -> impl Iterator<Item = &str> {
        self.files[file as usize].items.iter().filter_map(|item| match item {
            Item::Flow(flow) => Some(flow.name.text.as_str()),
            _ => None,
        })
    }

    /// Whether one of `program` declares a param called `name`.
    pub(crate) fn has_param(&self, program: &[u32], name: &str) -> bool {
        let items = program.iter().flat_map(|file| &self.files[*file as usize].items);
        let mut params = items.filter_map(|item| match item {
            Item::Param(param) => Some(&param.name.text),
            _ => None,
        });
        params.any(|param| param == name)
    }

    /// Whether `file` is of experiments on the flows of others.
    pub(crate) fn is_study(&self, file: u32) -> bool {
        self.files[file as usize].studies && !self.has_flow(file)
    }
}

/// Loads and parses all files; what is wrong with them is added to `diagnostics`.
pub(crate) fn load(
    request: &Request<'_>,
    sources: &mut SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) -> Loaded {
    let mut numbers: HashMap<String, Option<u32>> = HashMap::new();
    let mut files = Vec::new();
    let mut imports: Vec<Vec<u32>> = Vec::new();
    let mut places: Vec<Vec<(u32, Span)>> = Vec::new();
    let main = sources.add(request.path, request.text);
    numbers.insert(path::resolve("", request.path), Some(main));
    let mut next = 0;
    while next < sources.files.len() {
        let file = next as u32;
        let (mut tree, found) = parse::file(file, &sources.files[next].text);
        let empty = tree.items.is_empty() && tree.imports.is_empty() && !tree.edition;
        let foreign = next > 0 && empty && found.iter().any(Diagnostic::is_error);
        if foreign && let Some(span) = first_import(&places, file) {
            let message = format!("`{}` is no sage program", sources.files[next].path);
            diagnostics.push(Diagnostic::error(codes::IMPORT_FAILED, span, message).help(
                "a program begins with `sage 1`; data is read by a source, as in \
                 `source rows: Row from csv(\"rows.csv\")`",
            ));
            tree.poisoned.push("*".to_owned());
        } else {
            diagnostics.extend(found);
        }
        let mut edges = Vec::new();
        let mut written = Vec::new();
        for import in &tree.imports {
            let wanted = path::resolve(&sources.files[next].path, &import.text);
            if let Some(known) = numbers.get(&wanted) {
                edges.extend(*known);
                written.extend(known.map(|known| (known, import.span)));
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
            written.extend(number.map(|number| (number, import.span)));
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
        places.push(written);
        next += 1;
    }
    cycles(&places, sources, diagnostics);
    Loaded { files, imports }
}

/// Where a file is imported first.
fn first_import(places: &[Vec<(u32, Span)>], file: u32) -> Option<Span> {
    places.iter().flatten().find(|(to, _)| *to == file).map(|(_, span)| *span)
}

/// Says which imports lead back to a file that is being imported; `places[f]` are the imports of
/// file `f`.
fn cycles(places: &[Vec<(u32, Span)>], sources: &SourceMap, diagnostics: &mut Vec<Diagnostic>) {
    // The way from the main file to the one at hand: each file, and how many of its imports were
    // followed.
    let mut way: Vec<(u32, usize)> = vec![(0, 0)];
    let mut seen = vec![false; places.len()];
    while let Some((file, followed)) = way.last_mut() {
        let Some((to, span)) = places[*file as usize].get(*followed).copied() else {
            seen[*file as usize] = true;
            way.pop();
            continue;
        };
        *followed += 1;
        if let Some(from) = way.iter().position(|(file, _)| *file == to) {
            let round = way[from..].iter().map(|(file, _)| *file).chain([to]);
            let names: Vec<String> = round
                .filter_map(|file| sources.files.get(file as usize))
                .map(|file| format!("`{}`", file.path))
                .collect();
            let message = format!("files import each other: {}", names.join(" imports "));
            diagnostics.push(
                Diagnostic::error(codes::IMPORT_CYCLE, span, message)
                    .help("put what both need into a file of its own that both import"),
            );
        } else if !seen[to as usize] {
            way.push((to, 0));
        }
    }
}

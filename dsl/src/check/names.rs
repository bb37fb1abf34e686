//! The table of declarations over all files.
//!
//! A file that imports another (directly or through others) overrides it. Two files of which
//! neither imports the other must not declare the same name: nobody could say which is meant.

use std::collections::{BTreeMap, BTreeSet};

use crate::ast::{self, Item};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::study::Program;

/// Experiments of one file; each is held against each.
const MAX_EXPERIMENTS: usize = 256;
/// Tests of one file; each is a run.
const MAX_TESTS: usize = 256;

/// A declared value.
#[derive(Clone, Copy)]
pub(crate) enum Decl<'a> {
    Param(&'a ast::Param),
    Endpoint(&'a ast::Endpoint),
    Source(&'a ast::Leaf),
    Sink(&'a ast::Leaf),
    Index(&'a ast::Leaf),
    Prompt(&'a ast::Prompt),
    Fn(&'a ast::FnDef),
}

/// A declared type.
#[derive(Clone, Copy)]
pub(crate) enum TypeDecl<'a> {
    Record(&'a ast::TypeDef),
    Enum(&'a ast::EnumDef),
}

impl Decl<'_> {
    /// With its article.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Decl::Param(_) => "a param",
            Decl::Endpoint(_) => "an endpoint",
            Decl::Source(_) => "a source",
            Decl::Sink(_) => "a sink",
            Decl::Index(_) => "an index",
            Decl::Prompt(_) => "a prompt",
            Decl::Fn(_) => "a fn",
        }
    }
}

/// All declarations of a program.
#[derive(Default)]
pub(crate) struct Names<'a> {
    pub(crate) values: BTreeMap<&'a str, (Span, Decl<'a>)>,
    pub(crate) types: BTreeMap<&'a str, (Span, TypeDecl<'a>)>,
    pub(crate) flows: Vec<(u32, &'a ast::Flow)>,
    pub(crate) schedules: Vec<(u32, &'a ast::Block)>,
    pub(crate) slos: Vec<(u32, &'a ast::Slo)>,
    /// A file may have several.
    pub(crate) measures: Vec<(u32, &'a ast::Measure)>,
    /// Those of the main file; of imported files they are not run.
    pub(crate) experiments: Vec<&'a ast::Experiment>,
    /// Those of the main file.
    pub(crate) tests: Vec<&'a ast::Test>,
    pub(crate) poisoned: BTreeSet<&'a str>,
    /// The file that the program starts from.
    main: u32,
    reaches: Vec<Vec<bool>>,
}

impl<'a> Names<'a> {
    /// Gathers the declarations of `program`, files by their numbers, the main one first;
    /// `imports[f]` are the files that `f` imports.
    pub(crate) fn gather(
        files: &'a [ast::File],
        program: &[u32],
        imports: &[Vec<u32>],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Names<'a> {
        let main = program.first().copied().unwrap_or(0);
        let mut names = Names { reaches: reaches(imports), main, ..Names::default() };
        // Whoever imports another comes before it: what it declares is no clash of its imports.
        let reach = |file: &u32| {
            let row = names.reaches.get(*file as usize);
            row.map_or(0, |row| row.iter().filter(|reached| **reached).count())
        };
        let mut ordered: Vec<u32> = program.to_vec();
        ordered.sort_by_key(|file| std::cmp::Reverse(reach(file)));
        for number in &ordered {
            let Some(file) = files.get(*number as usize) else { continue };
            names.poisoned.extend(file.poisoned.iter().map(String::as_str));
            for item in &file.items {
                names.item(*number, item, diagnostics);
            }
        }
        let place = |wanted: u32| program.iter().position(|file| *file == wanted);
        names.flows.sort_by_key(|(file, _)| place(*file));
        names.schedules.sort_by_key(|(file, _)| place(*file));
        names.slos.sort_by_key(|(file, _)| place(*file));
        names.measures.sort_by_key(|(file, _)| place(*file));
        // Imported flows run only when the main file has none of its own.
        if names.flows.iter().any(|(file, _)| *file == main) {
            names.flows.retain(|(file, _)| *file == main);
            names.one_of_several(diagnostics);
        }
        names
    }

    /// Says so when the flows of the main file have a block of one import, and might as well have
    /// that of another.
    fn one_of_several(&self, diagnostics: &mut Vec<Diagnostic>) {
        let schedules = self.schedules.iter().map(|(file, block)| (*file, block.span)).collect();
        let slos = self.slos.iter().map(|(file, slo)| (*file, slo.span)).collect();
        let blocks: [(&str, Vec<(u32, Span)>); 2] = [("schedule", schedules), ("slo", slos)];
        for (word, found) in blocks {
            let [(first, used), rest @ ..] = found.as_slice() else { continue };
            let apart = |(file, _): &&(u32, Span)| !self.reaches[*first as usize][*file as usize];
            let Some((_, other)) = rest.iter().find(apart).filter(|_| *first != self.main) else {
                continue;
            };
            let message = format!("two imported files have a `{word}`, and the first is taken");
            diagnostics.push(
                Diagnostic::warning(codes::IMPORT_CONFLICT, *used, message)
                    .also(*other, "and here")
                    .help(format!("write a `{word}` into the importing file, which is then taken")),
            );
        }
    }

    fn item(&mut self, file: u32, item: &'a Item, diagnostics: &mut Vec<Diagnostic>) {
        match item {
            Item::Type(def) => {
                if wins(&self.reaches, &self.types, &def.name, diagnostics) {
                    self.types.insert(&def.name.text, (def.name.span, TypeDecl::Record(def)));
                }
            }
            Item::Enum(def) => {
                if wins(&self.reaches, &self.types, &def.name, diagnostics) {
                    self.types.insert(&def.name.text, (def.name.span, TypeDecl::Enum(def)));
                }
            }
            Item::Param(param) => self.value(&param.name, Decl::Param(param), diagnostics),
            Item::Endpoint(it) => self.value(&it.name, Decl::Endpoint(it), diagnostics),
            Item::Source(leaf) => self.value(&leaf.name, Decl::Source(leaf), diagnostics),
            Item::Sink(leaf) => self.value(&leaf.name, Decl::Sink(leaf), diagnostics),
            Item::Index(leaf) => self.value(&leaf.name, Decl::Index(leaf), diagnostics),
            Item::Prompt(it) => self.value(&it.name, Decl::Prompt(it), diagnostics),
            Item::Fn(def) => self.value(&def.name, Decl::Fn(def), diagnostics),
            Item::Flow(flow) => {
                let same = self
                    .flows
                    .iter()
                    .find(|(f, other)| *f == file && other.name.text == flow.name.text);
                if let Some((_, other)) = same {
                    diagnostics.push(twice(&flow.name, other.name.span));
                } else {
                    self.flows.push((file, flow));
                }
            }
            Item::Schedule(block) => {
                if let Some((_, other)) = self.schedules.iter().find(|(f, _)| *f == file) {
                    let message = "a file has one `schedule`";
                    let diagnostic = Diagnostic::error(codes::DECLARED_TWICE, block.span, message)
                        .also(other.span, "the first one");
                    diagnostics.push(diagnostic);
                } else {
                    self.schedules.push((file, block));
                }
            }
            Item::Slo(slo) => {
                if let Some((_, other)) = self.slos.iter().find(|(f, _)| *f == file) {
                    let message = "a file has one `slo`";
                    let diagnostic = Diagnostic::error(codes::DECLARED_TWICE, slo.span, message)
                        .also(other.span, "the first one");
                    diagnostics.push(diagnostic);
                } else {
                    self.slos.push((file, slo));
                }
            }
            Item::Measure(measure) => self.measures.push((file, measure)),
            Item::Experiment(it) if file == self.main => {
                let same = self.experiments.iter().find(|other| other.name.text == it.name.text);
                if let Some(other) = same {
                    diagnostics.push(twice(&it.name, other.name.span));
                } else if self.experiments.len() < MAX_EXPERIMENTS {
                    self.experiments.push(it);
                } else {
                    let message = format!("a file may have {MAX_EXPERIMENTS} experiments");
                    diagnostics.push(Diagnostic::error(codes::TOO_LARGE, it.name.span, message));
                }
            }
            Item::Test(it) if file == self.main => {
                let same = self.tests.iter().find(|other| other.name.text == it.name.text);
                if let Some(other) = same {
                    diagnostics.push(twice(&it.name, other.name.span));
                } else if self.tests.len() < MAX_TESTS {
                    self.tests.push(it);
                } else {
                    let message = format!("a file may have {MAX_TESTS} tests");
                    diagnostics.push(Diagnostic::error(codes::TOO_LARGE, it.name.span, message));
                }
            }
            Item::Experiment(_) | Item::Test(_) => {}
        }
    }

    fn value(&mut self, name: &'a ast::Name, decl: Decl<'a>, diagnostics: &mut Vec<Diagnostic>) {
        if wins(&self.reaches, &self.values, name, diagnostics) {
            self.values.insert(&name.text, (name.span, decl));
        }
    }

    /// Leaves what the experiments of a file without flows can use: params, functions and enums.
    /// What else the file declares says nothing to anybody, nor does a param of the jobs' programs.
    pub(crate) fn keep_for_study(
        &mut self,
        programs: &[Program],
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let mut dropped: Vec<(Span, &str, bool)> = Vec::new();
        self.values.retain(|name, (span, decl)| {
            let of_jobs =
                programs.iter().any(|it| it.params.iter().any(|(param, _)| param == name));
            let keep = match decl {
                Decl::Param(_) => !of_jobs,
                Decl::Fn(_) => true,
                _ => false,
            };
            if !keep {
                dropped.push((*span, name, matches!(decl, Decl::Param(_))));
            }
            keep
        });
        self.types.retain(|_, (_, decl)| matches!(decl, TypeDecl::Enum(_)));
        dropped.extend(self.schedules.drain(..).map(|(_, block)| (block.span, "schedule", false)));
        dropped.extend(self.slos.drain(..).map(|(_, slo)| (slo.span, "slo", false)));
        dropped.extend(self.measures.drain(..).map(|(_, it)| (it.span, "measure", false)));
        for (span, name, param) in dropped {
            let message = format!("`{name}` has no effect on the jobs of the experiments");
            let help = if param {
                format!("it is a param of their programs: set `{name}: ...` in the experiment")
            } else {
                "each job is compiled from the file of its flow; write it there, or in a file that \
                 imports the pipeline and is imported here"
                    .to_owned()
            };
            diagnostics.push(Diagnostic::warning(codes::BESIDE, span, message).help(help));
        }
    }

    /// The schedule for a flow of `file`: that of the main file, else its own, else an imported one.
    pub(crate) fn schedule(&self, file: u32) -> Option<&'a ast::Block> {
        self.nearest(&self.schedules, file)
    }

    /// The objectives of a flow of `file`, chosen in the same way.
    pub(crate) fn slo(&self, file: u32) -> Option<&'a ast::Slo> {
        self.nearest(&self.slos, file)
    }

    /// What is measured of a flow of `file`: all blocks of the file whose are chosen in the same way.
    pub(crate) fn measures(&self, file: u32) -> Vec<Span> {
        let files: Vec<(u32, u32)> = self.measures.iter().map(|(file, _)| (*file, *file)).collect();
        let chosen = self.nearest(&files, file);
        let blocks = self.measures.iter().filter(|(file, _)| Some(*file) == chosen);
        blocks.map(|(_, block)| block.span).collect()
    }

    fn nearest<T: Copy>(&self, found: &[(u32, T)], file: u32) -> Option<T> {
        let of = |wanted: u32| found.iter().find(|(f, _)| *f == wanted);
        let imported = || found.iter().find(|(f, _)| self.reaches[file as usize][*f as usize]);
        of(self.main).or_else(|| of(file)).or_else(imported).map(|(_, it)| *it)
    }

    /// Whether nothing can be concluded from the absence of `name`.
    pub(crate) fn is_poisoned(&self, name: &str) -> bool {
        self.poisoned.contains(name) || self.poisoned.contains("*")
    }
}

/// Whether a declaration takes its place in `table`.
fn wins<D>(
    reaches: &[Vec<bool>],
    table: &BTreeMap<&str, (Span, D)>,
    name: &ast::Name,
    diagnostics: &mut Vec<Diagnostic>,
) -> bool {
    let Some((before, _)) = table.get(name.text.as_str()) else { return true };
    let (old, new) = (before.file as usize, name.span.file as usize);
    if old == new {
        diagnostics.push(twice(name, *before));
        return false;
    }
    if reaches[new][old] && !reaches[old][new] {
        return true;
    }
    if !reaches[old][new] {
        let message = format!("two imported files declare `{}`", name.text);
        diagnostics.push(
            Diagnostic::error(codes::IMPORT_CONFLICT, *before, message)
                .also(name.span, "and here")
                .help(format!("declare `{}` in the importing file, or rename one", name.text)),
        );
    }
    false
}

fn twice(name: &ast::Name, before: Span) -> Diagnostic {
    let message = format!("`{}` is declared twice", name.text);
    Diagnostic::error(codes::DECLARED_TWICE, name.span, message).also(before, "first declared here")
}

/// `reaches[f][g]`: `f` imports `g`, directly or not.
fn reaches(imports: &[Vec<u32>]) -> Vec<Vec<bool>> {
    let count = imports.len();
    let mut table = vec![vec![false; count]; count];
    for (from, row) in table.iter_mut().enumerate() {
        let mut todo = imports[from].clone();
        while let Some(next) = todo.pop() {
            if !std::mem::replace(&mut row[next as usize], true) {
                todo.extend(&imports[next as usize]);
            }
        }
    }
    table
}

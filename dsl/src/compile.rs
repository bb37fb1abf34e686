//! The one way in: text and its surroundings to plans and diagnostics.

use std::collections::HashSet;

use crate::catalog::Catalog;
use crate::check::{self, InputFile, Inputs, Names};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::experiment::Experiment;
use crate::load::{self, Loaded};
use crate::plan::Plan;
use crate::rename;
use crate::span::{SourceMap, Span};
use crate::study;
use crate::suggest;
use crate::testing::Test;
use crate::types::Type;

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
    /// The same plans as they are written, before the rules of [`crate::rewrite`]. Empty where the
    /// plans are those of imported programs.
    pub written: Vec<Plan>,
    /// The experiments of the main file. Empty when there is an error.
    pub experiments: Vec<Experiment>,
    /// The tests of the main file. Empty when there is an error.
    pub tests: Vec<Test>,
    /// Data that its sources and indexes read, whether it is there or not. Empty when there is an
    /// error.
    pub inputs: Vec<InputFile>,
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
    let loaded = load::load(&request, &mut sources, &mut diagnostics);
    loaded_program(&request, &loaded, sources, diagnostics, None)
}

/// Compiles what was loaded. With `seen`, the types of all expressions are put there.
pub(crate) fn loaded_program(
    request: &Request<'_>,
    loaded: &Loaded,
    sources: SourceMap,
    mut diagnostics: Vec<Diagnostic>,
    seen: Option<&mut Vec<(Span, Type)>>,
) -> Compiled {
    let studied = study::programs(loaded, request, &sources, &mut diagnostics);
    let alone = loaded.is_study(0);
    let program = if alone { vec![0] } else { loaded.program(0) };
    let mut names = Names::gather(&loaded.files, &program, &loaded.imports, &mut diagnostics);
    if alone {
        names.keep_for_study(&studied, &mut diagnostics);
    }
    let nothing = names.flows.is_empty() && !loaded.files[0].studies;
    let unread = names.is_poisoned("*");
    let overrides = study::own_overrides(request.overrides, &studied, loaded, &program);
    let input = Inputs {
        catalog: request.catalog,
        sources: &sources,
        overrides: &overrides,
        env: request.env,
        incomplete: diagnostics.iter().any(Diagnostic::is_error),
        watched: seen.is_some() || diagnostics.iter().any(rename::renames),
    };
    // When the main file cannot be read at all, there is nothing to check against.
    let main_unread =
        loaded.files.first().is_some_and(|file| file.poisoned.iter().any(|name| name == "*"));
    let study_read = alone && !loaded.files[0].items.is_empty();
    let mut plans = Vec::new();
    let mut written = Vec::new();
    let mut experiments = Vec::new();
    let mut tests = Vec::new();
    let mut inputs = Vec::new();
    if !main_unread || study_read {
        let checked = check::check(input, names, &studied);
        plans = checked.plans;
        written = checked.written;
        experiments = checked.experiments;
        tests = checked.tests;
        inputs = checked.inputs;
        diagnostics.extend(checked.diagnostics);
        if diagnostics.iter().any(rename::renames) {
            rename::complete(&mut diagnostics, loaded, &sources, &checked.seen);
        }
        if let Some(seen) = seen {
            *seen = checked.seen;
        }
    }
    if alone {
        written.clear();
        plans = studied.into_iter().filter(|it| it.direct).flat_map(|it| it.plans).collect();
    }
    if nothing && !unread && !diagnostics.iter().any(Diagnostic::is_error) {
        // Others may import it, and use all that it declares.
        diagnostics.retain(|found| found.code != codes::UNUSED);
        let start = Span { file: 0, start: 0, end: 0 };
        diagnostics.push(
            Diagnostic::warning(codes::NO_FLOW, start, "the file has no flow")
                .help("it can be imported, but not run; a flow is `flow name { from source ... emit into sink }`"),
        );
    }
    diagnostics.iter_mut().for_each(|found| suggest::offer_fix(found, &sources));
    tidy(&mut diagnostics);
    if diagnostics.iter().any(Diagnostic::is_error) {
        plans.clear();
        written.clear();
        experiments.clear();
        tests.clear();
        inputs.clear();
    }
    Compiled { plans, written, experiments, tests, inputs, diagnostics, sources }
}

/// Sorts by place, drops what was said twice, and keeps the number readable.
pub(crate) fn tidy(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by_key(Diagnostic::span);
    let mut said = HashSet::new();
    diagnostics.retain(|it| {
        // Of one place the parser may say two things; the second is what came of the first.
        let (span, message) = match it.span() {
            Some(span) if it.code == codes::UNEXPECTED => {
                (Some(Span { end: span.start, ..span }), String::new())
            }
            span => (span, it.message.clone()),
        };
        said.insert((it.code, span, message))
    });
    if diagnostics.len() > MAX_DIAGNOSTICS {
        // Errors go first into what is kept, or warnings could hide that there is one.
        diagnostics.sort_by_key(|diagnostic| !diagnostic.is_error());
        diagnostics.truncate(MAX_DIAGNOSTICS);
        diagnostics.sort_by_key(Diagnostic::span);
    }
}

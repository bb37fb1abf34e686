//! The programs that a file with experiments draws its jobs from.
//!
//! **Each is a program of its own**, checked as if it were the main file. Pipelines that declare
//! the same names can therefore be compared in one experiment, and a job means what it means when
//! its file is run alone.

use std::collections::BTreeSet;

use crate::ast::{File, Item, Part, Point};
use crate::check::{self, Inputs, Names};
use crate::compile::Request;
use crate::diagnostic::Diagnostic;
use crate::load::Loaded;
use crate::plan::Plan;
use crate::span::SourceMap;
use crate::types::Type;

/// A program with flows that may be jobs.
#[derive(Debug, Default)]
pub(crate) struct Program {
    /// Path of its main file.
    pub(crate) path: String,
    pub(crate) flows: Vec<String>,
    pub(crate) params: Vec<(String, Type)>,
    /// Plans of its flows.
    pub(crate) plans: Vec<Plan>,
    /// Imported by the file of the experiments itself, not through another.
    pub(crate) direct: bool,
    /// Part of it could not be read: what is absent may be there.
    pub(crate) incomplete: bool,
}

/// Checks the programs that the experiments of the main file may run. Their errors are reported;
/// their warnings are for whoever checks them alone.
pub(crate) fn programs(
    loaded: &Loaded,
    request: &Request<'_>,
    sources: &SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Program> {
    if !loaded.files[0].studies {
        return Vec::new();
    }
    let mut mains: Vec<(u32, bool)> = Vec::new();
    let mut seen = vec![0];
    let mut todo: Vec<u32> = loaded.imports[0].iter().rev().copied().collect();
    while let Some(file) = todo.pop() {
        if seen.contains(&file) {
            continue;
        }
        seen.push(file);
        if loaded.is_study(file) {
            todo.extend(loaded.imports[file as usize].iter().rev());
        } else if loaded.program(file).iter().any(|file| loaded.has_flow(*file)) {
            mains.push((file, true));
        }
    }
    let known: BTreeSet<&str> =
        mains.iter().flat_map(|(main, _)| flows(loaded, *main)).chain(loaded.flows(0)).collect();
    let wanted = wanted(&loaded.files[0]);
    for file in 1..loaded.files.len() as u32 {
        let mut declared = loaded.flows(file);
        if declared.any(|flow| wanted.contains(flow) && !known.contains(flow)) {
            mains.push((file, false));
        }
    }
    mains
        .into_iter()
        .map(|(main, direct)| Program {
            direct,
            ..program(main, loaded, request, sources, diagnostics)
        })
        .collect()
}

/// Flows of the program that starts with `main`: its own, or those it imports if it has none.
fn flows(loaded: &Loaded, main: u32) -> Vec<&str> {
    if loaded.has_flow(main) {
        return loaded.flows(main).collect();
    }
    loaded.program(main).into_iter().flat_map(|file| loaded.flows(file)).collect()
}

/// Names of flows that experiments run.
fn wanted(file: &File) -> BTreeSet<&str> {
    let experiments = file.items.iter().filter_map(|item| match item {
        Item::Experiment(experiment) => Some(experiment),
        _ => None,
    });
    let mut names = BTreeSet::new();
    for part in experiments.flat_map(|experiment| &experiment.parts) {
        match part {
            Part::Jobs(_, jobs) => names.extend(jobs.iter().map(|job| job.flow.text.as_str())),
            Part::Sweep(sweep) if sweep.key.text == "jobs" => {
                for point in &sweep.points {
                    if let Point::Value(value) = point {
                        names.extend(value.names());
                    }
                }
            }
            _ => {}
        }
    }
    names
}

fn program(
    main: u32,
    loaded: &Loaded,
    request: &Request<'_>,
    sources: &SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) -> Program {
    let files = loaded.program(main);
    let mut found = Vec::new();
    let mut names = Names::gather(&loaded.files, &files, &loaded.imports, &mut found);
    // They are run where they stand.
    names.experiments.clear();
    names.tests.clear();
    let inside = |it: &Diagnostic| it.span().is_some_and(|span| files.contains(&span.file));
    let broken = diagnostics.iter().any(|it| it.is_error() && inside(it));
    let flows = names.flows.iter().map(|(_, flow)| flow.name.text.clone()).collect();
    let overrides: Vec<(String, String)> = request
        .overrides
        .iter()
        .filter(|(name, _)| loaded.has_param(&files, name))
        .cloned()
        .collect();
    let input = Inputs {
        catalog: request.catalog,
        sources,
        overrides: &overrides,
        env: request.env,
        incomplete: broken,
        watched: false,
    };
    let unread = files.iter().any(|file| !loaded.files[*file as usize].poisoned.is_empty());
    let checked = check::check(input, names, &[]);
    found.extend(checked.diagnostics);
    diagnostics.extend(found.into_iter().filter(Diagnostic::is_error));
    Program {
        path: sources.files[main as usize].path.clone(),
        flows,
        params: checked.params,
        plans: checked.plans,
        direct: true,
        incomplete: unread,
    }
}

/// Overrides that the main program has to know: those that no program of a job knows alone.
pub(crate) fn own_overrides(
    overrides: &[(String, String)],
    studied: &[Program],
    loaded: &Loaded,
    program: &[u32],
) -> Vec<(String, String)> {
    let elsewhere =
        |name: &str| studied.iter().any(|it| it.params.iter().any(|(param, _)| param == name));
    overrides
        .iter()
        .filter(|(name, _)| loaded.has_param(program, name) || !elsewhere(name))
        .cloned()
        .collect()
}

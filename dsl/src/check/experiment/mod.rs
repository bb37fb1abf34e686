//! Experiments: jobs, settings, sweeps and claims, checked against the programs they run.
//!
//! What can be said without running anything is said here: whether a flow exists, whether a param
//! takes a value, whether a claim names a column and a point. An experiment that passes runs for
//! minutes or hours; none of that time may end in a misspelt name.

mod arrivals;
mod consistent;
mod effect;
mod failures;
mod job;
mod label;
mod quick;
mod setting;
mod sweep;
mod value;

use super::Checker;
use crate::ast::{self, ExprKind, Part};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::experiment::{Backend, Claim, Experiment, Setting};
use crate::span::Span;
use crate::study::Program;
use crate::suggest::{self, did_you_mean};

use job::JobDraft;
pub(crate) use label::Labels;
use quick::Quick;
use sweep::SweepDraft;

/// Most runs of one combination.
const MAX_REPEAT: u32 = 1_000;

/// A setting and where it stands.
#[derive(Clone)]
struct Placed {
    setting: Setting,
    key: Span,
    value: Span,
}

/// An experiment as far as it is checked.
#[derive(Default)]
struct Draft {
    jobs: Vec<JobDraft>,
    settings: Vec<Placed>,
    sweeps: Vec<SweepDraft>,
    quick: Quick,
    repeat: u32,
    seed: u64,
    backends: Vec<Backend>,
    /// A part could not be read: what is absent may be that one.
    broken: bool,
    /// An error was found in it.
    failed: bool,
}

impl<'a> Checker<'a> {
    /// The program that the flows of the main file are.
    pub(crate) fn own_program(&self) -> Option<Program> {
        if self.names.experiments.is_empty() || self.names.flows.is_empty() {
            return None;
        }
        Some(Program {
            path: self.main_path().to_owned(),
            flows: self.names.flows.iter().map(|(_, flow)| flow.name.text.clone()).collect(),
            direct: true,
            incomplete: !self.names.poisoned.is_empty(),
            ..Program::default()
        })
    }

    fn main_path(&self) -> &str {
        self.input.sources.files.first().map_or("", |file| file.path.as_str())
    }

    /// Checks the experiments of the main file; those without an error.
    pub(crate) fn experiments(&mut self, programs: &[&Program]) -> Vec<Experiment> {
        let written = std::mem::take(&mut self.names.experiments);
        written.into_iter().filter_map(|it| self.experiment(it, programs)).collect()
    }

    fn experiment(
        &mut self,
        written: &'a ast::Experiment,
        programs: &[&Program],
    ) -> Option<Experiment> {
        let before = self.diagnostics.len();
        let mut draft = Draft { broken: written.broken, repeat: 1, ..Draft::default() };
        draft.jobs = self.jobs(written, programs);
        let mut used: Vec<&Program> = Vec::new();
        for job in &draft.jobs {
            used.extend(job.program.and_then(|at| programs.get(at)).copied());
        }
        let (mut baseline, mut report) = (None, Vec::new());
        for entry in self.entries(&written.parts) {
            let value = &entry.value;
            match entry.key.text.as_str() {
                "jobs" => {}
                "repeat" => {
                    draft.repeat = self.count("repeat", value, 1, MAX_REPEAT).unwrap_or(1);
                }
                "seed" => draft.seed = self.whole("seed", value, 0, i64::MAX as u64).unwrap_or(0),
                "baseline" => baseline = Some(value),
                "report" => report = self.report_columns(value),
                "backends" => draft.backends = self.backends(value),
                _ => {
                    let place = setting::Place::Experiment;
                    draft.settings.extend(self.placed(entry, place, &used));
                }
            }
        }
        draft.sweeps = self.sweeps(&written.parts, &draft.jobs, &used);
        draft.quick = self.quick(&written.parts, &draft, &used);
        let labels = Labels::new(&draft);
        let baseline = baseline.and_then(|value| self.baseline(value, &labels));
        let claims = self.claims(&written.parts, &labels);
        draft.failed = self.diagnostics[before..].iter().any(Diagnostic::is_error);
        self.consistent(&written.name, &draft);
        self.endpoints_are_called(&draft, programs);
        let mut named = report.clone();
        for (claim, span) in &claims {
            let mut columns = Vec::new();
            effect::columns(&claim.condition, &mut columns);
            named.extend(columns.into_iter().map(|column| (column, *span)));
        }
        self.columns_exist(&draft, &named);
        let good = self.diagnostics[before..].iter().all(|it| !it.is_error());
        good.then(|| Experiment {
            name: written.name.text.clone(),
            summary: self.summary(written.name.span),
            file: self.main_path().to_owned(),
            line: self.line(written.name.span),
            jobs: draft.jobs.into_iter().map(JobDraft::finish).collect(),
            settings: draft.settings.into_iter().map(|it| it.setting).collect(),
            sweeps: draft.sweeps.into_iter().map(SweepDraft::finish).collect(),
            repeat: draft.repeat,
            seed: draft.seed,
            baseline,
            report: report.into_iter().map(|(column, _)| column).collect(),
            claims: claims.into_iter().map(|(claim, _)| claim).collect(),
            backends: draft.backends,
            quick: draft.quick.settings.into_iter().map(|it| it.setting).collect(),
            quick_repeat: draft.quick.repeat,
            quick_points: draft.quick.points,
        })
    }

    /// Entries of the experiment itself, each name once.
    fn entries(&mut self, parts: &'a [Part]) -> Vec<&'a ast::Entry> {
        let mut entries: Vec<&ast::Entry> = Vec::new();
        for part in parts {
            let Part::Setting(entry) = part else { continue };
            let name = setting::canonical(&entry.key.text);
            let same = entries.iter().find(|other| setting::canonical(&other.key.text) == name);
            if let Some(before) = same {
                let message = format!("`{}` is given twice", entry.key.text);
                let diagnostic = Diagnostic::error(codes::TWICE, entry.key.span, message)
                    .also(before.key.span, "first given here");
                self.report(diagnostic);
            } else {
                entries.push(entry);
            }
        }
        entries
    }

    fn report_columns(&mut self, written: &ast::Expr) -> Vec<(String, Span)> {
        let ExprKind::List(items) = &written.kind else {
            self.not_a_list("`report`", written, "report: [throughput, latency_p99_ms]");
            return Vec::new();
        };
        if items.is_empty() {
            self.not_a_list("`report`", written, "report: [throughput, latency_p99_ms]");
        }
        let mut columns: Vec<(String, Span)> = Vec::new();
        for item in items {
            let found = match &item.kind {
                ExprKind::Name(name) => {
                    self.column_named(&ast::Name { text: name.clone(), span: item.span })
                }
                ExprKind::Call(call) => {
                    let found = self.statistic(call).map(|(column, _)| column);
                    if found.is_none() {
                        self.no_statistic(call);
                    }
                    found
                }
                ExprKind::Bad => None,
                _ => {
                    let message = "a report shows columns of the results";
                    self.report(
                        Diagnostic::error(codes::UNKNOWN_COLUMN, item.span, message)
                            .help("as in `report: [throughput, latency_p99_ms]`"),
                    );
                    None
                }
            };
            let Some(found) = found else { continue };
            if columns.iter().any(|(other, _)| other == found) {
                let message = format!("`{found}` is in the report already");
                self.report(Diagnostic::error(codes::TWICE, item.span, message));
            } else {
                columns.push((found.to_owned(), item.span));
            }
        }
        columns
    }

    fn backends(&mut self, written: &ast::Expr) -> Vec<Backend> {
        let mut backends = Vec::new();
        let names: Vec<&ast::Expr> = match &written.kind {
            ExprKind::List(items) if !items.is_empty() => items.iter().collect(),
            _ => {
                self.not_a_list("`backends`", written, "backends: [twin, sim]");
                return backends;
            }
        };
        for item in names {
            let word = match &item.kind {
                ExprKind::Name(name) => name.as_str(),
                _ => "",
            };
            let words = || Backend::ALL.iter().map(|backend| backend.as_str());
            match Backend::parse(word) {
                Some(backend) if backends.contains(&backend) => {
                    let message = format!("`{word}` is given twice");
                    self.report(Diagnostic::error(codes::TWICE, item.span, message));
                }
                Some(backend) => backends.push(backend),
                None => {
                    let help = did_you_mean(word, words())
                        .unwrap_or_else(|| format!("there are {}", suggest::list(words())));
                    let message = "this is no backend";
                    self.report(
                        Diagnostic::error(codes::BAD_OPTION, item.span, message).help(help),
                    );
                }
            }
        }
        backends
    }

    fn claims(&mut self, parts: &[Part], labels: &Labels) -> Vec<(Claim, Span)> {
        let mut texts: Vec<&ast::Name> = Vec::new();
        let mut claims = Vec::new();
        for part in parts {
            let Part::Claim(claim) = part else { continue };
            if let Some(before) = texts.iter().find(|other| other.text == claim.text.text) {
                let message = "this is claimed twice";
                let diagnostic = Diagnostic::error(codes::TWICE, claim.text.span, message)
                    .also(before.span, "first claimed here")
                    .help("verdicts are told apart by the words of the claim");
                self.report(diagnostic);
            }
            texts.push(&claim.text);
            let found = self.claimed(Some(&claim.text.text), &claim.condition, Some(labels));
            claims.extend(found.map(|found| (found, claim.condition.span)));
        }
        claims
    }

    /// Says that a list is due, or that the list is empty.
    fn not_a_list(&mut self, what: &str, written: &ast::Expr, example: &str) {
        if matches!(written.kind, ExprKind::Bad) {
            return;
        }
        let empty = matches!(&written.kind, ExprKind::List(items) if items.is_empty());
        let message = if empty { format!("{what} is empty") } else { format!("{what} is a list") };
        let mut diagnostic = Diagnostic::error(codes::BAD_OPTION, written.span, message)
            .help(format!("as in `{example}`"));
        if matches!(written.kind, ExprKind::Name(_) | ExprKind::Call(_)) {
            let text = self.input.sources.text(written.span);
            diagnostic = diagnostic.fix(written.span, format!("[{text}]"));
        }
        self.report(diagnostic);
    }
}

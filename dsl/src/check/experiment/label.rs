//! Labels: what points of sweeps and jobs are called, and which of them a claim means.

use std::collections::HashMap;

use super::Draft;
use super::job::ALL;
use super::sweep::SweepDraft;
use crate::ast::{self, ExprKind};
use crate::check::Checker;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::experiment::Setting;
use crate::literal::show;
use crate::plan::BinaryOp;
use crate::suggest::{self, did_you_mean};
use crate::types::Value;

/// Labels shown when none is close.
const SHOWN: usize = 12;

/// All labels of an experiment.
#[derive(Default)]
pub(crate) struct Labels {
    dimensions: Vec<Dimension>,
    /// Where a label stands: in full, by its value, and without the arguments of a policy.
    full: HashMap<String, Vec<(usize, usize)>>,
    values: HashMap<String, Vec<(usize, usize)>>,
    short: HashMap<String, Vec<(usize, usize)>>,
    /// Some could not be read.
    incomplete: bool,
}

struct Dimension {
    name: String,
    labels: Vec<String>,
    jobs: bool,
}

impl Labels {
    pub(super) fn new(draft: &Draft) -> Labels {
        let mut labels = Labels {
            incomplete: draft.broken || draft.sweeps.iter().any(|sweep| sweep.broken),
            ..Labels::default()
        };
        for sweep in &draft.sweeps {
            labels.add_sweep(sweep);
        }
        let together = draft.sets(|setting| *setting == Setting::Together(true));
        let all = together.then_some(ALL);
        let jobs = draft.jobs.iter().map(|job| job.name.text.as_str());
        labels.add("job", true, jobs.chain(all).map(|name| (name, None)));
        labels
    }

    /// Those of one sweep.
    pub(super) fn of_sweep(sweep: &SweepDraft) -> Labels {
        let mut labels = Labels { incomplete: sweep.broken, ..Labels::default() };
        labels.add_sweep(sweep);
        labels
    }

    fn add_sweep(&mut self, sweep: &SweepDraft) {
        let points = sweep.points.iter().map(|it| (it.label.as_str(), it.value.as_ref()));
        self.add(&sweep.name, false, points);
    }

    fn add<'l>(
        &mut self,
        name: &str,
        jobs: bool,
        labels: impl Iterator<Item = (&'l str, Option<&'l Value>)>,
    ) {
        let at = self.dimensions.len();
        let mut dimension = Dimension { name: name.to_owned(), labels: Vec::new(), jobs };
        for (position, (label, value)) in labels.enumerate() {
            self.full.entry(label.to_owned()).or_default().push((at, position));
            if let Some(value) = value {
                self.values.entry(show(value)).or_default().push((at, position));
            }
            self.short.entry(short(label).to_owned()).or_default().push((at, position));
            dimension.labels.push(label.to_owned());
        }
        self.dimensions.push(dimension);
    }

    /// Name of a dimension.
    pub(crate) fn name(&self, dimension: usize) -> &str {
        self.dimensions.get(dimension).map_or("", |it| it.name.as_str())
    }

    /// Whether a dimension is that of the jobs.
    pub(crate) fn is_jobs(&self, dimension: usize) -> bool {
        self.dimensions.get(dimension).is_some_and(|it| it.jobs)
    }

    /// A label of a dimension, for an example.
    pub(crate) fn some(&self, dimension: usize) -> &str {
        self.dimensions.get(dimension).and_then(|it| it.labels.first()).map_or("", String::as_str)
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        self.dimensions.iter().flat_map(|it| &it.labels).map(String::as_str)
    }

    fn label(&self, (dimension, position): (usize, usize)) -> String {
        self.dimensions[dimension].labels[position].clone()
    }
}

/// A policy without its arguments.
fn short(label: &str) -> &str {
    label.split('(').next().unwrap_or(label)
}

impl Checker<'_> {
    /// What a written value is called.
    pub(super) fn label_text(&self, written: &ast::Expr) -> String {
        match &written.kind {
            ExprKind::Literal(Value::String(text)) => text.clone(),
            ExprKind::Literal(_) => self.input.sources.text(written.span).replace('_', ""),
            ExprKind::Name(name) => name.clone(),
            ExprKind::Call(call) => {
                let args = call.args.iter().map(|arg| {
                    let value = self.label_text(&arg.value);
                    match &arg.name {
                        Some(name) => format!("{}: {value}", name.text),
                        None => value,
                    }
                });
                let args: Vec<String> = args.collect();
                format!("{}({})", call.name.text, args.join(", "))
            }
            ExprKind::Binary(BinaryOp::Add, left, right) => {
                format!("{}+{}", self.label_text(left), self.label_text(right))
            }
            ExprKind::List(items) if items.is_empty() => "none".to_owned(),
            ExprKind::List(items)
                if items.iter().all(|item| matches!(item.kind, ExprKind::Name(_))) =>
            {
                written.names().join("+")
            }
            _ => self.input.sources.text(written.span).split_whitespace().collect(),
        }
    }

    /// The point that a label means: its dimension, and the label in full.
    pub(in crate::check) fn label_of_point(
        &mut self,
        written: &ast::Expr,
        labels: &Labels,
    ) -> Option<(usize, String)> {
        let text = self.label_text(written);
        let value = match &written.kind {
            ExprKind::Literal(value) => show(value),
            _ => String::new(),
        };
        let found = labels.full.get(&text);
        let found = found.or_else(|| labels.values.get(&value));
        let found = found.or_else(|| labels.short.get(&text)).map_or(&[][..], Vec::as_slice);
        match *found {
            [only] => return Some((only.0, labels.label(only))),
            [] => self.unknown_label(&text, written, labels),
            [one, other, ..] => {
                let (first, second) = (labels.label(one), labels.label(other));
                let (a, b) = (labels.name(one.0), labels.name(other.0));
                let message = format!("`{text}` may mean two points");
                let help = if one.0 == other.0 {
                    format!("write `{first}` or `{second}`")
                } else {
                    format!(
                        "it is a point of `{a}` and of `{b}`; give the points of one a name of \
                         their own, as in `sweep {a} in [one {{ {a}: {first} }}, ...]`"
                    )
                };
                self.report(Diagnostic::error(codes::TWO_LABELS, written.span, message).help(help));
            }
        }
        None
    }

    fn unknown_label(&mut self, text: &str, written: &ast::Expr, labels: &Labels) {
        if labels.incomplete || self.full() {
            return;
        }
        let help = did_you_mean(text, labels.all()).unwrap_or_else(|| {
            let shown = suggest::list(labels.all().take(SHOWN));
            format!("labels are {shown}{}", if labels.all().count() > SHOWN { ", ..." } else { "" })
        });
        let message = format!("no point of the experiment is labelled `{text}`");
        self.report(Diagnostic::error(codes::UNKNOWN_LABEL, written.span, message).help(help));
    }

    /// `baseline: label`.
    pub(super) fn baseline(&mut self, written: &ast::Expr, labels: &Labels) -> Option<String> {
        let (dimension, label) = self.label_of_point(written, labels)?;
        if labels.is_jobs(dimension) {
            let message = format!("`{label}` is a job; the baseline is a point of a sweep");
            self.report(Diagnostic::error(codes::UNKNOWN_LABEL, written.span, message));
            return None;
        }
        Some(label)
    }
}

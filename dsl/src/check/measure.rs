//! `measure` blocks: which figures, how often, and where to.

use std::collections::BTreeMap;

use super::{Checker, Scope};
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::measures::{Dimension, MEASURES, MeasureSpec, STATISTICS, find_measure};
use crate::plan::{FigurePlan, MeasurePlan};
use crate::span::Span;
use crate::suggest::{closest, did_you_mean, list};
use crate::types::{Type, Value};

/// Sinks that figures can go to: a `tally` counts equal rows, and no two are equal.
const SINKS: [&str; 3] = ["csv", "jsonl", "stdout"];
/// The shortest time from one set of rows to the next.
const SHORTEST_NS: i64 = 100_000_000;
const USUAL_NS: u64 = 1_000_000_000;
/// Figures of one block.
const MOST: usize = 100;

impl<'a> Checker<'a> {
    /// What every `measure` block measures, by its place.
    pub(crate) fn check_measures(&mut self) -> BTreeMap<Span, MeasurePlan> {
        let blocks = self.names.measures.clone();
        let checked = |(_, block): &(u32, &'a ast::Measure)| {
            self.measure(block).map(|plan| (block.span, plan))
        };
        blocks.iter().filter_map(checked).collect()
    }

    fn measure(&mut self, block: &'a ast::Measure) -> Option<MeasurePlan> {
        let known = self.input.catalog.sinks.iter().filter(|it| SINKS.contains(&it.name));
        let known: Vec<_> = known.copied().collect();
        let signature = self.signature(&block.to, &known, "sink of figures");
        let args = signature.and_then(|found| self.settings(&block.to, found, &[], false));
        let every_ns = self.interval(block);
        let figures: Vec<FigurePlan> =
            block.figures.iter().filter_map(|figure| self.figure(figure)).collect();
        if block.figures.is_empty() {
            let message = "a `measure` block names no figure";
            self.report(
                Diagnostic::error(codes::BAD_MEASURE, block.span, message)
                    .help("name some, as in `{ throughput, latency.p99 by node }`"),
            );
        } else if block.figures.len() > MOST {
            let message = format!("a `measure` block may have {MOST} figures");
            self.report(Diagnostic::error(codes::TOO_LARGE, block.span, message));
            return None;
        }
        let kind = signature?.name.to_owned();
        let line = self.line(block.span);
        Some(MeasurePlan { kind, args: args?.0, every_ns: every_ns?, figures, line })
    }

    fn interval(&mut self, block: &'a ast::Measure) -> Option<u64> {
        let Some(written) = &block.every else { return Some(USUAL_NS) };
        let typed = self.want(written, &Scope::constant(), &Type::Duration);
        if typed.is_poison() {
            return None;
        }
        let ns = typed.value().and_then(Value::as_duration_ns).filter(|ns| *ns >= SHORTEST_NS);
        if ns.is_none() {
            let message = "`every` of a `measure` block is a time of at least 100ms";
            self.report(
                Diagnostic::error(codes::BAD_MEASURE, written.span, message)
                    .help("a literal such as `every 1s`, or a param"),
            );
        }
        ns.and_then(|ns| u64::try_from(ns).ok())
    }

    fn figure(&mut self, figure: &ast::Figure) -> Option<FigurePlan> {
        let (measure, statistic) = match figure.name.text.split_once('.') {
            Some((measure, statistic)) => (measure, Some(statistic)),
            None => (figure.name.text.as_str(), None),
        };
        let Some(spec) = find_measure(measure) else {
            self.unknown_figure(&figure.name);
            return None;
        };
        let wrong = statistic.filter(|it| !spec.statistics || !STATISTICS.contains(it));
        if let Some(wrong) = wrong {
            let (message, help) = if spec.statistics {
                let help = did_you_mean(wrong, STATISTICS.iter().copied());
                let all = || format!("there are {}", list(STATISTICS.iter().copied()));
                (format!("`{measure}` has no statistic `{wrong}`"), help.unwrap_or_else(all))
            } else {
                let message = format!("`{measure}` is a number and has no statistics");
                (message, format!("write `{measure}`"))
            };
            self.report(
                Diagnostic::error(codes::BAD_MEASURE, figure.name.span, message).help(help),
            );
            return None;
        }
        let mut plan = FigurePlan {
            measure: measure.to_owned(),
            statistic: statistic.map(str::to_owned),
            by_node: false,
            by_stage: false,
        };
        for by in &figure.by {
            let found = spec.by.iter().find(|dimension| dimension.word() == by.text);
            match found {
                Some(Dimension::Node) => plan.by_node = true,
                Some(Dimension::Stage) => plan.by_stage = true,
                None => {
                    self.wrong_dimension(spec, by);
                    return None;
                }
            }
        }
        Some(plan)
    }

    fn unknown_figure(&mut self, name: &ast::Name) {
        let first = name.text.split(['.', '_']).next().unwrap_or("");
        let names = MEASURES.iter().map(|spec| spec.name);
        let dimension = !closest(&name.text, ["node", "stage"]).is_empty();
        // `latency_p99_ms`, as in metrics.json.
        let spec = find_measure(first).filter(|spec| spec.statistics);
        let statistic = STATISTICS.iter().find(|it| name.text.contains(**it));
        let alone = STATISTICS.contains(&name.text.as_str());
        if let Some(figure) = super::foreign_column::figure(&name.text) {
            let message = format!("there is no figure `{}`", name.text);
            self.report(
                Diagnostic::error(codes::UNKNOWN_MEASURE, name.span, message)
                    .help(format!("it is called `{figure}`"))
                    .fix(name.span, figure),
            );
            return;
        }
        let help = match (dimension, spec, statistic) {
            _ if alone => format!("a statistic stands behind its figure: `latency.{}`", name.text),
            (true, ..) => {
                "behind `by` stand `node` and `stage`, as in `calls by node, stage`".into()
            }
            (_, Some(spec), Some(statistic)) => {
                format!("did you mean `{}.{statistic}`?", spec.name)
            }
            _ => did_you_mean(&name.text, names.clone())
                .unwrap_or_else(|| format!("there are {}", list(names))),
        };
        let message = format!("there is no figure `{}`", name.text);
        self.report(Diagnostic::error(codes::UNKNOWN_MEASURE, name.span, message).help(help));
    }

    fn wrong_dimension(&mut self, spec: &MeasureSpec, by: &ast::Name) {
        let help = match spec.by {
            [] => format!("it is of the whole run: write `{}`", spec.name),
            _ if by.text == "stage" && spec.statistics => {
                "the time in a stage is `stage_time by stage`".to_owned()
            }
            known => {
                let words = known.iter().map(|dimension| dimension.word());
                did_you_mean(&by.text, words.clone())
                    .unwrap_or_else(|| format!("it is taken apart by {}", list(words)))
            }
        };
        let message = format!("`{}` is not taken apart by `{}`", spec.name, by.text);
        self.report(Diagnostic::error(codes::BAD_MEASURE, by.span, message).help(help));
    }
}

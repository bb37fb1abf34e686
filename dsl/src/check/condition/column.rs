//! Columns of results in a condition: by name, by another name, or as `p99(latency)`; with the
//! labels behind them, and inside of an aggregate.

use super::unit::Unit;
use super::{About, Kind, Look, Over, Part};
use crate::ast::{self, ExprKind};
use crate::check::Checker;
use crate::check::foreign_column;
use crate::check::names::Decl;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::experiment::{Aggregate, Condition};
use crate::suggest::{self, did_you_mean};

/// Calls over rows.
const AGGREGATES: &[(&str, Aggregate)] = &[
    ("max", Aggregate::Max),
    ("min", Aggregate::Min),
    ("mean", Aggregate::Mean),
    ("sum", Aggregate::Sum),
];

/// Calls that are meant where another is misspelt.
const CALLS: &[&str] = &["max", "min", "mean", "sum", "abs", "p50", "p90", "p95", "p99"];

impl Checker<'_> {
    /// A column, with labels or without.
    pub(super) fn look(&mut self, written: &ast::Expr, about: &mut About<'_>) -> Option<Part> {
        let (base, labels) = unlabelled(written);
        match &base.kind {
            ExprKind::Name(name) => {
                let name = ast::Name { text: name.clone(), span: base.span };
                let is_param = |decl: Decl<'_>| matches!(decl, Decl::Param(_));
                let declared = self.names.values.get(name.text.as_str()).map(|(_, decl)| *decl);
                if labels.is_empty()
                    && self.column(&name.text).is_none()
                    && declared.is_some_and(is_param)
                {
                    self.used.insert(name.text.clone());
                    let (_, value) = self.param(&name.text);
                    return self.literal(&value, base.span);
                }
                let column = self.column_named(&name)?;
                let said = Unit::of_column(&name.text) == Unit::of_column(column);
                let part = self.labelled(column, &labels, written, about)?;
                Some(Part { said, ..part })
            }
            ExprKind::Call(call) => {
                let Some((column, mut inner)) = self.statistic(call) else {
                    self.no_statistic(call);
                    return None;
                };
                inner.extend(labels);
                self.labelled(column, &inner, written, about)
            }
            _ => {
                let message = "labels stand behind a column, as in `throughput[fifo]`";
                self.report(Diagnostic::error(codes::NOT_A_CLAIM, written.span, message));
                None
            }
        }
    }

    /// The name of the column called `name`, by its name or by another of its names.
    pub(in crate::check) fn column(&self, name: &str) -> Option<&'static str> {
        let columns = self.input.catalog.columns;
        let found = columns.iter().find(|(column, _)| *column == name);
        let found = found.or_else(|| columns.iter().find(|(_, names)| names.contains(&name)));
        found.map(|(column, _)| *column)
    }

    /// The same; an unknown name is reported.
    pub(in crate::check) fn column_named(&mut self, name: &ast::Name) -> Option<&'static str> {
        if let Some(column) = self.column(&name.text) {
            return Some(column);
        }
        let columns = self.input.catalog.columns;
        let known =
            || columns.iter().flat_map(|(name, others)| others.iter().chain([name]).copied());
        if let Some(found) = self.prefixed(name) {
            self.report(found);
            return None;
        }
        let by_other_words = foreign_column::column(&name.text, columns.iter().map(|it| it.0));
        if let Some(meant) = by_other_words {
            let message = format!("results have no column `{}`", name.text);
            let diagnostic =
                Diagnostic::error(codes::UNKNOWN_COLUMN, name.span, message).help(meant.help);
            self.report(match meant.fix {
                Some(fix) => diagnostic.fix(name.span, fix),
                None => diagnostic,
            });
            return None;
        }
        let help = did_you_mean(&name.text, known()).unwrap_or_else(|| {
            let starts = columns.iter().map(|(column, _)| *column);
            let first: Vec<_> = starts
                .clone()
                .filter(|column| column.starts_with(&name.text))
                .chain(starts)
                .take(8)
                .collect();
            format!("there are {} and others", suggest::list(first))
        });
        let message = format!("results have no column `{}`", name.text);
        self.report(Diagnostic::error(codes::UNKNOWN_COLUMN, name.span, message).help(help));
        None
    }

    /// `p99_latency`: the column that is meant is another than `latency`, whatever is closest.
    fn prefixed(&self, name: &ast::Name) -> Option<Diagnostic> {
        let (first, family) = name.text.split_once('_')?;
        let statistic = match first {
            "avg" | "average" | "mean" => "mean",
            "median" => "p50",
            "maximum" => "max",
            "minimum" => "min",
            _ => first,
        };
        let percentile = || statistic.strip_prefix('p').is_some_and(|it| it.parse::<f64>().is_ok());
        if !["mean", "max", "min", "sum"].contains(&statistic) && !percentile() {
            return None;
        }
        let columns = || self.input.catalog.columns.iter().map(|(column, _)| *column);
        let of_family = |column: &&str| {
            column.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        if !columns().any(|column| of_family(&column)) {
            return None;
        }
        let message = format!("results have no column `{}`", name.text);
        let found = Diagnostic::error(codes::UNKNOWN_COLUMN, name.span, message);
        let wanted = format!("{family}_{statistic}");
        let means = |column: &str| {
            column
                .strip_prefix(&wanted)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        if columns().any(means) {
            let right = format!("{statistic}({family})");
            return Some(found.help(format!("write `{right}`")).fix(name.span, right));
        }
        let known = suggest::list(columns().filter(of_family).take(8));
        Some(found.help(format!("there is no `{statistic}` of `{family}`; there are {known}")))
    }

    /// The column that `p99(latency)` means, and the labels in it.
    pub(in crate::check) fn statistic<'e>(
        &self,
        call: &'e ast::Call,
    ) -> Option<(&'static str, Vec<&'e ast::Expr>)> {
        let [arg] = call.args.as_slice() else { return None };
        let (base, labels) = unlabelled(&arg.value);
        let ExprKind::Name(family) = &base.kind else { return None };
        let wanted = format!("{family}_{}", call.name.text);
        let means = |column: &str| {
            column
                .strip_prefix(&wanted)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        let columns = self.input.catalog.columns.iter();
        let found = columns.map(|(column, _)| *column).find(|column| means(column))?;
        Some((found, labels)).filter(|_| arg.name.is_none())
    }

    pub(super) fn condition_call(
        &mut self,
        call: &ast::Call,
        written: &ast::Expr,
        about: &mut About<'_>,
    ) -> Option<Part> {
        if let Some((column, labels)) = self.statistic(call) {
            return self.labelled(column, &labels, written, about);
        }
        let name = call.name.text.as_str();
        let aggregate = AGGREGATES.iter().find(|(known, _)| *known == name);
        if aggregate.is_none() && name != "abs" {
            self.no_statistic(call);
            return None;
        }
        let [arg] = call.args.as_slice() else {
            if call.args.is_empty() {
                self.missing(call, &["column"]);
            } else {
                self.too_many(call, 1, call.args[1].value.span);
            }
            return None;
        };
        let Some((_, aggregate)) = aggregate else {
            let part = self.piece(&arg.value, about)?;
            return self.number_inside(part, |inner| Condition::Abs(Box::new(inner)), &arg.value);
        };
        if about.labels.is_none() || about.inside {
            let message = if about.inside {
                format!("`{name}` inside of another one has no rows of its own")
            } else {
                format!("an objective is about one run, and `{name}` is over several")
            };
            self.report(Diagnostic::error(codes::ONE_RUN, call.name.span, message));
            return None;
        }
        about.inside = true;
        let comparison = about.comparison;
        about.overs.push(Over { span: written.span, dimensions: Vec::new(), comparison });
        let part = self.piece(&arg.value, about);
        about.inside = false;
        let part = part?;
        if part.constant {
            let message = format!("`{name}` is over rows, and this looks at none");
            self.report(
                Diagnostic::error(codes::NOT_A_CLAIM, arg.value.span, message)
                    .help(format!("as in `{name}(balance)`")),
            );
            return None;
        }
        self.number_inside(part, |inner| Condition::Over(*aggregate, Box::new(inner)), &arg.value)
    }

    fn number_inside(
        &mut self,
        part: Part,
        wrap: impl FnOnce(Condition) -> Condition,
        written: &ast::Expr,
    ) -> Option<Part> {
        if part.kind == Kind::Bool {
            let message = "a number is needed here, and this is a condition";
            self.report(Diagnostic::error(codes::NOT_A_CLAIM, written.span, message));
            return None;
        }
        Some(Part { condition: wrap(part.condition), ..part })
    }

    /// `p99(latency, fifo)`, with the label of a point within; whether it has been reported.
    fn labels_inside(&mut self, call: &ast::Call) -> bool {
        let [first, labels @ ..] = call.args.as_slice() else { return false };
        if labels.is_empty() {
            return false;
        }
        let alone = ast::Call { args: vec![first.clone()], ..call.clone() };
        if self.statistic(&alone).is_none() {
            return false;
        }
        let text = |span: crate::span::Span| self.input.sources.text(span).to_owned();
        let labels: String =
            labels.iter().map(|label| format!("[{}]", text(label.value.span))).collect();
        let meant = format!("{}({}){labels}", call.name.text, text(first.value.span));
        let message = "the point of a column stands in brackets behind it";
        self.report(
            Diagnostic::error(codes::UNKNOWN_COLUMN, call.span, message)
                .help(format!("write `{meant}`"))
                .fix(call.span, meant),
        );
        true
    }

    /// Says that a call means no column.
    pub(in crate::check) fn no_statistic(&mut self, call: &ast::Call) {
        let name = call.name.text.as_str();
        let family = call.args.first().and_then(|arg| match &unlabelled(&arg.value).0.kind {
            ExprKind::Name(family) => Some((family.as_str(), arg.value.span)),
            _ => None,
        });
        if self.labels_inside(call) {
            return;
        }
        let columns = self.input.catalog.columns.iter().map(|(column, _)| *column);
        if let Some((word, span)) = family
            && let Some(meant) = foreign_column::column(&format!("{word}_{name}"), columns.clone())
        {
            let message = format!("results have no `{name}` of `{word}`");
            self.report(Diagnostic::error(codes::UNKNOWN_COLUMN, span, message).help(meant.help));
            return;
        }
        let infix = format!("_{name}_");
        let families: Vec<&str> = columns
            .clone()
            .filter_map(|column| column.split_once(&infix).map(|(family, _)| family))
            .collect();
        let of_family = |family: &str| -> Vec<&str> {
            let starts = |column: &&str| {
                column.strip_prefix(family).is_some_and(|rest| rest.starts_with('_'))
            };
            columns.clone().filter(starts).take(8).collect()
        };
        let calls = || suggest::list(CALLS.iter().copied());
        let (span, message, help) = match family {
            Some((family, span)) if !families.is_empty() => {
                let message = format!("results have no `{name}` of `{family}`");
                let help = did_you_mean(family, families.iter().copied());
                let all =
                    || format!("there is `{name}` of {}", suggest::list(families.iter().copied()));
                (span, message, help.unwrap_or_else(all))
            }
            Some((family, _)) if !of_family(family).is_empty() => {
                let message = format!("results have no `{name}` of `{family}`");
                let help = did_you_mean(name, CALLS.iter().copied());
                let all = || format!("columns are {}", suggest::list(of_family(family)));
                (call.name.span, message, help.unwrap_or_else(all))
            }
            _ => {
                let message = format!("`{name}` is no figure of results");
                let help = did_you_mean(name, CALLS.iter().copied());
                (call.name.span, message, help.unwrap_or_else(|| format!("there are {}", calls())))
            }
        };
        self.report(Diagnostic::error(codes::UNKNOWN_COLUMN, span, message).help(help));
    }

    fn labelled(
        &mut self,
        column: &'static str,
        written_labels: &[&ast::Expr],
        written: &ast::Expr,
        about: &mut About<'_>,
    ) -> Option<Part> {
        let mut labels = Vec::new();
        let mut dimensions = Vec::new();
        for label in written_labels {
            let Some(known) = about.labels else {
                let message = "an objective is about one run, which has no labels";
                self.report(
                    Diagnostic::error(codes::ONE_RUN, label.span, message)
                        .help("points are compared by a `claim` of an `experiment`"),
                );
                return None;
            };
            let (dimension, text) = self.label_of_point(label, known)?;
            if dimensions.contains(&dimension) {
                let message = format!("two labels of `{}`", known.name(dimension));
                self.report(
                    Diagnostic::error(codes::UNKNOWN_LABEL, label.span, message)
                        .help("a row has one label of each dimension"),
                );
                return None;
            }
            dimensions.push(dimension);
            labels.push(text);
        }
        if about.inside {
            if let Some(over) = about.overs.last_mut() {
                over.dimensions.extend(dimensions);
            }
        } else {
            let (column, comparison) = (column.to_owned(), about.comparison);
            about.looks.push(Look { span: written.span, column, dimensions, comparison });
        }
        let column = column.to_owned();
        let kind = Kind::Number(Unit::of_column(&column));
        let condition = if labels.is_empty() {
            Condition::Column(column)
        } else {
            Condition::At { column, labels }
        };
        Some(Part { condition, kind, constant: false, said: false })
    }
}

/// What stands before the brackets, and what stands in them.
fn unlabelled(written: &ast::Expr) -> (&ast::Expr, Vec<&ast::Expr>) {
    let mut labels = Vec::new();
    let mut base = written;
    while let ExprKind::At(inner, label) = &base.kind {
        labels.push(label.as_ref());
        base = inner;
    }
    labels.reverse();
    (base, labels)
}

//! One aggregate of a group: a call with a value, and what says how many or which share.

use super::fit::{optional, required};
use super::typed::Typed;
use super::{Checker, Scope};
use crate::aggregates::{AGGREGATES, AggregateSpec, Takes, find_aggregate};
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::Aggregate;
use crate::span::Span;
use crate::suggest::{self, did_you_mean};
use crate::types::{Type, Value};

/// Most values that `top_k` keeps.
const MOST_K: i64 = 10_000;

/// A checked aggregate.
pub(super) struct Counted {
    pub(super) aggregate: Aggregate,
    pub(super) value: Option<Typed>,
    pub(super) by: Option<Typed>,
    pub(super) parameter: Option<Value>,
}

impl Counted {
    /// Whether it asks which record came first.
    pub(super) fn ordered(&self) -> bool {
        self.aggregate == Aggregate::Collect
    }
}

/// What was written for each parameter.
#[derive(Default)]
struct Written<'e> {
    value: Option<&'e ast::Expr>,
    parameter: Option<&'e ast::Expr>,
    by: Option<&'e ast::Expr>,
}

impl Checker<'_> {
    /// The aggregate and the type of its column; `None` when it was reported.
    pub(super) fn aggregate(
        &mut self,
        written: &ast::Expr,
        scope: &Scope<'_>,
    ) -> Option<(Counted, Type)> {
        let ExprKind::Call(call) = &written.kind else {
            if !matches!(written.kind, ExprKind::Bad) {
                let message = "an entry of a group is one aggregate";
                let diagnostic = Diagnostic::error(codes::BAD_AGGREGATE, written.span, message);
                // `sum .n` reads as a field of `sum`.
                let (bare, field) = match &written.kind {
                    ExprKind::Name(name) => (find_aggregate(name), None),
                    ExprKind::Field(inner, field) => match &inner.kind {
                        ExprKind::Name(name) => (find_aggregate(name), Some(&field.text)),
                        _ => (None, None),
                    },
                    _ => (None, None),
                };
                self.report(match bare {
                    Some(spec) if field.is_some() => {
                        let meant = format!("{}(.{})", spec.name, field.map_or("", String::as_str));
                        diagnostic.help(format!("write `{meant}`")).fix(written.span, meant)
                    }
                    Some(spec) if spec.name == "count" => {
                        diagnostic.help("write `count()`").fix(written.span, "count()")
                    }
                    Some(spec) => diagnostic.help(format!("write `{}(.field)`", spec.name)),
                    None => diagnostic.help(
                        "compute with aggregates in a stage behind the group, as in \
                         `stage share = to_float(.bad) / to_float(.n)`",
                    ),
                });
            }
            return None;
        };
        let Some(spec) = find_aggregate(&call.name.text) else {
            self.no_aggregate(&call.name);
            return None;
        };
        if self.count_of(call, spec, scope) {
            return None;
        }
        let given = self.given(call, spec)?;
        self.slots = 0;
        let value = given.value.map(|value| self.expr(value, scope, None));
        let by = given.by.map(|by| self.expr(by, scope, None));
        let parameter = match (spec.parameter, given.parameter) {
            (Some(name), Some(written)) => Some(self.parameter(name, written)?),
            _ => None,
        };
        if let (Some(value), Some(written)) = (&value, given.value)
            && !spec.takes.accepts(&value.ty)
        {
            self.takes_other(spec, spec.takes.name(), &value.ty, written.span);
            return None;
        }
        if let (Some(by), Some(written)) = (&by, given.by)
            && !Takes::Ordered.accepts(&by.ty)
        {
            self.takes_other(spec, Takes::Ordered.name(), &by.ty, written.span);
            return None;
        }
        if value.iter().chain(&by).any(Typed::is_poison) {
            return None;
        }
        let ty = result(spec.aggregate, value.as_ref().map(|value| &value.ty));
        Some((Counted { aggregate: spec.aggregate, value, by, parameter }, ty))
    }

    /// `count(distinct .x)`, `count(.x)`; whether it has been reported.
    fn count_of(
        &mut self,
        call: &ast::Call,
        spec: &'static AggregateSpec,
        scope: &Scope<'_>,
    ) -> bool {
        let [ast::Arg { name: None, value }] = call.args.as_slice() else { return false };
        if spec.aggregate != Aggregate::Count {
            return false;
        }
        let text = self.input.sources.text(value.span).to_owned();
        let (message, meant) = if let Some(rest) = distinct(&text) {
            ("different values are counted by `count_distinct`", format!("count_distinct({rest})"))
        } else if let ExprKind::Own(_) | ExprKind::Name(_) | ExprKind::Field(..) = value.kind {
            let before = self.diagnostics.len();
            self.slots = 0;
            let ty = self.expr(value, scope, None).ty;
            let reported = self.wrong_since(before);
            match ty {
                _ if reported => return true,
                Type::Bool | Type::Unknown => return false,
                Type::Optional(inner) if *inner == Type::Bool => return false,
                Type::Optional(_) => {
                    ("`count` takes a condition", format!("count({text} != null)"))
                }
                _ => ("`count` takes a condition, and this is never null", "count()".to_owned()),
            }
        } else {
            return false;
        };
        self.report(
            Diagnostic::error(codes::BAD_AGGREGATE, value.span, message)
                .help(format!("write `{meant}`"))
                .fix(call.span, meant),
        );
        true
    }

    fn no_aggregate(&mut self, name: &ast::Name) {
        let names = || AGGREGATES.iter().map(|spec| spec.name);
        let text = name.text.as_str();
        let common = match text {
            "mean" | "average" => Some("avg"),
            "total" => Some("sum"),
            "percentile" => Some("quantile"),
            "list" | "array_agg" | "collect_list" | "group_array" => Some("collect"),
            "unique" | "collect_set" => Some("distinct"),
            "nunique" | "uniq" | "approx_count_distinct" => Some("count_distinct"),
            "top" | "largest" | "topk" | "nlargest" => Some("top_k"),
            _ => None,
        };
        let other = match text {
            "p50" | "median" => Some("write `quantile(.n, 0.5)`"),
            "p90" => Some("write `quantile(.n, 0.9)`"),
            "p95" => Some("write `quantile(.n, 0.95)`"),
            "p99" => Some("write `quantile(.n, 0.99)`"),
            "argmax" | "max_by" | "arg_max" => Some("write `top_k(.id, 1, by: .n)`"),
            "argmin" | "min_by" | "arg_min" => Some("write `top_k(.id, 1, by: 0 - .n)`"),
            "bottom_k" | "bottom" | "smallest" | "nsmallest" => {
                Some("the smallest come first by `top_k(value, 3, by: 0 - .n)`")
            }
            "first" | "last" | "any_value" => Some(
                "`collect(value)` has all in the order of the source; behind the group `.values[0]` \
                 is the first",
            ),
            "any" | "all" | "bool_or" | "bool_and" | "some" | "every" => Some(
                "count those for which it holds, `n: count(condition)`, and compare in a step behind \
                 the group",
            ),
            "string_agg" | "group_concat" | "listagg" | "concat" => Some(
                "`texts: collect(.text)`, and behind the group `join(.texts, \", \")` is one text",
            ),
            "stddev" | "std" | "variance" | "var" | "stdev" => Some(
                "the variance is made behind the group of `m: avg(.x)` and `s: avg(.x * .x)`: \
                 `.s - .m * .m`",
            ),
            "mode" => Some("group by the value, and count: `group by .text { n: count() }`"),
            _ => None,
        };
        let help = other.map(str::to_owned);
        let help = help
            .or(common.map(|name| format!("it is called `{name}` here")))
            .or_else(|| did_you_mean(text, names()))
            .unwrap_or_else(|| format!("aggregates are {}", suggest::list(names())));
        let message = format!("`{text}` is no aggregate");
        self.report(Diagnostic::error(codes::BAD_AGGREGATE, name.span, message).help(help));
    }

    fn given<'e>(
        &mut self,
        call: &'e ast::Call,
        spec: &'static AggregateSpec,
    ) -> Option<Written<'e>> {
        let mut given = Written::default();
        let wrong = |this: &mut Self, span: Span, message: String| {
            let diagnostic = Diagnostic::error(codes::BAD_AGGREGATE, span, message);
            this.report(diagnostic.help(spec.signature));
            None
        };
        for (at, arg) in call.args.iter().enumerate() {
            let place = match (&arg.name, at) {
                (None, 0) => &mut given.value,
                (None, 1) if spec.parameter.is_some() => &mut given.parameter,
                (Some(name), _) if Some(name.text.as_str()) == spec.parameter => {
                    &mut given.parameter
                }
                (Some(name), _) if spec.by && name.text == "by" => &mut given.by,
                (Some(name), _) => {
                    let message = format!("`{}` has no argument `{}`", spec.name, name.text);
                    return wrong(self, name.span, message);
                }
                (None, _) => {
                    let message = format!("`{}` has too many arguments", spec.name);
                    return wrong(self, arg.value.span, message);
                }
            };
            if place.replace(&arg.value).is_some() {
                return wrong(self, arg.value.span, "this argument is given twice".to_owned());
            }
        }
        let lacks = if given.value.is_none() && spec.aggregate != Aggregate::Count {
            Some("value")
        } else {
            spec.parameter.filter(|_| given.parameter.is_none())
        };
        if let Some(lacks) = lacks {
            let message = format!("`{}` needs its argument `{lacks}`", spec.name);
            return wrong(self, call.span, message);
        }
        Some(given)
    }

    fn takes_other(&mut self, spec: &AggregateSpec, takes: &str, found: &Type, span: Span) {
        let message = format!("`{}` takes {takes} here, found {found}", spec.name);
        let diagnostic = Diagnostic::error(codes::BAD_AGGREGATE, span, message);
        let help = match found {
            Type::Int | Type::Float | Type::String if spec.takes == Takes::Condition => {
                "`count()` counts records; give it a condition to count those, as in `count(.score > 0.5)`"
            }
            _ => spec.signature,
        };
        self.report(diagnostic.help(help));
    }

    /// How many, or which share: a constant.
    fn parameter(&mut self, name: &str, written: &ast::Expr) -> Option<Value> {
        let typed = self.expr(written, &Scope::constant(), None);
        if typed.is_poison() {
            return None;
        }
        let value = typed.value().cloned();
        let (fits, help) = match (name, &value) {
            ("k", Some(Value::Int(k))) => ((1..=MOST_K).contains(k), ""),
            ("q", Some(value @ (Value::Int(_) | Value::Float(_) | Value::Percent(_)))) => {
                (value.as_float().is_some_and(|q| (0.0..=1.0).contains(&q)), "")
            }
            _ => (false, " and a constant: a literal or a param"),
        };
        if fits {
            return value;
        }
        let wanted = match name {
            "k" => format!("a whole number from 1 to {MOST_K}"),
            _ => "a share from 0 to 1, as `0.9` or `90%`".to_owned(),
        };
        let message = format!("`{name}` is {wanted}{help}");
        self.report(Diagnostic::error(codes::BAD_AGGREGATE, written.span, message));
        None
    }
}

/// What is behind the `distinct` of SQL.
fn distinct(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("distinct").or_else(|| text.strip_prefix("DISTINCT"))?;
    let rest = rest.trim_start();
    rest.starts_with('.').then_some(rest)
}

/// The type of an aggregate's column. A group has at least one record, so what may be null is only
/// what is computed of values that may be.
fn result(aggregate: Aggregate, value: Option<&Type>) -> Type {
    let value = value.cloned().unwrap_or(Type::Unknown);
    let plain = required(&value).clone();
    let like = |ty: Type| if matches!(value, Type::Optional(_)) { optional(ty) } else { ty };
    match aggregate {
        Aggregate::Count | Aggregate::CountDistinct => Type::Int,
        Aggregate::Sum if plain == Type::Percent => like(Type::Float),
        Aggregate::Sum | Aggregate::Min | Aggregate::Max | Aggregate::Quantile => value,
        Aggregate::Avg if plain == Type::Duration => like(Type::Duration),
        Aggregate::Avg => like(Type::Float),
        Aggregate::TopK | Aggregate::Collect | Aggregate::Distinct => Type::List(Box::new(plain)),
    }
}

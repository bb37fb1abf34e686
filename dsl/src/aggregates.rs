//! The aggregates of a group: one registry that drives the checker, suggestions and the reference.

use crate::plan::Aggregate;
use crate::types::Type;

/// An aggregate.
#[derive(Debug)]
pub struct AggregateSpec {
    /// What the user types.
    pub name: &'static str,
    /// The plan's name for it.
    pub aggregate: Aggregate,
    /// As shown in messages and the reference.
    pub signature: &'static str,
    /// One line.
    pub doc: &'static str,
    pub(crate) takes: Takes,
    pub(crate) parameter: Option<&'static str>,
    /// Whether `by:` may say what orders the values.
    pub(crate) by: bool,
}

/// What an aggregate is computed of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing, or a condition.
    Condition,
    /// Something that can be added up.
    Number,
    /// Something with an order.
    Ordered,
    /// Any value.
    Any,
}

impl Takes {
    /// Whether a value of this type will do; one that may be null will, too.
    pub(crate) fn accepts(self, ty: &Type) -> bool {
        let numbers = [Type::Int, Type::Float, Type::Duration, Type::Size, Type::Tokens];
        match (self, ty) {
            (_, Type::Unknown) => true,
            (_, Type::Optional(inner)) => self.accepts(inner),
            (Takes::Condition, ty) => *ty == Type::Bool,
            (Takes::Number, ty) => numbers.contains(ty) || *ty == Type::Percent,
            (Takes::Ordered, Type::String | Type::Time | Type::Rate | Type::Bool) => true,
            (Takes::Ordered, ty) => Takes::Number.accepts(ty),
            (Takes::Any, _) => true,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Takes::Condition => "a condition",
            Takes::Number => "a number or a duration",
            Takes::Ordered => "a value that can be compared",
            Takes::Any => "any value",
        }
    }
}

impl AggregateSpec {
    /// Names of its arguments behind the value.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.parameter.into_iter().chain(self.by.then_some("by"))
    }
}

const fn spec(
    name: &'static str,
    aggregate: Aggregate,
    signature: &'static str,
    doc: &'static str,
    takes: Takes,
) -> AggregateSpec {
    AggregateSpec { name, aggregate, signature, doc, takes, parameter: None, by: false }
}

/// Every aggregate.
pub const AGGREGATES: &[AggregateSpec] = &[
    spec(
        "count",
        Aggregate::Count,
        "count() -> int, count(condition) -> int",
        "number of records, or of those for which a condition is true",
        Takes::Condition,
    ),
    spec("sum", Aggregate::Sum, "sum(number) -> number", "all values added up", Takes::Number),
    spec("avg", Aggregate::Avg, "avg(number) -> float", "the arithmetic mean", Takes::Number),
    spec("min", Aggregate::Min, "min(value) -> value", "the smallest value", Takes::Ordered),
    spec("max", Aggregate::Max, "max(value) -> value", "the largest value", Takes::Ordered),
    AggregateSpec {
        parameter: Some("q"),
        ..spec(
            "quantile",
            Aggregate::Quantile,
            "quantile(value, q) -> value",
            "the smallest value that at least the share q of all values does not exceed, q from 0 to 1",
            Takes::Ordered,
        )
    },
    AggregateSpec {
        parameter: Some("k"),
        by: true,
        ..spec(
            "top_k",
            Aggregate::TopK,
            "top_k(value, k, by: order) -> [value]",
            "the k largest values, or those with the largest order; the largest first",
            Takes::Any,
        )
    },
    spec(
        "collect",
        Aggregate::Collect,
        "collect(value) -> [value]",
        "all values, in the order of the source",
        Takes::Any,
    ),
    spec(
        "distinct",
        Aggregate::Distinct,
        "distinct(value) -> [value]",
        "each value once, in ascending order",
        Takes::Any,
    ),
    spec(
        "count_distinct",
        Aggregate::CountDistinct,
        "count_distinct(value) -> int",
        "number of different values",
        Takes::Any,
    ),
];

/// The aggregate of this name.
pub fn find_aggregate(name: &str) -> Option<&'static AggregateSpec> {
    AGGREGATES.iter().find(|spec| spec.name == name)
}

//! Tests of programs, checked and ready to be run.
//!
//! A mock is no business of whoever runs a test: the mocked stage is an expression in the plan of
//! the test, so that its value goes the way of every other value. What is expected is an expression,
//! too, over a record of what the run has left, whose columns are [`Figure`]s.

use std::collections::BTreeMap;

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{Column, Expr, Plan, RelationStep};
use crate::span::Span;
use crate::types::{Field, RecordType, Type, Value};

/// A test of one flow.
#[derive(Debug, Clone)]
pub struct Test {
    /// What stands in quotes.
    pub name: String,
    /// Where.
    pub span: Span,
    /// The flow, with its mocks in place.
    pub plan: Plan,
    /// The records that come in.
    pub given: Given,
    /// The records of joined sources that have some of their own here, by the name of the source.
    pub beside: BTreeMap<String, Vec<Expr>>,
    /// Stages of which every call fails.
    pub failing: Vec<Failing>,
    /// Disturbed endpoints.
    pub faults: Vec<Fault>,
    /// What expectations look at: the columns of their expressions, in order.
    pub figures: Vec<Figure>,
    /// What has to hold.
    pub expectations: Vec<Expectation>,
}

/// The records that come in.
#[derive(Debug, Clone)]
pub enum Given {
    /// So many of the flow's source, which is read again from the start when it is shorter.
    Of(u64),
    /// These, each an expression without columns for a record of the source's type.
    Records(Vec<Expr>),
}

/// `mock stage = error("message")`.
#[derive(Debug, Clone)]
pub struct Failing {
    /// Name of the stage in the plan.
    pub stage: String,
    /// What the calls fail with.
    pub message: String,
}

/// `fault endpoint { ... }`.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Name of the endpoint.
    pub endpoint: String,
    /// The rules as `--fault` of the simulator takes them: `status_429=30%,latency=500ms`.
    pub rules: String,
    /// What chance is drawn from.
    pub seed: u64,
    /// Where it is written.
    pub span: Span,
}

/// A column that expectations may read.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Its name and type.
    pub column: Column,
    /// What it is made of.
    pub source: FigureSource,
}

/// What a figure is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum FigureSource {
    /// The rows of the sink called so, a list of records.
    Sink(String),
    /// The dead letters, a list of records with the fields of [`dead_letter`].
    DeadLetters,
    /// The endpoint called so, a record with the fields of [`ENDPOINT_FIGURES`].
    Endpoint(String),
    /// A column of results by its registered name, times this.
    Result(&'static str, f64),
}

/// What a test knows of each endpoint.
pub const ENDPOINT_FIGURES: &[&str] = &[
    "calls",
    "ok",
    "errors",
    "attempts",
    "retries",
    "max_in_flight",
    "prompt_tokens",
    "completion_tokens",
    "tokens",
];

/// `expect condition`.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// As written, in one line.
    pub text: String,
    /// Where.
    pub span: Span,
    /// Over the figures; of type bool.
    pub condition: Expr,
    /// What is compared in it, to be shown when it does not hold.
    pub sides: Vec<Side>,
    /// What is to be equal: both sides of each `==`, literals among them.
    pub equals: Vec<(Side, Side)>,
}

impl Expectation {
    /// Says that it does not hold; `values` are those of its sides.
    pub fn unmet(&self, test: &str, values: &[String]) -> Diagnostic {
        let message = format!("`{}` does not hold in test \"{test}\"", self.text);
        let mut diagnostic = Diagnostic::error(codes::UNMET, self.span, message);
        for (side, value) in self.sides.iter().zip(values) {
            diagnostic = diagnostic.also(side.span, format!("this is {value}"));
        }
        diagnostic
    }
}

/// One side of a comparison.
#[derive(Debug, Clone)]
pub struct Side {
    /// As written.
    pub text: String,
    /// Where.
    pub span: Span,
    /// Over the figures.
    pub value: Expr,
    /// Its type.
    pub ty: Type,
}

/// A dead letter of this flow; `None` without a source.
pub fn dead_letter(plan: &Plan) -> Option<RecordType> {
    let field = |name: &str, ty| Field { name: name.to_owned(), ty, default: None, key: false };
    let optional = |ty| Type::Optional(Box::new(ty));
    let fields = vec![
        field("stage", Type::String),
        field("class", Type::String),
        field("attempts", Type::Int),
        field("status", optional(Type::Int)),
        field("message", Type::String),
        // Of a row that is no record it is null, whose fields are null, too.
        Field { default: Some(Value::Null), ..field("record", Type::Record(plan.given()?)) },
        // Of a record it is null.
        Field { default: Some(Value::Null), ..field("columns", Type::Record(columns(plan))) },
    ];
    Some(RecordType { name: "dead letter".to_owned(), fields })
}

/// What a row of the steps over all records may have had where it failed; a name that means two
/// things is left out.
fn columns(plan: &Plan) -> RecordType {
    let mut found: BTreeMap<String, Option<Type>> = BTreeMap::new();
    let mut add = |name: &str, ty: &Type| {
        let entry = found.entry(name.to_owned()).or_insert_with(|| Some(ty.clone()));
        if entry.as_ref() != Some(ty) {
            *entry = None;
        }
    };
    if let Some(relation) = plan.relation() {
        relation.columns.iter().for_each(|column| add(&column.name, &column.ty));
        for step in &relation.steps {
            match step {
                RelationStep::Compute(it) | RelationStep::FlatMap(it) => add(&it.name, &it.ty),
                RelationStep::Group(group) => {
                    group.columns.iter().for_each(|column| add(&column.name, &column.ty));
                }
                _ => {}
            }
        }
    }
    let fields = found.into_iter().filter_map(|(name, ty)| {
        let ty = match ty? {
            ty @ Type::Optional(_) => ty,
            ty => Type::Optional(Box::new(ty)),
        };
        Some(Field { name, ty, default: Some(Value::Null), key: false })
    });
    RecordType { name: "columns of a row".to_owned(), fields: fields.collect() }
}

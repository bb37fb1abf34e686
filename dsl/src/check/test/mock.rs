//! `mock`: a value in the place of what a stage would make.
//!
//! The stage becomes an expression over the record, and is from then on a stage like any other:
//! nothing that runs a plan knows of mocks.

use std::collections::BTreeMap;

use crate::ast::{self, ExprKind, TestPart};
use crate::catalog::{EndpointUse, StageClass};
use crate::check::names::Decl;
use crate::check::typed::{Shape, Typed};
use crate::check::{Checker, Place, Scope};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::lower;
use crate::plan::{Argument, EarlyStep, Expr, Function, Node, Plan, SourcePlan, StagePlan};
use crate::span::Span;
use crate::suggest::{self, did_you_mean};
use crate::testing::Failing;
use crate::types::{Field, RecordType, Type, Value};

/// What a target means: columns of the plan, and a field of them.
pub(super) struct Target {
    columns: Vec<usize>,
    field: Option<String>,
}

/// The stages called `target`, or those whose field it is. A name means the stages of all arms and
/// rounds that are called so; with its arm before it, those of that arm.
pub(super) fn find(plan: &Plan, target: &str) -> Option<Target> {
    let named = |wanted: &str| -> Vec<usize> {
        let own = plan.source().map_or(0, |source| source.record.fields.len());
        let columns = plan.columns.iter().enumerate().skip(own);
        columns.filter(|(_, it)| is_called(&it.name, wanted)).map(|(at, _)| at).collect()
    };
    let whole = named(target);
    if !whole.is_empty() {
        return Some(Target { columns: whole, field: None });
    }
    let (stage, field) = target.rsplit_once('.')?;
    let columns = named(stage);
    (!columns.is_empty()).then(|| Target { columns, field: Some(field.to_owned()) })
}

/// Whether the stage `name` of a plan (`multi.hits.2`) is written as `wanted`.
fn is_called(name: &str, wanted: &str) -> bool {
    let name = name.trim_start_matches('.');
    let last = |name: &'_ str| name.rsplit('.').next().is_some_and(|it| it.parse::<u32>().is_ok());
    let name = if last(name) { name.rsplit_once('.').map_or(name, |(name, _)| name) } else { name };
    name == wanted || name.strip_suffix(wanted).is_some_and(|arm| arm.ends_with('.'))
}

/// What is mocked of one column.
#[derive(Default)]
struct Mocked {
    whole: Option<Typed>,
    fields: BTreeMap<usize, Typed>,
}

impl Checker<'_> {
    /// Puts the mocks of a test into its plan; the stages whose calls are to fail.
    pub(super) fn mocks(&mut self, test: &ast::Test, plan: &mut Plan) -> Vec<Failing> {
        let mut mocked: BTreeMap<usize, Mocked> = BTreeMap::new();
        let mut failing = Vec::new();
        for part in &test.parts {
            let TestPart::Mock(mock) = part else { continue };
            let Some(target) = find(plan, &mock.target.text) else {
                self.no_such_stage(plan, &mock.target);
                continue;
            };
            if let Some(call) = self.error_call(&mock.value) {
                failing.extend(self.failing(plan, mock, &target, call));
                continue;
            }
            for column in target.columns {
                let entry = mocked.entry(column).or_default();
                self.mock(plan, mock, (column, target.field.as_deref()), entry);
            }
        }
        for (column, mocked) in mocked {
            put(plan, column, mocked);
        }
        failing
    }

    fn no_such_stage(&mut self, plan: &Plan, target: &ast::Name) {
        let written = |name: &'_ str| name.trim_start_matches('.').to_owned();
        let names: Vec<String> = plan.columns.iter().map(|column| written(&column.name)).collect();
        let own = plan.source().map_or(0, |source| source.record.fields.len());
        let stages = || names.iter().skip(own).map(String::as_str);
        let first = target.text.split('.').next().unwrap_or_default();
        let help = did_you_mean(&target.text, stages())
            .or_else(|| did_you_mean(first, stages()))
            .unwrap_or_else(|| match stages().next() {
                Some(_) => format!("its stages are {}", suggest::list(stages())),
                None => "it has no stage at all, so there is nothing to mock".to_owned(),
            });
        let help = match self.names.values.get(first) {
            Some((_, Decl::Endpoint(_))) => format!(
                "`{first}` is an endpoint; what is mocked is a stage that calls it, and {help}"
            ),
            _ => help,
        };
        let message = format!("flow `{}` has no stage `{first}`", plan.name);
        self.report(Diagnostic::error(codes::BAD_MOCK, target.span, message).help(help));
    }

    /// `error("...")`, unless a function is called so.
    fn error_call<'e>(&self, value: &'e ast::Expr) -> Option<&'e ast::Call> {
        match &value.kind {
            ExprKind::Call(call)
                if call.name.text == "error" && !self.names.values.contains_key("error") =>
            {
                Some(call)
            }
            _ => None,
        }
    }

    fn failing(
        &mut self,
        plan: &Plan,
        mock: &ast::Mock,
        target: &Target,
        call: &ast::Call,
    ) -> Vec<Failing> {
        let wrong = |span, message: &str, help: &str| {
            Diagnostic::error(codes::BAD_MOCK, span, message).help(help)
        };
        let text = match call.args.as_slice() {
            [ast::Arg { name: None, value }] => match &value.kind {
                ExprKind::Literal(Value::String(text)) => Some(text.clone()),
                _ => None,
            },
            _ => None,
        };
        let Some(message) = text else {
            let form = "write `error(\"what went wrong\")`";
            self.report(wrong(call.span, "a failing call says why, in one string", form));
            return Vec::new();
        };
        let calls: Vec<&StagePlan> = plan
            .nodes
            .iter()
            .filter_map(|node| match node {
                Node::Stage(stage) => Some(stage),
                _ => None,
            })
            .filter(|stage| target.columns.contains(&stage.column) && stage.endpoint.is_some())
            .collect();
        if target.field.is_some() || calls.is_empty() {
            let help = "only the calls of a stage with `on endpoint` can fail so";
            let message = format!("`{}` makes no calls", mock.target.text);
            self.report(wrong(mock.target.span, &message, help));
        }
        let failing =
            |stage: &&StagePlan| Failing { stage: stage.name.clone(), message: message.clone() };
        calls.iter().map(failing).collect()
    }

    /// Checks one mock against one column.
    fn mock(
        &mut self,
        plan: &Plan,
        mock: &ast::Mock,
        (column, field): (usize, Option<&str>),
        into: &mut Mocked,
    ) {
        let own = plan.source().map_or(0, |source| source.record.fields.len());
        let span = mock.target.span;
        let element = plan.source().and_then(|source| source.expand.as_ref()).map(|it| it.column);
        if element == Some(column) {
            let message = format!("`{}` is an element of a list, and no stage", mock.target.text);
            let help = "give records that have it, or mock the stage that makes the list";
            self.report(Diagnostic::error(codes::BAD_MOCK, span, message).help(help));
            return;
        }
        // Of what a source makes records of, the element is a part.
        let sees = element.filter(|element| column > *element).map_or(own, |element| element + 1);
        let columns = &plan.columns[..sees];
        let scope = Scope { columns, own, place: Place::Record, ..Scope::constant() };
        let ty = &plan.columns[column].ty;
        let twice = || {
            let message = format!("`{}` is mocked already", mock.target.text);
            Diagnostic::error(codes::BAD_MOCK, span, message)
        };
        self.slots = 0;
        let Some(field) = field else {
            let text = matches!(&mock.value.kind, ExprKind::Literal(Value::String(_)));
            if text && text_field(ty) {
                let name = &mock.target.text;
                let message = format!("stage `{name}` makes more than a text");
                let end = Span { start: span.end, ..span };
                self.report(
                    Diagnostic::error(codes::BAD_MOCK, span, message)
                        .help(format!("mock the text of it: `mock {name}.text = ...`"))
                        .fix(end, ".text"),
                );
                return;
            }
            let typed = self.want(&mock.value, &scope, &lenient(ty));
            if into.whole.replace(typed).is_some() || !into.fields.is_empty() {
                self.report(twice());
            }
            return;
        };
        let Type::Record(record) = super::super::fit::required(ty) else {
            if *ty != Type::Unknown {
                let message =
                    format!("`{}` is {ty}, which has no fields", plan.columns[column].name);
                let help = "mock the stage itself: `mock stage = value`";
                self.report(Diagnostic::error(codes::BAD_MOCK, span, message).help(help));
            }
            return;
        };
        let Some((at, found)) = record.field(field) else {
            let names = || record.fields.iter().map(|field| field.name.as_str());
            let help = did_you_mean(field, names())
                .unwrap_or_else(|| format!("its fields are {}", suggest::list(names())));
            let message = format!("{} has no field `{field}`", record.name);
            self.report(Diagnostic::error(codes::BAD_MOCK, span, message).help(help));
            return;
        };
        let typed = self.want(&mock.value, &scope, &lenient(&found.ty));
        if into.whole.is_some() || into.fields.insert(at, typed).is_some() {
            self.report(twice());
        }
    }
}

/// Whether a value is a record with a text in it, as what a model answers.
fn text_field(ty: &Type) -> bool {
    matches!(super::super::fit::required(ty), Type::Record(record)
        if record.field("text").is_some_and(|(_, field)| field.ty == Type::String))
}

/// A type whose records may leave out every field that has an empty value: who mocks something
/// writes down what the test is about.
fn lenient(ty: &Type) -> Type {
    match ty {
        Type::List(item) => Type::List(Box::new(lenient(item))),
        Type::Optional(inner) => Type::Optional(Box::new(lenient(inner))),
        Type::Record(record) => {
            let fields = record.fields.iter().map(|field| Field {
                ty: lenient(&field.ty),
                default: field.default.clone().or_else(|| empty(&field.ty)),
                ..field.clone()
            });
            Type::Record(RecordType { name: record.name.clone(), fields: fields.collect() })
        }
        other => other.clone(),
    }
}

/// The value of a field that a mock does not name, where there is one that says nothing.
fn empty(ty: &Type) -> Option<Value> {
    Some(match ty {
        Type::Int => Value::Int(0),
        Type::Float => Value::Float(0.0),
        Type::Bool => Value::Bool(false),
        Type::String => Value::String(String::new()),
        Type::Duration => Value::Duration(0),
        Type::Size => Value::Size(0),
        Type::Rate => Value::Rate(0.0),
        Type::Percent => Value::Percent(0.0),
        Type::Tokens => Value::Tokens(0),
        Type::List(_) => Value::List(Vec::new()),
        Type::Optional(_) => Value::Null,
        Type::Enum(item) => Value::String(item.variants.first()?.clone()),
        Type::Bytes | Type::Time | Type::Vector(_) | Type::Record(_) | Type::Unknown => {
            return None;
        }
    })
}

/// Puts a mock wherever its column is made: in the flow, and where it is foreseen while the source is
/// read.
fn put(plan: &mut Plan, column: usize, mocked: Mocked) {
    let generates =
        plan.stages().any(|stage| stage.column == column && stage.calls == EndpointUse::Generate);
    let value = match mocked.whole {
        Some(whole) => whole.expr,
        None => fields(&plan.columns[column].ty, generates, mocked.fields),
    };
    for node in &mut plan.nodes {
        match node {
            Node::Stage(stage) if stage.column == column => replace(stage, value.clone()),
            Node::Source(source) => {
                foreseen(source).into_iter().for_each(|step| foresee(step, column, &value));
            }
            _ => {}
        }
    }
}

/// All steps that a source does while it is read.
fn foreseen(source: &mut SourcePlan) -> Vec<&mut EarlyStep> {
    let mut steps: Vec<&mut EarlyStep> = Vec::new();
    steps.extend(source.distinct.iter_mut().flat_map(|it| &mut it.before));
    steps.extend(source.watermark.iter_mut().flat_map(|it| &mut it.before));
    if let Some(expand) = source.expand.as_deref_mut() {
        steps.extend(&mut expand.before);
        steps.extend(expand.distinct.iter_mut().flat_map(|it| &mut it.before));
    }
    steps
}

fn foresee(step: &mut EarlyStep, column: usize, mocked: &Expr) {
    match step {
        EarlyStep::Compute { column: own, value, .. } if *own == column => value.clone_from(mocked),
        EarlyStep::Stage(stage) if stage.column == column => {
            let (when, text) = (stage.when.clone(), stage.name.clone());
            *step = EarlyStep::Compute { column, value: mocked.clone(), when, text };
        }
        _ => {}
    }
}

/// Makes a stage the expression that it is mocked by.
fn replace(stage: &mut StagePlan, value: Expr) {
    let mut reads = lower::columns_read(&value);
    let guard = stage.when.as_ref().map(lower::columns_read).unwrap_or_default();
    reads.extend(guard.into_iter().filter(|column| !reads.contains(column)).collect::<Vec<_>>());
    "map".clone_into(&mut stage.kind);
    stage.args = vec![("value".to_owned(), Argument::Expr(value))];
    stage.texts.0.clear();
    stage.endpoint = None;
    stage.options = Vec::new();
    stage.reads = reads;
    stage.class = StageClass::Cheap;
    stage.calls = EndpointUse::None;
}

/// The record with these fields. What a generated text counts follows from the text.
fn fields(ty: &Type, generates: bool, mut given: BTreeMap<usize, Typed>) -> Expr {
    let Type::Record(record) = super::super::fit::required(ty) else {
        return Expr::Literal(Value::Null);
    };
    let text = record.field("text").and_then(|(at, _)| given.get(&at)).map(|it| it.expr.clone());
    if generates && let (Some(text), Some((tokens, field))) = (text, record.field("tokens")) {
        let expr = Expr::Call(Function::CountTokens, vec![text]);
        let ty = field.ty.clone();
        given.entry(tokens).or_insert(Typed { expr, ty, shape: Shape::default() });
    }
    let fields = record.fields.iter().enumerate().map(|(at, field)| match given.remove(&at) {
        Some(typed) => typed.expr,
        None => Expr::Literal(empty(&field.ty).unwrap_or(Value::Null)),
    });
    Expr::Record(fields.collect())
}

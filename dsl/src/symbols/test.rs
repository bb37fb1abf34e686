//! Names in a `test`: what is given, mocked, disturbed and expected belongs to one flow.
//!
//! Which flow that is follows from the names, by the rule of the checker; but here a test that is half
//! written has one, too: the flow that the most of it fits.

use super::SymbolKind;
use super::expression::record;
use super::walk::{Around, Walk};
use crate::ast::{self, ExprKind, Given, Step, TestPart};
use crate::span::Span;
use crate::types::RecordType;

impl<'a> Walk<'a> {
    pub(super) fn test(&mut self, test: &'a ast::Test) {
        let flow = self.tested(test);
        let name = flow.map(|flow| flow.name.text.as_str());
        let record = flow.and_then(|flow| self.record_of(&flow.steps));
        for part in &test.parts {
            match part {
                TestPart::Given(Given::Of(_, source)) => {
                    self.reference(SymbolKind::Source, source);
                }
                TestPart::Given(Given::Records { records, of, .. }) => {
                    self.expr(records, Around::default());
                    if let Some(source) = of {
                        self.reference(SymbolKind::Source, source);
                    }
                }
                TestPart::Mock(mock) => {
                    self.target(name, &mock.target);
                    // A mock reads the record, and the stages before the one it stands for.
                    self.expr(&mock.value, Around { flow: name, record, function: None });
                }
                TestPart::Fault(fault) => {
                    self.reference(SymbolKind::Endpoint, &fault.endpoint);
                    self.block(&fault.block, Around::default());
                }
                TestPart::Expect(condition) => self.expr(condition, Around::default()),
            }
        }
    }

    /// `stage`, `stage.field`, `arm.stage` or `arm.stage.field`: each word at its own place.
    fn target(&mut self, flow: Option<&str>, target: &'a ast::Name) {
        let Some(flow) = flow else { return };
        let mut start = target.span.start + leading_dot(&target.text);
        let mut of_record: Option<RecordType> = None;
        for word in target.text.trim_start_matches('.').split('.') {
            let span = Span { start, end: start + word.len() as u32, ..target.span };
            start = span.end + 1;
            if let Some(of) = of_record.take() {
                self.note_at(SymbolKind::Field, Some(&of.name), word, span, false);
                of.field(word).into_iter().for_each(|(_, field)| self.know(field.ty.clone()));
                return;
            }
            if self.columns.contains(&(flow, word)) {
                let ty = self.type_of(SymbolKind::Column, flow, word).and_then(record);
                of_record = ty.cloned();
                self.note_at(SymbolKind::Column, Some(flow), word, span, false);
            } else if let Some(of) = self.variant_called(word) {
                // The arm of a route that the stage is in.
                self.note_at(SymbolKind::Variant, Some(&of), word, span, false);
            }
        }
    }

    /// The flow that a test is about, as far as that can be told.
    fn tested(&self, test: &'a ast::Test) -> Option<&'a ast::Flow> {
        let fits = |flow: &ast::Flow| test.parts.iter().filter(|it| self.fits(it, flow)).count();
        // The first of those that fit best.
        self.flows.iter().copied().rev().max_by_key(|flow| fits(flow))
    }

    fn fits(&self, part: &TestPart, flow: &ast::Flow) -> bool {
        let source = flow.steps.iter().find_map(|step| match step {
            Step::From(name, _) => Some(name.text.as_str()),
            _ => None,
        });
        match part {
            TestPart::Given(Given::Of(_, name)) => source == Some(name.text.as_str()),
            TestPart::Given(Given::Records { of: Some(name), .. }) => {
                joins(&flow.steps, &name.text)
            }
            TestPart::Given(Given::Records { records, .. }) => {
                let of_flow = self.record_of(&flow.steps);
                first_record(records).is_none_or(|given| Some(given) == of_flow)
            }
            TestPart::Mock(mock) => {
                let mut words = mock.target.text.split('.');
                words.any(|word| self.columns.contains(&(flow.name.text.as_str(), word)))
            }
            TestPart::Expect(condition) => emits(&flow.steps, &mut |sink| names(condition, sink)),
            TestPart::Fault(_) => false,
        }
    }
}

fn leading_dot(text: &str) -> u32 {
    u32::from(text.starts_with('.'))
}

/// Name of the type of the first record that is given.
fn first_record(records: &ast::Expr) -> Option<&str> {
    match &records.kind {
        ExprKind::Record(Some(name), _) => Some(&name.text),
        ExprKind::List(items) => items.iter().find_map(first_record),
        _ => None,
    }
}

/// Whether the steps join the source `wanted`, or begin with it.
fn joins(steps: &[Step], wanted: &str) -> bool {
    steps.iter().any(|step| match step {
        Step::From(name, _) => name.text == wanted,
        Step::Join(join) => join.source.text == wanted,
        _ => false,
    })
}

/// Whether one of the sinks that the steps emit to is `wanted`.
fn emits(steps: &[Step], wanted: &mut dyn FnMut(&str) -> bool) -> bool {
    steps.iter().any(|step| match step {
        Step::Emit(emit) => wanted(&emit.sink.text),
        Step::Route(route) => route.arms.iter().any(|arm| emits(&arm.steps, wanted)),
        Step::Loop(repeat) => emits(&repeat.steps, wanted),
        _ => false,
    })
}

/// Whether a condition names something.
fn names(expr: &ast::Expr, wanted: &str) -> bool {
    let inside = |expr: &ast::Expr| names(expr, wanted);
    match &expr.kind {
        ExprKind::Name(name) => name == wanted,
        ExprKind::Field(inner, _) | ExprKind::Unary(_, inner) => inside(inner),
        ExprKind::At(a, b) | ExprKind::Binary(_, a, b) => inside(a) || inside(b),
        ExprKind::Call(call) => call.args.iter().any(|arg| inside(&arg.value)),
        ExprKind::If(a, b, c) => inside(a) || inside(b) || inside(c),
        ExprKind::Match(subject, cases) => {
            inside(subject) || cases.iter().any(|(_, result)| inside(result))
        }
        ExprKind::List(items) => items.iter().any(inside),
        ExprKind::Record(..) | ExprKind::Literal(_) | ExprKind::Own(_) | ExprKind::Bad => false,
    }
}

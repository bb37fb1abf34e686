//! Tests: which flow is meant, and that what is given, mocked, disturbed and expected fits it.

mod expect;
mod fault;
mod given;
mod mock;

#[cfg(test)]
pub(crate) use fault::fault_names;

use super::Checker;
use crate::ast::{self, ExprKind, Given, TestPart};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::Plan;
use crate::rewrite;
use crate::suggest;
use crate::testing::Test;

/// What is found in a test when its flow is not whole.
const FOLLOWS: [&str; 5] = [
    codes::BAD_MOCK,
    codes::TEST_FLOW,
    codes::WRONG_DECLARATION,
    codes::UNKNOWN_NAME,
    codes::UNKNOWN_FIELD,
];

impl Checker<'_> {
    /// The tests of the main file, over its flows before they are put in order. If one of those is
    /// `broken`, a stage or an emit may be missing in it, and what a test says of it is no mistake.
    pub(super) fn tests(&mut self, flows: &[Plan], broken: bool) -> Vec<Test> {
        let written = std::mem::take(&mut self.names.tests);
        let broken = broken || self.diagnostics.iter().any(Diagnostic::is_error);
        let before = broken.then_some(self.diagnostics.len());
        let tests = written.into_iter().filter_map(|test| self.test(test, flows)).collect();
        if let Some(before) = before {
            let found = self.diagnostics.split_off(before);
            self.diagnostics.extend(found.into_iter().filter(|it| !FOLLOWS.contains(&it.code)));
        }
        tests
    }

    fn test(&mut self, test: &ast::Test, flows: &[Plan]) -> Option<Test> {
        self.lacks(test);
        let mut plan = self.tested(test, flows)?.clone();
        // A test looks at what a run leaves, not at how it goes.
        plan.measures.clear();
        let given = self.given_records(test, &plan);
        let failing = self.mocks(test, &mut plan);
        let faults = self.faults(test);
        let whole = plan.clone();
        if !self.failed() {
            plan = rewrite::rewritten(plan);
        }
        let figures = self.figures(&whole, &plan);
        let expectations = self.expectations(test, &figures);
        if self.failed() {
            return None;
        }
        let (name, span) = (test.name.text.clone(), test.name.span);
        let (given, beside) = given?;
        Some(Test { name, span, plan, given, beside, failing, faults, figures, expectations })
    }

    /// Says so when a test could not fail.
    fn lacks(&mut self, test: &ast::Test) {
        let has = |wanted: fn(&TestPart) -> bool| test.broken || test.parts.iter().any(wanted);
        let given = has(|part| matches!(part, TestPart::Given(_)));
        let expect = has(|part| matches!(part, TestPart::Expect(_)));
        let (message, help) = match (given, expect) {
            (true, true) => return,
            (false, _) => {
                ("this test is given no records", "as in `given 10 of source` or `given Type { }`")
            }
            _ => (
                "this test expects nothing",
                "say what has to hold, as in `expect sink.count == 1`",
            ),
        };
        self.report(Diagnostic::error(codes::TEST_LACKS, test.name.span, message).help(help));
    }

    /// The one flow that a test is about.
    fn tested<'p>(&mut self, test: &ast::Test, flows: &'p [Plan]) -> Option<&'p Plan> {
        let fitting: Vec<&Plan> = flows.iter().filter(|plan| self.fits_test(test, plan)).collect();
        match (fitting.as_slice(), flows) {
            // With one flow there is no question, and what does not fit is said where it stands.
            ([one], _) => Some(*one),
            ([], [one]) => Some(one),
            (_, []) => {
                if !self.failed() {
                    let message = "there is no flow to test";
                    self.report(Diagnostic::error(codes::TEST_FLOW, test.name.span, message));
                }
                None
            }
            (several, all) => {
                let (message, shown) = if several.is_empty() {
                    ("this test fits none of the flows", all.iter().collect::<Vec<_>>())
                } else {
                    ("this test fits several flows", several.to_vec())
                };
                let names = suggest::list(shown.iter().map(|plan| plan.name.as_str()));
                self.report(Diagnostic::error(codes::TEST_FLOW, test.name.span, message).help(
                    format!(
                        "there are {names}; give records of the source of one (`given 10 of \
                         source`), mock one of its stages, or look at a sink that only it has"
                    ),
                ));
                None
            }
        }
    }

    fn fits_test(&self, test: &ast::Test, plan: &Plan) -> bool {
        let source = plan.source();
        test.parts.iter().all(|part| match part {
            TestPart::Given(Given::Of(_, name)) => {
                source.is_some_and(|source| source.name == name.text)
            }
            TestPart::Given(Given::Records { of: Some(name), .. }) => {
                given::joined(plan, &name.text).is_some()
                    || source.is_some_and(|source| source.name == name.text)
            }
            TestPart::Given(Given::Records { records, .. }) => given::type_names(records)
                .all(|name| source.is_some_and(|source| source.record.name == name)),
            TestPart::Mock(it) => mock::find(plan, &it.target.text).is_some(),
            TestPart::Fault(_) => true,
            TestPart::Expect(expr) => {
                let mut sinks = Vec::new();
                self.sinks_in(expr, &mut sinks);
                let emits = |name: &&str| {
                    let at = plan.sinks.iter().position(|sink| sink.name == **name);
                    at.is_some_and(|at| expect::emits_to(plan, at))
                };
                sinks.iter().all(emits)
            }
        })
    }

    /// Names of declared sinks in an expression.
    fn sinks_in<'e>(&self, expr: &'e ast::Expr, found: &mut Vec<&'e str>) {
        match &expr.kind {
            ExprKind::Name(name) => {
                let decl = self.names.values.get(name.as_str());
                if matches!(decl, Some((_, super::names::Decl::Sink(_)))) {
                    found.push(name);
                }
            }
            ExprKind::Field(inner, _) | ExprKind::Unary(_, inner) => self.sinks_in(inner, found),
            ExprKind::At(a, b) | ExprKind::Binary(_, a, b) => {
                self.sinks_in(a, found);
                self.sinks_in(b, found);
            }
            ExprKind::Call(call) => {
                call.args.iter().for_each(|arg| self.sinks_in(&arg.value, found));
            }
            ExprKind::If(a, b, c) => [a, b, c].into_iter().for_each(|it| self.sinks_in(it, found)),
            ExprKind::List(items) => items.iter().for_each(|item| self.sinks_in(item, found)),
            ExprKind::Match(subject, cases) => {
                self.sinks_in(subject, found);
                cases.iter().for_each(|(_, body)| self.sinks_in(body, found));
            }
            _ => {}
        }
    }
}

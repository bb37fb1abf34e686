//! `given`: the records of a test.

use crate::ast::{self, ExprKind, TestPart};
use crate::check::{Checker, Scope};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::Plan;
use crate::testing::Given;
use crate::types::Type;

/// Records of a test; each test is a run.
const MOST: u64 = 100_000;

/// Names of the types of written records.
pub(super) fn type_names(records: &ast::Expr) -> impl Iterator<Item = &str> {
    items(records).iter().filter_map(|item| match &item.kind {
        ExprKind::Record(Some(name), _) => Some(name.text.as_str()),
        _ => None,
    })
}

/// One record, or those of a list.
fn items(records: &ast::Expr) -> &[ast::Expr] {
    match &records.kind {
        ExprKind::List(items) => items,
        _ => std::slice::from_ref(records),
    }
}

impl Checker<'_> {
    pub(super) fn given_records(&mut self, test: &ast::Test, plan: &Plan) -> Option<Given> {
        let source = plan.source()?;
        let mut records = Vec::new();
        let mut of = None;
        let mut first = None;
        for part in &test.parts {
            let TestPart::Given(given) = part else { continue };
            let (span, counted) = match given {
                ast::Given::Of(count, source) => (count.span.to(source.span), true),
                ast::Given::Records(_, span) => (*span, false),
            };
            if let Some((before, was_counted)) = first
                && (counted || was_counted)
            {
                let message = "a test is given records, or a number of those of its source, once";
                self.report(
                    Diagnostic::error(codes::BAD_GIVEN, span, message).also(before, "given here"),
                );
                return None;
            }
            first.get_or_insert((span, counted));
            match given {
                ast::Given::Of(count, name) => {
                    of = self.records_given(count);
                    if name.text != source.name {
                        let known = [source.name.clone()];
                        self.wrong_reference(name, "source of the flow", &known, "");
                        return None;
                    }
                    let outside = match source.kind.as_str() {
                        "stdin" => Some("a test does not read its standard input"),
                        "http_get" => Some("a test asks no server"),
                        "http" => Some("nobody asks while a test runs"),
                        "kafka" => Some("a test does not read a topic"),
                        _ => None,
                    };
                    if let Some(message) = outside {
                        self.report(
                            Diagnostic::error(codes::BAD_GIVEN, name.span, message)
                                .help("write the records out: `given Type { field: value }`"),
                        );
                        return None;
                    }
                }
                ast::Given::Records(written, _) => {
                    let wanted = Type::Record(source.record.clone());
                    if let ExprKind::Name(name) = &written.kind
                        && *name == source.name
                    {
                        let message = format!("`{name}` is a source; a test takes some of it");
                        self.report(
                            Diagnostic::error(codes::BAD_GIVEN, written.span, message)
                                .help(format!("write `given 10 of {name}`")),
                        );
                        return None;
                    }
                    for item in items(written) {
                        self.slots = 0;
                        let typed = self.want(item, &Scope::constant(), &wanted);
                        records.push(typed.expr);
                    }
                }
            }
        }
        Some(of.map_or(Given::Records(records), Given::Of))
    }

    fn records_given(&mut self, written: &ast::Name) -> Option<u64> {
        let digits = written.text.replace('_', "");
        let count = digits.parse().ok().filter(|count| (1..=MOST).contains(count));
        if count.is_none() {
            let message = format!("a number of records is a whole number from 1 to {MOST}");
            self.report(Diagnostic::error(codes::BAD_GIVEN, written.span, message));
        }
        count
    }
}

//! `given`: the records of a test.

use std::collections::BTreeMap;

use crate::ast::{self, ExprKind, TestPart};
use crate::check::{Checker, Scope};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{Expr, Plan, RelationPlan, SourcePlan};
use crate::span::Span;
use crate::testing::Given;
use crate::types::Type;

/// Records of a test; each test is a run.
const MOST: u64 = 100_000;

/// Records of joined sources, by the name of the source.
type Beside = BTreeMap<String, Vec<Expr>>;

/// Names of the types of written records.
pub(super) fn type_names(records: &ast::Expr) -> impl Iterator<Item = &str> {
    items(records).iter().filter_map(|item| match &item.kind {
        ExprKind::Record(Some(name), _) => Some(name.text.as_str()),
        _ => None,
    })
}

/// The source called `name` that the flow joins.
pub(super) fn joined<'p>(plan: &'p Plan, name: &str) -> Option<&'p SourcePlan> {
    let mut sources = plan.relation()?.joined().map(|join| &join.source);
    sources.find(|source| source.name == name)
}

/// One record, or those of a list.
fn items(records: &ast::Expr) -> &[ast::Expr] {
    match &records.kind {
        ExprKind::List(items) => items,
        _ => std::slice::from_ref(records),
    }
}

impl Checker<'_> {
    pub(super) fn given_records(
        &mut self,
        test: &ast::Test,
        plan: &Plan,
    ) -> Option<(Given, Beside)> {
        let source = plan.source()?;
        let mut records = Vec::new();
        let mut beside = Beside::new();
        let mut of = None;
        let mut first = None;
        for part in &test.parts {
            let TestPart::Given(given) = part else { continue };
            if let ast::Given::Records { records: written, of: Some(name), .. } = given
                && name.text != source.name
            {
                let Some(joined) = joined(plan, &name.text) else {
                    let mut known = vec![source.name.clone()];
                    let joined = plan.relation().into_iter().flat_map(RelationPlan::joined);
                    known.extend(joined.map(|join| join.source.name.clone()));
                    self.wrong_reference(name, "source of the flow", &known, "");
                    return None;
                };
                let rows = self.written_records(written, joined);
                beside.entry(name.text.clone()).or_default().extend(rows);
                continue;
            }
            let (span, counted) = match given {
                ast::Given::Of(count, source) => (count.span.to(source.span), true),
                ast::Given::Records { span, .. } => (*span, false),
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
                    self.some_of(name, plan, source)?;
                }
                ast::Given::Records { records: written, .. } => {
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
                    self.not_of_joined(written, plan, source)?;
                    records.extend(self.written_records(written, source));
                }
            }
        }
        if first.is_none() && !beside.is_empty() && !test.broken {
            let message = format!("this test is given no records of `{}`", source.name);
            self.report(
                Diagnostic::error(codes::TEST_LACKS, test.name.span, message)
                    .help(format!("as in `given 10 of {}`", source.name)),
            );
            return None;
        }
        Some((of.map_or(Given::Records(records), Given::Of), beside))
    }

    fn written_records(&mut self, written: &ast::Expr, source: &SourcePlan) -> Vec<Expr> {
        let wanted = Type::Record(source.record.clone());
        let mut records = Vec::new();
        for item in items(written) {
            self.slots = 0;
            records.push(self.want(item, &Scope::constant(), &wanted).expr);
        }
        records
    }

    /// Records of a joined source that do not say so.
    fn not_of_joined(
        &mut self,
        written: &ast::Expr,
        plan: &Plan,
        source: &SourcePlan,
    ) -> Option<()> {
        let named = type_names(written).find(|name| *name != source.record.name);
        let Some(name) = named else { return Some(()) };
        let relation = plan.relation();
        let mut joined = relation.into_iter().flat_map(RelationPlan::joined);
        let Some(join) = joined.find(|join| join.source.record.name == name) else {
            return Some(());
        };
        let joined = &join.source.name;
        let message = format!("records of `{joined}` are none of `{}`", source.name);
        let end = Span { start: written.span.end, ..written.span };
        self.report(
            Diagnostic::error(codes::BAD_GIVEN, written.span, message)
                .help(format!("name the source that they are of: `given [...] of {joined}`"))
                .fix(end, format!(" of {joined}")),
        );
        None
    }

    /// `10 of name`: the source of the flow, and one that a test can read.
    fn some_of(&mut self, name: &ast::Name, plan: &Plan, source: &SourcePlan) -> Option<()> {
        let (message, help) = if joined(plan, &name.text).is_some() {
            (
                "a joined source is read as a whole",
                format!("write its records out, as in `given [Type {{ }}] of {}`", name.text),
            )
        } else if name.text == source.name {
            let message = match source.kind.as_str() {
                "stdin" => "a test does not read its standard input",
                "http_get" => "a test asks no server",
                "http" => "nobody asks while a test runs",
                "kafka" => "a test does not read a topic",
                _ => return Some(()),
            };
            (message, "write the records out: `given Type { field: value }`".to_owned())
        } else {
            let known = [source.name.clone()];
            self.wrong_reference(name, "source of the flow", &known, "");
            return None;
        };
        self.report(Diagnostic::error(codes::BAD_GIVEN, name.span, message).help(help));
        None
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

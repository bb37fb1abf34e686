//! `expect`: conditions over what a run has left.

use crate::ast::{self, ExprKind, TestPart};
use crate::check::condition::unit::Unit;
use crate::check::step::one_line;
use crate::check::{Checker, Place, Scope};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{BinaryOp, Column, Expr, Node, Plan};
use crate::testing::{ENDPOINT_FIGURES, Expectation, Figure, FigureSource, Side, dead_letter};
use crate::types::{Field, RecordType, Type};

/// The list of what failed, in an expectation.
const DEAD_LETTERS: &str = "dead_letters";
/// The number of rows, and what else it is called; only the first is right.
const COUNTS: [&str; 4] = ["count", "length", "len", "size"];
/// Sides that are shown of one expectation.
const MOST_SIDES: usize = 8;

impl Checker<'_> {
    /// What expectations about a flow may look at, which `runs` so. The first of a name is meant.
    pub(super) fn figures(&self, plan: &Plan, runs: &Plan) -> Vec<Figure> {
        let mut figures = Vec::new();
        let mut add = |name: &str, ty, source| {
            figures.push(Figure { column: Column { name: name.to_owned(), ty }, source });
        };
        for (at, sink) in plan.sinks.iter().enumerate() {
            if emits_to(plan, at) {
                let rows = Type::List(Box::new(Type::Record(sink.record.clone())));
                add(&sink.name, rows, FigureSource::Sink(sink.name.clone()));
            }
        }
        for endpoint in &plan.endpoints {
            let record = Type::Record(endpoint_record());
            add(&endpoint.name, record, FigureSource::Endpoint(endpoint.name.clone()));
        }
        if let Some(letter) = dead_letter(runs) {
            let letters = Type::List(Box::new(Type::Record(letter)));
            add(DEAD_LETTERS, letters, FigureSource::DeadLetters);
        }
        for (name, aliases) in self.input.catalog.columns {
            let (quantity, factor) = match Unit::of_column(name) {
                Unit::Time(ns) => (Type::Duration, ns),
                Unit::Rate => (Type::Rate, 1.0),
                Unit::Tokens => (Type::Tokens, 1.0),
                Unit::Plain | Unit::Share | Unit::Derived => (Type::Float, 1.0),
            };
            let bare = name.rsplit_once('_').map_or(*name, |(bare, _)| bare);
            let bare = if quantity == Type::Duration { bare } else { name };
            for alias in [bare].iter().chain(*aliases) {
                add(alias, quantity.clone(), FigureSource::Result(name, factor));
            }
            if quantity == Type::Duration {
                add(name, Type::Float, FigureSource::Result(name, 1.0));
            }
        }
        figures
    }

    pub(super) fn expectations(
        &mut self,
        test: &ast::Test,
        figures: &[Figure],
    ) -> Vec<Expectation> {
        let columns: Vec<Column> = figures.iter().map(|figure| figure.column.clone()).collect();
        let scope = Scope { columns: &columns, place: Place::Outcome, ..Scope::constant() };
        let mut expectations = Vec::new();
        for part in &test.parts {
            let TestPart::Expect(written) = part else { continue };
            self.other_counts(written, &columns);
            let plain = self.plain(written, &columns);
            self.slots = 0;
            let before = self.diagnostics.len();
            let condition = self.condition(&plain, &scope);
            if let Some(found) = self.diagnostics.get_mut(before)
                && let Some(rows) = field_called_count(written, &columns)
            {
                let help = format!(
                    "`{rows}.count` is a field here; how many rows there are is `length({rows})`"
                );
                found.help = Some(help);
            }
            if condition.is_poison() {
                continue;
            }
            let (mut sides, mut equals) = (Vec::new(), Vec::new());
            self.sides_of(&plain, &scope, &mut sides);
            self.equals_of(&plain, &scope, &mut equals);
            let text = one_line(self.input.sources.text(written.span));
            let (span, condition) = (written.span, condition.expr);
            expectations.push(Expectation { text, span, condition, sides, equals });
        }
        expectations
    }

    /// What is compared with something else in a condition.
    fn sides_of(&mut self, written: &ast::Expr, scope: &Scope<'_>, sides: &mut Vec<Side>) {
        use BinaryOp::{And, Contains, Eq, Ge, Gt, In, Le, Lt, Ne, Or};
        match &written.kind {
            ExprKind::Unary(_, inner) => self.sides_of(inner, scope, sides),
            ExprKind::Binary(And | Or, a, b) => {
                self.sides_of(a, scope, sides);
                self.sides_of(b, scope, sides);
            }
            ExprKind::Binary(Eq | Ne | Lt | Le | Gt | Ge | Contains | In, a, b) => {
                for side in [a, b] {
                    self.side(side, scope, sides);
                }
            }
            _ => self.side(written, scope, sides),
        }
    }

    /// What is to be equal, as far as all of it has to hold.
    fn equals_of(
        &mut self,
        written: &ast::Expr,
        scope: &Scope<'_>,
        equals: &mut Vec<(Side, Side)>,
    ) {
        match &written.kind {
            ExprKind::Binary(BinaryOp::And, a, b) => {
                self.equals_of(a, scope, equals);
                self.equals_of(b, scope, equals);
            }
            ExprKind::Binary(BinaryOp::Eq, a, b) if equals.len() < MOST_SIDES => {
                let left = self.one_side(a, scope, None);
                let right = self.one_side(b, scope, left.as_ref().map(|left| &left.ty));
                equals.extend(left.zip(right));
            }
            _ => {}
        }
    }

    /// A side by itself; one that means nothing alone is no finding.
    fn one_side(
        &mut self,
        written: &ast::Expr,
        scope: &Scope<'_>,
        wanted: Option<&Type>,
    ) -> Option<Side> {
        let before = self.diagnostics.len();
        self.slots = 0;
        let typed = self.expr(written, scope, wanted);
        self.diagnostics.truncate(before);
        let text = one_line(self.input.sources.text(written.span));
        let poison = typed.is_poison();
        let side = Side { text, span: written.span, value: typed.expr, ty: typed.ty };
        (!poison).then_some(side)
    }

    fn side(&mut self, written: &ast::Expr, scope: &Scope<'_>, sides: &mut Vec<Side>) {
        let text = one_line(self.input.sources.text(written.span));
        let shown = sides.iter().any(|side| side.text == text);
        if sides.len() >= MOST_SIDES || shown || matches!(written.kind, ExprKind::Literal(_)) {
            return;
        }
        // A word that is a variant beside its enum means nothing alone.
        let side = self.one_side(written, scope, None);
        sides.extend(side.filter(|side| !matches!(side.value, Expr::Literal(_))));
    }

    /// Words of other languages for the number of rows.
    fn other_counts(&mut self, written: &ast::Expr, columns: &[Column]) {
        match &written.kind {
            ExprKind::Field(inner, name)
                if COUNTS[1..].contains(&name.text.as_str())
                    && is_list(inner, &name.text, columns) =>
            {
                let rows = one_line(self.input.sources.text(inner.span));
                let message = format!("the number of rows is `{rows}.count`");
                self.report(
                    Diagnostic::error(codes::UNKNOWN_FIELD, name.span, message)
                        .fix(name.span, "count"),
                );
            }
            ExprKind::Unary(_, inner) => self.other_counts(inner, columns),
            ExprKind::Binary(_, a, b) => {
                self.other_counts(a, columns);
                self.other_counts(b, columns);
            }
            _ => {}
        }
    }

    /// The expression without what only expectations have: `answers.count`, and `p99(latency)` for
    /// the column `latency_p99`.
    fn plain(&self, written: &ast::Expr, columns: &[Column]) -> ast::Expr {
        let boxed = |inner: &ast::Expr| Box::new(self.plain(inner, columns));
        let kind = match &written.kind {
            ExprKind::Field(inner, name)
                if COUNTS.contains(&name.text.as_str()) && is_list(inner, &name.text, columns) =>
            {
                let length = ast::Name { text: "length".to_owned(), span: name.span };
                let args = vec![ast::Arg { name: None, value: self.plain(inner, columns) }];
                ExprKind::Call(ast::Call { name: length, args, span: written.span })
            }
            ExprKind::Call(call) => match self.statistic(call) {
                Some((column, labels)) if labels.is_empty() => {
                    let bare = column.rsplit_once('_').map_or(column, |(bare, _)| bare);
                    let known = columns.iter().any(|column| column.name == bare);
                    ExprKind::Name(if known { bare } else { column }.to_owned())
                }
                _ => {
                    let args = call.args.iter().map(|arg| ast::Arg {
                        name: arg.name.clone(),
                        value: self.plain(&arg.value, columns),
                    });
                    ExprKind::Call(ast::Call { args: args.collect(), ..call.clone() })
                }
            },
            ExprKind::Field(inner, name) => ExprKind::Field(boxed(inner), name.clone()),
            ExprKind::At(a, b) => ExprKind::At(boxed(a), boxed(b)),
            ExprKind::Unary(op, inner) => ExprKind::Unary(*op, boxed(inner)),
            ExprKind::Binary(op, a, b) => ExprKind::Binary(*op, boxed(a), boxed(b)),
            ExprKind::If(a, b, c) => ExprKind::If(boxed(a), boxed(b), boxed(c)),
            ExprKind::List(items) => {
                ExprKind::List(items.iter().map(|item| self.plain(item, columns)).collect())
            }
            other => other.clone(),
        };
        ast::Expr { kind, span: written.span }
    }
}

/// Whether `count` of it is how many there are: a list whose records have no field of that name.
fn is_list(inner: &ast::Expr, count: &str, columns: &[Column]) -> bool {
    match item_of(inner, columns) {
        Some(Type::Record(record)) => record.field(count).is_none(),
        item => item.is_some(),
    }
}

/// The type of what a list holds that is called by its name.
fn item_of<'c>(inner: &ast::Expr, columns: &'c [Column]) -> Option<&'c Type> {
    let ExprKind::Name(name) = &inner.kind else { return None };
    match &columns.iter().find(|column| column.name == *name)?.ty {
        Type::List(item) => Some(item),
        _ => None,
    }
}

/// The list of which an expression names a field `count`.
fn field_called_count<'e>(written: &'e ast::Expr, columns: &[Column]) -> Option<&'e str> {
    match &written.kind {
        ExprKind::Field(inner, name) if name.text == COUNTS[0] => match &inner.kind {
            ExprKind::Name(rows) => match item_of(inner, columns) {
                Some(Type::Record(record)) => record.field(COUNTS[0]).map(|_| rows.as_str()),
                _ => None,
            },
            _ => None,
        },
        ExprKind::Unary(_, inner) => field_called_count(inner, columns),
        ExprKind::Binary(_, a, b) => {
            field_called_count(a, columns).or_else(|| field_called_count(b, columns))
        }
        _ => None,
    }
}

/// Whether a flow emits to the sink at this position.
pub(super) fn emits_to(plan: &Plan, sink: usize) -> bool {
    plan.nodes.iter().any(|node| match node {
        Node::Emit(emit) => emit.sink == sink,
        Node::Relate(relation) => relation.emits().any(|emit| emit.sink == sink),
        Node::Source(_) | Node::Filter(_) | Node::Stage(_) | Node::Schedule => false,
    })
}

fn endpoint_record() -> RecordType {
    let field =
        |name: &&str| Field { name: (*name).to_owned(), ty: Type::Int, default: None, key: false };
    let name = "an endpoint".to_owned();
    RecordType { name, fields: ENDPOINT_FIGURES.iter().map(field).collect() }
}

//! Steps over all records: where they begin, and what may follow.
//!
//! The first of them ends the life of a record as a task. What is in sight behind it are the columns
//! that it leaves, all of them fields: `.n` is an aggregate as `.id` was a field of the source.

use super::Checker;
use super::body::{Body, Hidden, Level, Open};
use super::step::one_line;
use crate::ast::{self, Step};
use crate::catalog::EndpointUse;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::lower;
use crate::plan::{
    Argument, Column, ComputePlan, Expr, FilterPlan, LatestPlan, Node, RelationPlan, RelationStep,
};
use crate::span::Span;
use crate::types::{Type, Value};

/// The steps over all records of a flow, while they are checked.
pub(super) struct Relation {
    pub(super) plan: RelationPlan,
    /// Columns of the record in flight, for the plan.
    columns: Vec<Column>,
    measured: Vec<(String, Span)>,
    own: usize,
}

/// Names of the numbers behind a contribution. No name of the language begins with a dot.
pub(super) const NUMBERS: [&str; 2] = [".task", ".record"];

/// What may stand behind a step over all records.
const FOLLOW: &str = "behind it stand `where`, `stage` with a plain expression, `group`, `dedup`, `flat_map`, `join` and `emit`";

impl<'a> Checker<'a> {
    /// Whether a step over all records may stand here; says so if not.
    pub(super) fn relates_here(&mut self, word: &str, span: Span, level: &Level) -> bool {
        if level.turns.is_empty() {
            return true;
        }
        let message = format!("a `{word}` stands in the flow itself, not in an arm or a loop");
        self.report(Diagnostic::error(codes::BAD_GROUP, span, message).help(
            "it is over all records; move it behind the route or loop, and use `where` for those of an arm",
        ));
        false
    }

    /// A step behind one over all records.
    pub(super) fn relation_step(&mut self, step: &'a Step, level: &mut Level, body: &mut Body) {
        let (word, span) = match step {
            Step::Where(written) => return self.relation_filter(written, level, body),
            Step::Stage(stage) => return self.relation_stage(stage, body),
            Step::Emit(emit) => return self.relation_emit(emit, level, body),
            Step::Group(group) => return self.group_step(group, level, body),
            Step::Dedup(dedup) => return self.dedup(dedup, level, body),
            Step::FlatMap(name, list) => return self.flat_map(name, (list, &[]), level, body),
            Step::Join(join) => return self.join_step(join, level, body),
            Step::From(name, _) => ("from", name.span),
            Step::Route(route) => ("route", route.span),
            Step::Loop(repeat) => ("loop", repeat.span),
            Step::Carry(carry) => ("carry", carry.span),
        };
        let message = format!("a `{word}` behind a step over all records");
        let mut diagnostic = Diagnostic::error(codes::AFTER_GROUP, span, message).help(FOLLOW);
        if let Some(began) = &body.began {
            diagnostic = diagnostic.also(began.span, "from here on it is about all records");
        }
        self.report(diagnostic);
    }

    fn relation_filter(&mut self, written: &'a ast::Expr, level: &mut Level, body: &mut Body) {
        if let Some(before) = level.emitted {
            let message = "a `where` after an `emit`";
            self.report(
                Diagnostic::error(codes::WHERE_AFTER_EMIT, written.span, message)
                    .also(before, "rows have left the flow here")
                    .help("move it up, or write the condition at the emits: `emit ... into sink if condition`"),
            );
        }
        self.slots = 0;
        let typed = self.condition(written, &body.scope());
        if typed.is_poison() {
            return;
        }
        let text = one_line(self.input.sources.text(written.span));
        let filter = FilterPlan { predicate: typed.expr, text, turns: Vec::new() };
        body.relate(RelationStep::Filter(filter));
    }

    fn relation_stage(&mut self, stage: &'a ast::Stage, body: &mut Body) {
        let name = &stage.name;
        self.free_name(name, "a stage adds a column; give it a name of its own", body);
        let checked = self.stage(stage, body.columns.len(), &body.scope());
        body.add(&name.text, name.text.clone(), name.span, checked.ty);
        let Some(plan) = checked.plan else { return };
        let value = plan.args.into_iter().find(|(name, _)| name == "value");
        let (true, Some((_, Argument::Expr(value)))) = (plan.kind == "map", value) else {
            let word = body.began.as_ref().map_or("group", |began| began.word);
            let message = format!("stage `{}` calls `{}` behind a `{word}`", name.text, plan.kind);
            let why = body.began.as_ref().and_then(|began| began.why);
            let help = match why {
                Some(why) => format!(
                    "a `{word}` in front of which nothing calls or waits is done while the source is \
                     read, and any stage may follow it; {why}. Or let this flow end with an `emit` into a \
                     file, and make the calls in a flow that reads it"
                ),
                None if plan.calls == EndpointUse::None => {
                    format!("{FOLLOW}; stages that work or wait stand before the `{word}`")
                }
                None => format!(
                    "calls are made for records, before the `{word}`; what needs a call for each row \
                     behind it is a flow of its own that reads this one's file"
                ),
            };
            let mut diagnostic = Diagnostic::error(codes::AFTER_GROUP, stage.span, message);
            if let Some(began) = &body.began {
                diagnostic = diagnostic.also(began.span, "from here on it is about all records");
            }
            self.report(diagnostic.help(help));
            return;
        };
        let (name, ty, line) = (name.text.clone(), plan.ty, plan.line);
        body.relate(RelationStep::Compute(ComputePlan { name, ty, value, line }));
    }

    fn relation_emit(&mut self, emit: &'a ast::Emit, level: &mut Level, body: &mut Body) {
        level.emitted.get_or_insert(emit.span);
        level.open.clear();
        let Some((mut plan, condition)) = self.emit(emit, &body.scope(), None) else { return };
        let of_records = |node: &Node| matches!(node, Node::Emit(other) if other.sink == plan.sink);
        if body.nodes.iter().any(of_records) {
            let message = format!("sink `{}` takes rows of single records already", emit.sink.text);
            self.report(Diagnostic::error(codes::AFTER_GROUP, emit.sink.span, message).help(
                "those are final when their record is done, these when all are; declare another sink",
            ));
        }
        plan.condition = condition.map(|typed| typed.expr);
        let text = emit.condition.as_ref().map(|it| self.input.sources.text(it.span));
        plan.text = text.map(one_line);
        body.relate(RelationStep::Emit(plan));
    }
}

impl Body {
    /// Append a step over all records.
    pub(super) fn relate(&mut self, step: RelationStep) {
        if let Some(relation) = &mut self.relation {
            relation.plan.steps.push(step);
        }
    }

    /// From here on it is about all records: each contributes `values`. The position of the numbers
    /// behind them, if there are any.
    pub(super) fn begin_relation(
        &mut self,
        mut values: Vec<Expr>,
        mut columns: Vec<Column>,
        numbered: bool,
        level: &mut Level,
    ) -> Option<usize> {
        let mut steps = Vec::new();
        let guard = level.guard.take();
        if let Some(key) = self.feed {
            let present = guard.map_or(Expr::Literal(Value::Bool(true)), |guard| guard.expr);
            // What a deletion would contribute must not be computed.
            for value in &mut values {
                let then = std::mem::replace(value, Expr::Literal(Value::Null));
                let no = Box::new(Expr::Literal(Value::Null));
                *value = Expr::If(Box::new(present.clone()), Box::new(then), no);
            }
            let at = values.len();
            let ty = self.columns[key].ty.clone();
            columns.push(Column { name: ".key".to_owned(), ty });
            columns.push(Column { name: ".present".to_owned(), ty: Type::Bool });
            values.extend([Expr::Column(key), present]);
            let conditions = self.conditions.clone();
            let latest = LatestPlan { key: at, present: at + 1, order: at + 2, conditions };
            steps.push(RelationStep::Latest(latest));
        }
        for value in &values {
            self.read.extend(lower::columns_read(value));
        }
        let numbered = numbered || self.feed.is_some();
        if numbered {
            let number = |name: &&str| Column { name: (*name).to_owned(), ty: Type::Int };
            columns.extend(NUMBERS.iter().map(number));
        }
        let order = numbered.then_some(values.len());
        let plan = RelationPlan { values, columns, numbered, steps };
        self.relation = Some(Relation {
            plan,
            columns: std::mem::take(&mut self.columns),
            measured: std::mem::take(&mut self.measured),
            own: self.own,
        });
        order
    }

    /// From here on it is about all records, and everything that is in sight stays so.
    pub(super) fn begin_with_all(&mut self, level: &mut Level) {
        let all = self.columns.iter().zip(&self.measured).enumerate();
        let in_sight: Vec<(usize, Column, (String, Span))> = all
            .filter(|(_, (column, _))| !column.name.starts_with('.'))
            .map(|(at, (column, measured))| (at, column.clone(), measured.clone()))
            .collect();
        let own = in_sight.iter().filter(|(at, ..)| *at < self.own).count();
        let values = in_sight.iter().map(|(at, ..)| Expr::Column(*at)).collect();
        let columns = in_sight.iter().map(|(_, column, _)| column.clone()).collect();
        self.begin_relation(values, columns, true, level);
        let Some(relation) = &self.relation else { return };
        self.columns.clone_from(&relation.plan.columns);
        self.measured = in_sight.into_iter().map(|(.., measured)| measured).collect();
        let start = Span { file: 0, start: 0, end: 0 };
        let hidden = self.columns.iter().skip(self.measured.len());
        let hidden: Vec<_> = hidden.map(|column| (column.name.clone(), start)).collect();
        self.measured.extend(hidden);
        self.own = own;
    }

    /// Say of the stages in sight how they may be had behind a group.
    pub(super) fn hide_stages(&mut self) {
        let stages = self.columns.iter().skip(self.own);
        for column in stages.filter(|column| !column.name.starts_with('.')) {
            self.hidden.push(Hidden {
                name: column.name.clone(),
                message: format!("stage `{}` is not in sight behind the `group`", column.name),
                help: format!(
                    "make it a key or an aggregate: `group by {0}`, or `{0}: collect({0})` in the group",
                    column.name
                ),
            });
        }
    }

    /// What is in sight are these columns, all of them fields.
    pub(super) fn replace(&mut self, columns: &[Column], span: Span, level: &mut Level) {
        self.measured = columns.iter().map(|column| (column.name.clone(), span)).collect();
        self.columns = columns.to_vec();
        self.own = self.columns.len();
        level.emitted = None;
        level.open = vec![Open::Flow];
        level.dropped = false;
    }

    /// The columns are those of the record again, and the plan has the steps over all records.
    pub(super) fn end_relation(&mut self) {
        if let Some(relation) = self.relation.take() {
            let Relation { mut plan, columns, measured, own } = relation;
            plan.prune(lower::columns_read);
            self.nodes.push(Node::Relate(plan));
            (self.columns, self.measured, self.own) = (columns, measured, own);
        }
    }
}

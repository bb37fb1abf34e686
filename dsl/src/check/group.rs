//! `group by key { name: aggregate }`.

use super::Checker;
use super::aggregate::Counted;
use super::body::{Body, Level};
use super::relation::NUMBERS;
use super::step::one_line;
use super::typed::Typed;
use super::window::Window;
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{AggregatePlan, Column, Expr, GroupPlan, RelationStep, WindowPlan};
use crate::types::Type;

/// What the records contribute to a group: each expression once.
#[derive(Default)]
struct Gathered {
    values: Vec<Expr>,
    columns: Vec<Column>,
}

impl Gathered {
    fn place(&mut self, value: Typed) -> Expr {
        let at = self.values.iter().position(|known| *known == value.expr).unwrap_or_else(|| {
            let name = format!(".{}", self.values.len());
            self.columns.push(Column { name, ty: value.ty });
            self.values.push(value.expr);
            self.values.len() - 1
        });
        Expr::Column(at)
    }
}

impl<'a> Checker<'a> {
    pub(super) fn group_step(&mut self, group: &'a ast::Group, level: &mut Level, body: &mut Body) {
        if !self.relates_here("group", group.span, level) {
            return;
        }
        let before = self.diagnostics.len();
        let mut columns: Vec<Column> = Vec::new();
        let mut keys = Vec::new();
        for key in &group.keys {
            let Some((name, typed)) = self.key(key, body) else { continue };
            self.column_of_group(&name, &typed.ty, &mut columns);
            keys.push(typed);
        }
        let window = group.window.as_ref().and_then(|call| self.window(call, &body.scope()));
        if let (Some(window), Some(call)) = (&window, &group.window) {
            self.lateness(window, body);
            for name in ["window_start", "window_end"] {
                let name = ast::Name { text: name.to_owned(), span: call.name.span };
                self.column_of_group(&name, &window.ty, &mut columns);
            }
        }
        let mut aggregates = Vec::new();
        for entry in &group.aggregates.entries {
            let Some((counted, ty)) = self.aggregate(&entry.value, &body.scope()) else { continue };
            self.column_of_group(&entry.key, &ty, &mut columns);
            let text = one_line(self.input.sources.text(entry.value.span));
            aggregates.push((entry.key.text.clone(), text, counted));
        }
        if group.aggregates.entries.is_empty() && !group.aggregates.broken {
            let message = "the group has no aggregates";
            self.report(
                Diagnostic::error(codes::BAD_GROUP, group.span, message)
                    .help("say what is computed: `{ n: count() }`"),
            );
        }
        let text = one_line(self.input.sources.text(group.span));
        let line = self.line(group.span);
        let unread = group.aggregates.broken;
        if unread || self.diagnostics[before..].iter().any(Diagnostic::is_error) || self.full() {
            // What is missing is reported; uses of it are not.
            body.poisoned.push("*".to_owned());
            let names = group.aggregates.entries.iter().map(|entry| entry.key.text.clone());
            body.poisoned.extend(names);
        }
        if unread {
            // Any of them may have been meant as a key.
            let stages = body.columns[body.own..].iter().map(|column| column.name.clone());
            body.poisoned.extend(stages);
        }
        let (keys, aggregates) = placed(keys, window, aggregates, level, body);
        body.replace(&columns, group.span, level);
        body.relate(RelationStep::Group(GroupPlan { keys, aggregates, columns, text, line }));
    }

    /// A key and the name of its column.
    fn key(&mut self, key: &'a ast::Key, body: &Body) -> Option<(ast::Name, Typed)> {
        self.slots = 0;
        let typed = self.expr(&key.value, &body.scope(), None);
        let name = match (&key.name, &key.value.kind) {
            (Some(name), _) => name.clone(),
            (None, ExprKind::Own(Some(field)) | ExprKind::Field(_, field)) => field.clone(),
            (None, ExprKind::Name(name)) => ast::Name { text: name.clone(), span: key.value.span },
            _ => {
                let message = "a key that is computed needs a name";
                let text = one_line(self.input.sources.text(key.value.span));
                self.report(
                    Diagnostic::error(codes::BAD_GROUP, key.value.span, message)
                        .help(format!("write `group by name: {text}`")),
                );
                return None;
            }
        };
        (!typed.is_poison()).then_some((name, typed))
    }

    fn column_of_group(&mut self, name: &ast::Name, ty: &Type, columns: &mut Vec<Column>) {
        if columns.iter().any(|column| column.name == name.text) {
            let message = format!("the group has a column `{}` already", name.text);
            self.report(
                Diagnostic::error(codes::COLUMN_TAKEN, name.span, message)
                    .help("keys and aggregates are its columns; give each a name of its own"),
            );
        }
        columns.push(Column { name: name.text.clone(), ty: ty.clone() });
    }
}

/// Keys and aggregates over what is in sight, or over contributions that are made for them if this
/// is the first step over all records.
fn placed(
    keys: Vec<Typed>,
    window: Option<Window>,
    aggregates: Vec<(String, String, Counted)>,
    level: &mut Level,
    body: &mut Body,
) -> (Vec<Expr>, Vec<AggregatePlan>) {
    body.hide_stages();
    let first = body.relation.is_none();
    let numbered = aggregates.iter().any(|(_, _, counted)| counted.ordered());
    let mut gathered = Gathered::default();
    let mut place = |typed: Typed| if first { gathered.place(typed) } else { typed.expr };
    let mut keys: Vec<Expr> = keys.into_iter().map(&mut place).collect();
    let window = window.map(|it| {
        let (size, every, ty) = (it.size, it.every, it.ty);
        WindowPlan { at: place(it.at), size, every, ty }
    });
    let mut plans: Vec<AggregatePlan> = Vec::new();
    for (name, text, counted) in aggregates {
        plans.push(AggregatePlan {
            name,
            aggregate: counted.aggregate,
            value: counted.value.map(&mut place),
            by: counted.by.map(&mut place),
            parameter: counted.parameter,
            order: None,
            text,
        });
    }
    let mut width = body.columns.len();
    let order = if first {
        let order = body.begin_relation(gathered.values, gathered.columns, numbered, level);
        width = body.relation.as_ref().map_or(0, |relation| relation.plan.columns.len());
        order
    } else {
        body.columns.iter().position(|column| column.name == NUMBERS[0])
    };
    plans.iter_mut().for_each(|plan| plan.order = order);
    if let Some(window) = window {
        body.relate(RelationStep::Window(window));
        keys.extend([Expr::Column(width), Expr::Column(width + 1)]);
    }
    (keys, plans)
}

//! What belongs to a plan: which declarations its nodes use, and which columns an expression reads.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Argument, BinaryOp, Expr, Function, Node, Plan, RelationStep, UnaryOp};

/// Leaves out what no node uses.
pub(crate) fn prune(plan: &mut Plan) {
    let mut templates = BTreeSet::new();
    let mut indexes = BTreeSet::new();
    let mut endpoints = BTreeSet::new();
    let mut sinks = BTreeSet::new();
    expressions(plan, &mut |expr| {
        if let Expr::Template(at, _) = expr {
            templates.insert(*at);
        }
    });
    for node in &plan.nodes {
        match node {
            Node::Stage(stage) => {
                endpoints.extend(stage.endpoint);
                indexes.extend(stage.args.iter().filter_map(|(_, argument)| match argument {
                    Argument::Index(at) => Some(*at),
                    Argument::Expr(_) => None,
                }));
            }
            Node::Emit(emit) => {
                sinks.insert(emit.sink);
            }
            Node::Relate(relation) => sinks.extend(relation.emits().map(|emit| emit.sink)),
            Node::Source(_) | Node::Filter(_) | Node::Schedule => {}
        }
    }
    for at in &indexes {
        let Some(index) = plan.indexes.get_mut(*at) else { continue };
        endpoints.extend(index.embedder);
        visit_mut(&mut index.text, &mut |expr| {
            if let Expr::Template(at, _) = expr {
                templates.insert(*at);
            }
        });
    }
    let templates = keep(&mut plan.templates, &templates);
    let indexes = keep(&mut plan.indexes, &indexes);
    let endpoints = keep(&mut plan.endpoints, &endpoints);
    let sinks = keep(&mut plan.sinks, &sinks);
    let renumber = |expr: &mut Expr| {
        if let Expr::Template(at, _) = expr {
            *at = templates.get(at).copied().unwrap_or(*at);
        }
    };
    expressions(plan, &mut |expr| renumber(expr));
    for index in &mut plan.indexes {
        index.embedder = index.embedder.and_then(|at| endpoints.get(&at).copied());
        visit_mut(&mut index.text, &mut |expr| renumber(expr));
    }
    for node in &mut plan.nodes {
        match node {
            Node::Stage(stage) => {
                stage.endpoint = stage.endpoint.and_then(|at| endpoints.get(&at).copied());
                for (_, argument) in &mut stage.args {
                    if let Argument::Index(at) = argument {
                        *at = indexes.get(at).copied().unwrap_or(*at);
                    }
                }
            }
            Node::Emit(emit) => emit.sink = sinks.get(&emit.sink).copied().unwrap_or(emit.sink),
            Node::Relate(relation) => {
                for step in &mut relation.steps {
                    if let RelationStep::Emit(emit) = step {
                        emit.sink = sinks.get(&emit.sink).copied().unwrap_or(emit.sink);
                    }
                }
            }
            Node::Source(_) | Node::Filter(_) | Node::Schedule => {}
        }
    }
}

/// Keeps the items at `used`; new positions by old ones.
fn keep<T>(items: &mut Vec<T>, used: &BTreeSet<usize>) -> BTreeMap<usize, usize> {
    let mut at = 0;
    items.retain(|_| {
        at += 1;
        used.contains(&(at - 1))
    });
    used.iter().enumerate().map(|(new, old)| (*old, new)).collect()
}

/// Visits every expression of a plan's nodes and its schedule.
fn expressions(plan: &mut Plan, visit: &mut impl FnMut(&mut Expr)) {
    record_expressions(plan, visit);
    for node in &mut plan.nodes {
        if let Node::Relate(relation) = node {
            let steps = relation.steps.iter_mut().flat_map(RelationStep::expressions_mut);
            steps.for_each(|expr| visit_mut(expr, visit));
        }
    }
}

/// Visits every expression over the columns of the record in flight.
pub(crate) fn record_expressions(plan: &mut Plan, visit: &mut impl FnMut(&mut Expr)) {
    for node in &mut plan.nodes {
        match node {
            Node::Source(_) | Node::Schedule => {}
            Node::Filter(filter) => visit_mut(&mut filter.predicate, visit),
            Node::Stage(stage) => {
                for (_, argument) in &mut stage.args {
                    if let Argument::Expr(expr) = argument {
                        visit_mut(expr, visit);
                    }
                }
                if let Some(when) = &mut stage.when {
                    visit_mut(when, visit);
                }
            }
            Node::Emit(emit) => {
                for expr in emit.values.iter_mut().chain(&mut emit.condition) {
                    visit_mut(expr, visit);
                }
            }
            Node::Relate(relation) => {
                relation.values.iter_mut().for_each(|expr| visit_mut(expr, visit));
            }
        }
    }
    let schedule = &mut plan.schedule;
    let given =
        [&mut schedule.priority, &mut schedule.fair, &mut schedule.due, &mut schedule.affinity];
    for expr in given.into_iter().flatten() {
        visit_mut(expr, visit);
    }
}

/// Whether an expression reads a slot.
pub(crate) fn reads_slot(expr: &Expr, slot: usize) -> bool {
    let mut found = false;
    visit_mut(&mut expr.clone(), &mut |part| found |= *part == Expr::Local(slot));
    found
}

/// Visits an expression and everything in it, outside first.
pub(crate) fn visit_mut(expr: &mut Expr, visit: &mut impl FnMut(&mut Expr)) {
    visit(expr);
    match expr {
        Expr::Literal(_) | Expr::Column(_) | Expr::Local(_) => {}
        Expr::Field(inner, _)
        | Expr::FieldOfEach(inner, _)
        | Expr::Pick(inner, _)
        | Expr::Unary(_, inner) => {
            visit_mut(inner, visit);
        }
        Expr::At(a, b) | Expr::Binary(_, a, b) => {
            visit_mut(a, visit);
            visit_mut(b, visit);
        }
        Expr::If(a, b, c) => {
            visit_mut(a, visit);
            visit_mut(b, visit);
            visit_mut(c, visit);
        }
        Expr::Match(subject, cases) => {
            visit_mut(subject, visit);
            for (_, body) in cases {
                visit_mut(body, visit);
            }
        }
        Expr::Call(_, items)
        | Expr::Template(_, items)
        | Expr::Record(items)
        | Expr::List(items) => {
            for item in items {
                visit_mut(item, visit);
            }
        }
        Expr::Let(bindings, body) => {
            for (_, bound) in bindings {
                visit_mut(bound, visit);
            }
            visit_mut(body, visit);
        }
    }
}

/// Columns an expression reads, sorted.
pub(crate) fn columns_read(expr: &Expr) -> Vec<usize> {
    let mut found = BTreeSet::new();
    let mut copy = expr.clone();
    visit_mut(&mut copy, &mut |node| {
        if let Expr::Column(at) = node {
            found.insert(*at);
        }
    });
    found.into_iter().collect()
}

/// Whether an expression has a value for every record. Sums may overflow, so none that computes with
/// numbers is among them.
pub(crate) fn cannot_fail(expr: &Expr) -> bool {
    let mut safe = true;
    visit_mut(&mut expr.clone(), &mut |part| safe &= is_safe(part));
    safe
}

fn is_safe(expr: &Expr) -> bool {
    use BinaryOp::{Add, Div, Mul, Rem, Sub};
    match expr {
        Expr::Unary(operator, _) => *operator == UnaryOp::Not,
        Expr::Binary(operator, ..) => !matches!(operator, Add | Sub | Mul | Div | Rem),
        Expr::Match(_, cases) => cases.iter().any(|(pattern, _)| pattern.is_none()),
        Expr::Template(..) => false,
        Expr::Call(function, _) => !matches!(
            function,
            Function::Abs
                | Function::Round
                | Function::Floor
                | Function::Ceil
                | Function::ToInt
                | Function::ToFloat
        ),
        Expr::Literal(_)
        | Expr::Column(_)
        | Expr::Local(_)
        | Expr::Field(..)
        | Expr::FieldOfEach(..)
        | Expr::Pick(..)
        | Expr::At(..)
        | Expr::If(..)
        | Expr::Record(_)
        | Expr::List(_)
        | Expr::Let(..) => true,
    }
}

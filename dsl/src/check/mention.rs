//! Which names a step mentions and declares, before it is checked.

use crate::ast::{Block, Expr, ExprKind, Step};

/// Whether `step`, or a step in it, uses `name` as a value. It may be another thing of that name.
pub(super) fn mentions(step: &Step, name: &str) -> bool {
    match step {
        Step::From(..) => false,
        Step::Where(condition) => in_expr(condition, name),
        Step::Stage(stage) => in_expr(&stage.value, name) || in_block(&stage.block, name),
        // An emit without a record sends everything that is in sight.
        Step::Emit(emit) => {
            emit.record.iter().chain(&emit.condition).any(|expr| in_expr(expr, name))
                || emit.record.is_none()
        }
        Step::Route(route) => {
            in_expr(&route.subject, name) || any(route.arms.iter().flat_map(|it| &it.steps), name)
        }
        Step::Loop(repeat) => {
            repeat.until.iter().any(|until| in_expr(until, name)) || any(&repeat.steps, name)
        }
        Step::Carry(carry) => in_expr(&carry.value, name),
        // Of the record everything stays that is in sight.
        Step::Dedup(_) | Step::FlatMap(..) | Step::Join(_) => true,
        Step::Group(group) => {
            group.keys.iter().any(|key| in_expr(&key.value, name))
                || group.window.iter().flat_map(|it| &it.args).any(|arg| in_expr(&arg.value, name))
                || in_block(&group.aggregates, name)
        }
    }
}

fn any<'s>(steps: impl IntoIterator<Item = &'s Step>, name: &str) -> bool {
    steps.into_iter().any(|step| mentions(step, name))
}

fn in_block(block: &Block, name: &str) -> bool {
    block.entries.iter().any(|entry| in_expr(&entry.value, name))
}

fn in_expr(expr: &Expr, name: &str) -> bool {
    let inside = |expr: &Expr| in_expr(expr, name);
    match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Own(_) | ExprKind::Bad => false,
        ExprKind::Name(found) => found == name,
        ExprKind::Field(inner, _) | ExprKind::Unary(_, inner) => inside(inner),
        ExprKind::At(a, b) | ExprKind::Binary(_, a, b) => inside(a) || inside(b),
        ExprKind::Call(call) => call.args.iter().any(|arg| inside(&arg.value)),
        ExprKind::If(a, b, c) => inside(a) || inside(b) || inside(c),
        ExprKind::Match(subject, cases) => {
            inside(subject) || cases.iter().any(|(_, result)| inside(result))
        }
        ExprKind::List(items) => items.iter().any(inside),
        ExprKind::Record(_, block) => in_block(block, name),
    }
}

/// Names of the stages and carried values among `steps` and in them, each once, in order.
pub(super) fn declared(steps: &[Step]) -> Vec<&str> {
    let mut names = Vec::new();
    gather(steps, &mut names);
    names
}

fn gather<'s>(steps: &'s [Step], names: &mut Vec<&'s str>) {
    for step in steps {
        let name = match step {
            Step::Stage(stage) => stage.name.text.as_str(),
            Step::Carry(carry) => carry.name.text.as_str(),
            Step::Route(route) => {
                route.arms.iter().for_each(|arm| gather(&arm.steps, names));
                continue;
            }
            Step::Loop(repeat) => {
                gather(&repeat.steps, names);
                continue;
            }
            Step::From(..)
            | Step::Where(_)
            | Step::Emit(_)
            | Step::Group(_)
            | Step::Dedup(_)
            | Step::FlatMap(..)
            | Step::Join(_) => {
                continue;
            }
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

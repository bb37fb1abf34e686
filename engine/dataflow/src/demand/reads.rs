//! Which columns matter to what a record asks for.
//!
//! A hash chain of 100 000 rounds that is only written to a file need not be computed to know what
//! it costs; one that a prompt shows must be. And records of a further round through the source
//! differ from those of the first only if somebody looks at their key, or draws by their number.

use sage_dsl::plan::{Argument, Expr, Node, Plan, StagePlan};

/// The columns whose values decide on outcomes or costs.
pub(super) fn needed(plan: &Plan) -> Vec<bool> {
    let mut needed = vec![false; plan.columns.len()];
    for expr in wants(plan) {
        mark(&mut needed, expr);
    }
    for node in plan.nodes.iter().rev() {
        match node {
            Node::Source(_) | Node::Schedule => {}
            Node::Filter(filter) => mark(&mut needed, &filter.predicate),
            // Of what follows the contributions nothing is priced: it is computed once for a group.
            Node::Relate(relation) => {
                let values = relation.values.iter().filter(|value| can_fail(value));
                values.for_each(|expr| mark(&mut needed, expr));
            }
            Node::Emit(emit) => {
                let values = emit.values.iter().filter(|value| can_fail(value));
                values.chain(&emit.condition).for_each(|expr| mark(&mut needed, expr));
            }
            Node::Stage(stage) => {
                let own = needed.get(stage.column).copied().unwrap_or(true);
                stage.when.iter().for_each(|when| mark(&mut needed, when));
                for (name, argument) in &stage.args {
                    let Argument::Expr(expr) = argument else { continue };
                    if own || can_fail(expr) || !is_only_result(stage, name) {
                        mark(&mut needed, expr);
                    }
                }
                // Those that the checker found besides the arguments, such as the text behind a
                // vector.
                if stage.kind != HASH_CHAIN {
                    stage.reads.iter().for_each(|column| set(&mut needed, *column));
                }
            }
        }
    }
    needed
}

const HASH_CHAIN: &str = "hash_chain";

/// Whether an argument decides only on the stage's value, not on its cost.
fn is_only_result(stage: &StagePlan, argument: &str) -> bool {
    stage.kind == HASH_CHAIN && argument == "text"
}

/// Whether evaluating it may end in an error.
pub(super) fn can_fail(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Literal(_) => false,
        Expr::Field(inner, _) | Expr::FieldOfEach(inner, _) | Expr::Pick(inner, _) => {
            can_fail(inner)
        }
        _ => true,
    }
}

/// Whether records of further rounds through the source ask for something else than those of the
/// first.
pub(super) fn rounds_differ(plan: &Plan) -> bool {
    let Some(source) = plan.source() else { return false };
    let needed = needed(plan);
    let is_needed = |stage: &StagePlan| needed.get(stage.column).copied().unwrap_or(true);
    let mut read = vec![false; plan.columns.len()];
    for expr in wants(plan) {
        mark(&mut read, expr);
    }
    for node in &plan.nodes {
        match node {
            // A key that is only written down is no matter.
            Node::Source(_) | Node::Schedule | Node::Emit(_) | Node::Relate(_) => {}
            Node::Filter(filter) => mark(&mut read, &filter.predicate),
            // What it costs is drawn for every task anyway; what it says decides on outcomes.
            Node::Stage(stage) if stage.kind == "burn" && is_needed(stage) => return true,
            Node::Stage(stage) => stage.reads.iter().for_each(|column| set(&mut read, *column)),
        }
    }
    source.key.is_some_and(|key| read.get(key).copied().unwrap_or(false))
}

/// What the `schedule` block computes from a record.
fn wants(plan: &Plan) -> impl Iterator<Item = &Expr> {
    let schedule = &plan.schedule;
    [&schedule.priority, &schedule.fair, &schedule.due, &schedule.affinity].into_iter().flatten()
}

fn set(columns: &mut [bool], column: usize) {
    if let Some(column) = columns.get_mut(column) {
        *column = true;
    }
}

fn mark(columns: &mut [bool], expr: &Expr) {
    let mut all = |exprs: &[Expr]| exprs.iter().for_each(|expr| mark(columns, expr));
    match expr {
        Expr::Column(column) => set(columns, *column),
        Expr::Literal(_) | Expr::Local(_) => {}
        Expr::Field(inner, _)
        | Expr::FieldOfEach(inner, _)
        | Expr::Pick(inner, _)
        | Expr::Unary(_, inner) => {
            mark(columns, inner);
        }
        Expr::At(a, b) | Expr::Binary(_, a, b) => {
            mark(columns, a);
            mark(columns, b);
        }
        Expr::If(a, b, c) => [a, b, c].iter().for_each(|expr| mark(columns, expr)),
        Expr::Match(subject, arms) => {
            mark(columns, subject);
            arms.iter().for_each(|(_, expr)| mark(columns, expr));
        }
        Expr::Call(_, exprs)
        | Expr::Template(_, exprs)
        | Expr::Record(exprs)
        | Expr::List(exprs) => {
            all(exprs);
        }
        Expr::Let(bindings, body) => {
            bindings.iter().for_each(|(_, expr)| mark(columns, expr));
            mark(columns, body);
        }
    }
}

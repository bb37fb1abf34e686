//! Two stages that ask an endpoint the same are one call.
//!
//! Only where the answer is the same each time: vectors, and texts at temperature 0. Whoever asks
//! for two drawn texts wants two.

use super::Rule;
use crate::catalog::{EndpointUse, StageClass};
use crate::lower::columns_read;
use crate::plan::{Argument, Expr, Node, Plan, StagePlan, lookup};
use crate::types::Value;

pub(super) static RULE: Rule = Rule {
    name: "share calls",
    summary: "the same question with the same answer is asked once",
    required: false,
    apply,
};

fn apply(plan: &mut Plan) {
    let mut asked: Vec<StagePlan> = Vec::new();
    for node in &mut plan.nodes {
        let Node::Stage(stage) = node else { continue };
        if stage.endpoint.is_none() || !is_settled(stage) {
            continue;
        }
        match asked.iter().find(|earlier| asks_the_same(earlier, stage)) {
            Some(earlier) => take_from(stage, earlier.column),
            None => asked.push(stage.clone()),
        }
    }
}

/// Whether a question of this stage always has the same answer.
fn is_settled(stage: &StagePlan) -> bool {
    match stage.calls {
        EndpointUse::Embed => true,
        EndpointUse::Generate => lookup(&stage.options, "temperature")
            .and_then(Value::as_float)
            .is_some_and(|temperature| temperature == 0.0),
        // A program or a server may do more than answer.
        EndpointUse::None | EndpointUse::Program | EndpointUse::Http => false,
    }
}

fn asks_the_same(a: &StagePlan, b: &StagePlan) -> bool {
    let of = |stage: &StagePlan| {
        (stage.kind.clone(), stage.args.clone(), stage.endpoint, stage.options.clone())
    };
    of(a) == of(b) && a.when == b.when && a.ty == b.ty
}

/// Makes a stage the column that another has filled.
fn take_from(stage: &mut StagePlan, column: usize) {
    "map".clone_into(&mut stage.kind);
    stage.args = vec![("value".to_owned(), Argument::Expr(Expr::Column(column)))];
    stage.endpoint = None;
    stage.options = Vec::new();
    let guard = stage.when.as_ref().map(columns_read).unwrap_or_default();
    stage.reads = vec![column];
    stage.reads.extend(guard.into_iter().filter(|read| *read != column));
    stage.class = StageClass::Cheap;
    stage.calls = EndpointUse::None;
}

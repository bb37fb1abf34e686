//! What a task is expected to cost, from the cost models that stages declare in the registry.

use bumpalo::Bump;
use sage_core::distribution::Distribution;
use sage_core::expr::{Program, Templates};
use sage_core::record::Datum;
use sage_core::schedule::Declared;
use sage_dsl::catalog::{EndpointUse, StageClass};
use sage_dsl::plan::{Argument, Expr, Node, Plan, StagePlan};
use sage_dsl::types::Value;

use crate::stages::STAGES;

/// Cost of the stages behind the scheduling operator. What is spent in a call to an endpoint is not
/// in it, nor what scales with something that is computed later.
pub(crate) struct CostModel {
    /// Stages that run one after the other; of those within a group, which are asked side by side,
    /// the longest is waited for.
    groups: Vec<Vec<StageCost>>,
    /// Whether nothing is left out.
    complete: bool,
}

#[derive(Default)]
struct StageCost {
    fixed_ns: f64,
    /// A program that gives units, and nanoseconds per unit.
    term: Option<(Program, f64)>,
    /// Costs nothing where this is not true.
    when: Option<Program>,
}

impl CostModel {
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut model = CostModel { groups: Vec::new(), complete: true };
        let schedule = plan.nodes.iter().position(|node| matches!(node, Node::Schedule));
        let (before, behind) = plan.nodes.split_at(schedule.unwrap_or(0));
        let available = plan.given().map_or(0, |record| record.fields.len())
            + before.iter().filter(|node| matches!(node, Node::Stage(_))).count();
        // Columns of the group that is being filled; empty when the next stage begins another.
        let mut beside: Vec<usize> = Vec::new();
        for node in behind {
            let stage = match node {
                Node::Stage(stage) => stage,
                Node::Filter(_) => {
                    beside.clear();
                    continue;
                }
                _ => continue,
            };
            let waits = stage.class == StageClass::Wait
                && (stage.calls != EndpointUse::Embed || stage.endpoint.is_some());
            let follows = !waits || stage.reads.iter().any(|column| beside.contains(column));
            if follows || beside.is_empty() {
                beside.clear();
                model.groups.push(Vec::new());
            }
            if waits {
                beside.push(stage.column);
            }
            let cost = model.stage(stage, available);
            if let Some(group) = model.groups.last_mut() {
                group.push(cost);
            }
        }
        model
    }

    fn stage(&mut self, stage: &StagePlan, available: usize) -> StageCost {
        let entry = STAGES.iter().find(|entry| entry.spec.signature.name == stage.kind);
        let Some(entry) = entry else { return StageCost::default() };
        let runs_elsewhere = stage.endpoint.is_some() || stage.calls.leaves();
        if runs_elsewhere && stage.calls != EndpointUse::None {
            self.complete = false;
            return StageCost::default();
        }
        let mut cost =
            StageCost { fixed_ns: entry.spec.cost.fixed_us * 1e3, ..StageCost::default() };
        if let Some(when) = &stage.when {
            // Nobody knows yet whether it will run.
            let Some(program) = known(when, available) else {
                self.complete = false;
                return StageCost::default();
            };
            cost.when = Some(program);
        }
        let Some((parameter, us_per_unit)) = entry.spec.cost.per_unit else { return cost };
        let argument = stage.args.iter().find(|(name, _)| name == parameter);
        match argument {
            Some((
                _,
                Argument::Expr(Expr::Literal(value @ (Value::Call { .. } | Value::Duration(_)))),
            )) => {
                let mean = Distribution::from_value(value).map(|d| d.mean_ns());
                cost.fixed_ns += mean.unwrap_or(0.0) * us_per_unit;
            }
            Some((_, Argument::Expr(expr))) => match known(expr, available) {
                Some(program) => {
                    // A duration counts nanoseconds; its unit of cost is the microsecond.
                    let scale = if parameter == "time" { 1.0 } else { 1e3 };
                    cost.term = Some((program, us_per_unit * scale));
                }
                None => self.complete = false,
            },
            _ => {}
        }
        cost
    }

    /// Whether the estimate of a record needs no look at it.
    pub(crate) fn reads_nothing(&self) -> bool {
        let looks = |stage: &StageCost| stage.term.is_some() || stage.when.is_some();
        !self.groups.iter().flatten().any(looks)
    }

    /// What is declared for one record.
    pub(crate) fn declared<'a>(
        &'a self,
        columns: &[Datum<'a>],
        templates: &'a Templates,
        arena: &'a Bump,
    ) -> Declared {
        let ns = |stage: &'a StageCost| {
            let runs = stage.when.as_ref().is_none_or(|when| {
                when.evaluate(columns, templates, arena) == Ok(Datum::Bool(true))
            });
            if !runs {
                return 0.0;
            }
            let scaled = stage.term.as_ref().map_or(0.0, |(program, ns_per_unit)| {
                let value = program.evaluate(columns, templates, arena).ok();
                value.map_or(0.0, units) * ns_per_unit
            });
            (stage.fixed_ns + scaled).max(0.0)
        };
        let mut declared = Declared { all_ns: 0.0, chain_ns: 0.0, complete: self.complete };
        for group in &self.groups {
            let times = || group.iter().map(ns);
            declared.all_ns += times().sum::<f64>();
            declared.chain_ns += times().fold(0.0, f64::max);
        }
        declared
    }

    /// Expected time of one record, if the cost models tell all of it.
    pub(crate) fn expected_ns<'a>(
        &'a self,
        columns: &[Datum<'a>],
        templates: &'a Templates,
        arena: &'a Bump,
    ) -> Option<u64> {
        let declared = self.complete.then(|| self.declared(columns, templates, arena));
        declared.map(|declared| declared.all_ns.clamp(0.0, 1e15) as u64)
    }
}

/// How many units of cost a value is: a number itself, and a text its bytes.
pub(crate) fn units(value: Datum<'_>) -> f64 {
    match value {
        Datum::Str(text) => text.len() as f64,
        other => other.as_float().unwrap_or(0.0),
    }
}

/// The program of an expression that reads only the first `available` columns.
fn known(expr: &Expr, available: usize) -> Option<Program> {
    reads_only(expr, available).then(|| Program::compile(expr).ok()).flatten()
}

/// Whether an expression reads only the first `available` columns.
fn reads_only(expr: &Expr, available: usize) -> bool {
    let all = |exprs: &[Expr]| exprs.iter().all(|expr| reads_only(expr, available));
    match expr {
        Expr::Column(column) => *column < available,
        Expr::Literal(_) | Expr::Local(_) => true,
        Expr::Field(inner, _)
        | Expr::FieldOfEach(inner, _)
        | Expr::Pick(inner, _)
        | Expr::Unary(_, inner) => reads_only(inner, available),
        Expr::At(a, b) | Expr::Binary(_, a, b) => {
            reads_only(a, available) && reads_only(b, available)
        }
        Expr::If(a, b, c) => [a, b, c].iter().all(|expr| reads_only(expr, available)),
        Expr::Match(subject, arms) => {
            reads_only(subject, available) && arms.iter().all(|(_, e)| reads_only(e, available))
        }
        Expr::Call(_, exprs)
        | Expr::Template(_, exprs)
        | Expr::Record(exprs)
        | Expr::List(exprs) => all(exprs),
        Expr::Let(bindings, body) => {
            bindings.iter().all(|(_, e)| reads_only(e, available)) && reads_only(body, available)
        }
    }
}

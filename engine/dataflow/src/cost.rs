//! What a task is expected to cost, from the cost models that stages declare in the registry.

use bumpalo::Bump;
use sage_core::expr::{Program, Templates};
use sage_core::record::Datum;
use sage_dsl::catalog::EndpointUse;
use sage_dsl::plan::{Argument, Expr, Node, Plan};
use sage_dsl::types::Value;

use crate::distribution::Distribution;
use crate::stages::STAGES;

/// Expected service time behind the scheduling operator; unknown when a stage calls an endpoint
/// (its time is learned from completions) or scales with something that is computed later.
pub(crate) struct CostModel {
    fixed_ns: f64,
    /// Programs that give units, and nanoseconds per unit.
    terms: Vec<(Program, f64)>,
    known: bool,
}

impl CostModel {
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut model = CostModel { fixed_ns: 0.0, terms: Vec::new(), known: true };
        let schedule = plan.nodes.iter().position(|node| matches!(node, Node::Schedule));
        let (before, behind) = plan.nodes.split_at(schedule.unwrap_or(0));
        let available = plan.source().map_or(0, |source| source.record.fields.len())
            + before.iter().filter(|node| matches!(node, Node::Stage(_))).count();
        for node in behind {
            let Node::Stage(stage) = node else { continue };
            let entry = STAGES.iter().find(|entry| entry.spec.signature.name == stage.kind);
            let Some(entry) = entry else { continue };
            if stage.endpoint.is_some() && stage.calls != EndpointUse::None {
                model.known = false;
                continue;
            }
            model.fixed_ns += entry.spec.cost.fixed_us * 1e3;
            let Some((parameter, us_per_unit)) = entry.spec.cost.per_unit else { continue };
            let argument = stage.args.iter().find(|(name, _)| name == parameter);
            match argument {
                Some((
                    _,
                    Argument::Expr(Expr::Literal(
                        value @ (Value::Call { .. } | Value::Duration(_)),
                    )),
                )) => {
                    let mean = Distribution::from_value(value).map(|d| d.mean_ns());
                    model.fixed_ns += mean.unwrap_or(0.0) * us_per_unit;
                }
                Some((_, Argument::Expr(expr))) => match Program::compile(expr) {
                    Ok(program) if reads_only(expr, available) => {
                        // A duration counts nanoseconds; its unit of cost is the microsecond.
                        let scale = if parameter == "time" { 1.0 } else { 1e3 };
                        model.terms.push((program, us_per_unit * scale));
                    }
                    _ => model.known = false,
                },
                _ => {}
            }
        }
        model
    }

    pub(crate) fn is_unknown(&self) -> bool {
        !self.known
    }

    /// Expected time of one record.
    pub(crate) fn expected_ns<'a>(
        &'a self,
        columns: &[Datum<'a>],
        templates: &'a Templates,
        arena: &'a Bump,
    ) -> Option<u64> {
        if !self.known {
            return None;
        }
        let units = |program: &'a Program| {
            let value = program.evaluate(columns, templates, arena).ok();
            value.and_then(Datum::as_float).unwrap_or(0.0)
        };
        let scaled: f64 = self.terms.iter().map(|(program, ns)| units(program) * ns).sum();
        Some((self.fixed_ns + scaled).clamp(0.0, 1e15) as u64)
    }
}

/// Whether an expression reads only the first `available` columns.
fn reads_only(expr: &Expr, available: usize) -> bool {
    let all = |exprs: &[Expr]| exprs.iter().all(|expr| reads_only(expr, available));
    match expr {
        Expr::Column(column) => *column < available,
        Expr::Literal(_) | Expr::Local(_) => true,
        Expr::Field(inner, _) | Expr::FieldOfEach(inner, _) | Expr::Unary(_, inner) => {
            reads_only(inner, available)
        }
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

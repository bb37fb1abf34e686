//! How an endpoint is called: how many at once, again after a failure, and a second time in vain.

use super::AUTO_MAX;
use crate::ast::{self, ExprKind};
use crate::check::{Checker, Scope};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{EndpointPlan, HedgePlan, RetryPlan};
use crate::types::{Type, Value};

/// Most calls in flight that may be asked for; the command line has the same bound.
pub(crate) const MAX_CONCURRENCY: u32 = 100_000;
/// Most tries after the first; more is a loop without end.
const MAX_RETRIES: u32 = 100;
/// Second calls when nothing is said, as a share of all.
const HEDGE_BUDGET: f64 = 0.02;

impl Checker<'_> {
    /// `64`, `auto` or `auto(max: 256, latency_target: 2s)`.
    pub(super) fn concurrency(&mut self, written: &ast::Expr, plan: &mut EndpointPlan) {
        let form = "it is a whole number, `auto` or `auto(max: 256, latency_target: 2s)`";
        match &written.kind {
            ExprKind::Name(name) if name == "auto" => {}
            ExprKind::Call(call) if call.name.text == "auto" => {
                let Some(args) = self.optional_args(call, &["max", "latency_target"]) else {
                    return;
                };
                if let Some(max) = args[0] {
                    plan.concurrency_max =
                        self.count("max", max, 1, MAX_CONCURRENCY).unwrap_or(AUTO_MAX);
                }
                plan.latency_target_ns =
                    args[1].and_then(|target| self.time("latency_target", target));
            }
            ExprKind::Call(_) => self.unknown_rule("concurrency", written, &["auto"], form),
            ExprKind::Name(name) if !self.names.values.contains_key(name.as_str()) => {
                self.unknown_rule("concurrency", written, &["auto"], form);
            }
            _ => {
                plan.concurrency = self.count("concurrency", written, 1, MAX_CONCURRENCY);
                plan.concurrency_max = plan.concurrency.unwrap_or(AUTO_MAX);
            }
        }
    }

    /// `none` or `backoff(max: 4, base: 200ms, cap: 10s, budget: 10%)`.
    pub(super) fn retry(&mut self, written: &ast::Expr, plan: &mut RetryPlan) {
        let form =
            "`retry` is `none` or `backoff(max: 4, base: 200ms, cap: 10s, budget: 10%)`".to_owned();
        let call = match &written.kind {
            ExprKind::Name(name) if name == "none" => {
                plan.max = 0;
                return;
            }
            ExprKind::Name(name) if name == "backoff" => return,
            ExprKind::Call(call) if call.name.text == "backoff" => call,
            _ => {
                self.unknown_rule("retry", written, &["none", "backoff"], &form);
                return;
            }
        };
        let Some(args) = self.optional_args(call, &["max", "base", "cap", "budget"]) else {
            return;
        };
        if let Some(max) = args[0] {
            plan.max = self.count("max", max, 0, MAX_RETRIES).unwrap_or(plan.max);
        }
        if let Some(base) = args[1] {
            plan.base_ns = self.time("base", base).unwrap_or(plan.base_ns);
            // A cap that nobody wrote follows.
            plan.cap_ns = plan.cap_ns.max(plan.base_ns);
        }
        if let Some(cap) = args[2] {
            plan.cap_ns = self.time("cap", cap).unwrap_or(plan.cap_ns);
            if plan.cap_ns < plan.base_ns {
                let message = "`cap` is the longest delay, so it is not below `base`";
                self.report(Diagnostic::error(codes::BAD_OPTION, cap.span, message));
            }
        }
        if let Some(budget) = args[3] {
            plan.budget = self.share("budget", budget, None, 100.0).unwrap_or(plan.budget);
        }
    }

    /// `off` or `quantile(95%, budget: 2%)`.
    pub(super) fn hedge(&mut self, written: &ast::Expr, plan: &mut EndpointPlan) {
        let form = "`hedge` is `off` or `quantile(95%, budget: 2%)`";
        match &written.kind {
            ExprKind::Name(name) if name == "off" => {}
            ExprKind::Call(call) if call.name.text == "quantile" => {
                let Some(args) = self.optional_args(call, &["at", "budget"]) else { return };
                let Some(at) = args[0] else {
                    self.missing(call, &["at"]);
                    return;
                };
                let quantile = self.share("quantile", at, Some(50.0), 99.9);
                let budget = match args[1] {
                    Some(budget) => self.share("budget", budget, None, 20.0),
                    None => Some(HEDGE_BUDGET),
                };
                plan.hedge =
                    quantile.zip(budget).map(|(quantile, budget)| HedgePlan { quantile, budget });
            }
            _ => self.unknown_rule("hedge", written, &["off", "quantile"], form),
        }
    }

    /// A time above 0, nanoseconds.
    fn time(&mut self, what: &str, written: &ast::Expr) -> Option<i64> {
        let value = self.constant(written, &Scope::setting(), &Type::Duration)?;
        let nanos = value.as_duration_ns().filter(|nanos| *nanos > 0);
        if nanos.is_none() {
            let message = format!("`{what}` is longer than 0");
            self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
        }
        nanos
    }

    /// A share in percent: above 0 or from `least`, up to `most`.
    fn share(
        &mut self,
        what: &str,
        written: &ast::Expr,
        least: Option<f64>,
        most: f64,
    ) -> Option<f64> {
        let value = self.constant(written, &Scope::setting(), &Type::Percent)?;
        let Value::Percent(share) = value else { return None };
        let enough = least.map_or(share > 0.0, |least| share >= least / 100.0);
        if enough && share <= most / 100.0 {
            return Some(share);
        }
        let from = least.map_or_else(|| "above 0%".to_owned(), |least| format!("from {least}%"));
        let message = format!("`{what}` is a share {from} up to {most}%");
        self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
        None
    }
}

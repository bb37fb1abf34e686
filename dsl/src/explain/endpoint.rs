//! An endpoint in one line: its servers, and everything that bounds or repeats its calls.

use std::fmt::Write as _;

use super::place;
use crate::literal::{show, show_duration};
use crate::plan::{EndpointPlan, Plan};
use crate::types::Value;

/// The line of one endpoint.
pub(super) fn text(plan: &Plan, endpoint: &EndpointPlan) -> String {
    // A simulated server brings its model along.
    let model = if endpoint.model.is_empty() { "its model" } else { &endpoint.model };
    let mut text = format!("endpoint {} = {model} at {}", endpoint.name, endpoint.url);
    for replica in &endpoint.replicas {
        let _ = write!(text, " and {replica}");
    }
    if !endpoint.replicas.is_empty() {
        let balance = if endpoint.affinity { "prefix_affinity" } else { "least_tokens" };
        let _ = write!(text, " (balance {balance})");
    }
    match endpoint.concurrency {
        Some(calls) => {
            let _ = write!(text, ", {calls} calls at once");
        }
        None => {
            let _ = write!(text, ", up to {} calls at once", endpoint.concurrency_max);
        }
    }
    if let Some(target) = endpoint.latency_target_ns {
        let _ = write!(text, " for a median of {}", show_duration(target));
    }
    for (rate, what) in [(endpoint.requests_per_s, "requests"), (endpoint.tokens_per_s, "tokens")] {
        if let Some(rate) = rate {
            let _ = write!(text, ", {} {what}/min", (rate * 6_000.0).round() / 100.0);
        }
    }
    if endpoint.retry.max == 0 {
        text.push_str(", no retries");
    } else {
        let budget = share(endpoint.retry.budget);
        let _ = write!(text, ", {} retries (budget {budget})", endpoint.retry.max);
    }
    if let Some(hedge) = endpoint.hedge {
        let (quantile, budget) = (share(hedge.quantile), share(hedge.budget));
        let _ = write!(text, ", hedge after {quantile} (budget {budget})");
    }
    let prices = [(endpoint.price_input_per_mtok, "in"), (endpoint.price_output_per_mtok, "out")];
    for (price, what) in prices {
        if let Some(price) = price {
            let _ = write!(text, ", {price}/Mtok {what}");
        }
    }
    let _ = write!(text, " ({})", place(plan, &endpoint.name, endpoint.line));
    text
}

fn share(share: f64) -> String {
    show(&Value::Percent(share))
}

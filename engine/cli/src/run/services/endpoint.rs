//! From an endpoint of the plan to what the gateway is told, once all its servers have answered.

use std::time::Duration;

use sage_dsl::plan::EndpointPlan;
use sage_llm::gateway::{Concurrency, GatewayError, HedgeRule, Price, Upstream, probe};

use super::Simulators;
use crate::exit::usage;

/// How the label of a simulated endpoint begins.
const SIMULATED: &str = "simulated endpoint";

/// An endpoint of the plan, once all its servers have answered.
pub(super) struct Checked {
    /// As the gateway knows it.
    pub(super) upstream: Upstream,
    /// For people and reports.
    pub(super) label: String,
    /// Whether any of its servers simulates.
    pub(super) simulated: bool,
    /// Whether any does not.
    pub(super) live: bool,
}

/// Start the simulators that `endpoint` asks for, and ask all its servers for the model.
pub(super) async fn check(
    endpoint: &EndpointPlan,
    simulators: &mut Simulators,
) -> anyhow::Result<Checked> {
    let first = simulators.resolve(&endpoint.url, Some(&endpoint.model), 0).await?;
    let mut upstream = Upstream::new(&endpoint.name, first.url, &first.model);
    let (mut labels, mut kinds) = (vec![first.label], vec![first.kind]);
    for (server, url) in endpoint.replicas.iter().enumerate() {
        let more = simulators.resolve(url, Some(&endpoint.model), server + 1).await?;
        upstream.replicas.push(more.url);
        labels.push(more.label);
        kinds.push(more.kind);
    }
    kinds.sort();
    kinds.dedup();
    // Simulated and real servers side by side: each answer says for itself what it is.
    upstream.kind = if kinds.iter().any(Option::is_none) {
        None
    } else {
        Some(kinds.into_iter().flatten().collect::<Vec<_>>().join("+"))
    };
    upstream.affinity = endpoint.affinity;
    upstream.concurrency = match endpoint.concurrency {
        Some(fixed) => Concurrency::Fixed(fixed.max(1)),
        None => Concurrency::Auto {
            max: endpoint.concurrency_max.max(1),
            latency_target: endpoint.latency_target_ns.map(duration),
        },
    };
    upstream.retry = endpoint.retry.into();
    upstream.retry_budget = endpoint.retry.budget;
    upstream.hedge =
        endpoint.hedge.map(|hedge| HedgeRule { quantile: hedge.quantile, budget: hedge.budget });
    upstream.requests_per_s = endpoint.requests_per_s;
    upstream.tokens_per_s = endpoint.tokens_per_s;
    upstream.price = Price {
        input_per_mtok: endpoint.price_input_per_mtok.unwrap_or(0.0),
        output_per_mtok: endpoint.price_output_per_mtok.unwrap_or(0.0),
    };
    if let Some(variable) = &endpoint.api_key_env {
        let key = std::env::var(variable).map_err(|_| {
            usage(format!(
                "endpoint `{}` (line {}): environment variable {variable} is not set",
                endpoint.name, endpoint.line
            ))
        })?;
        upstream.api_key = Some(key);
    }
    let (mut simulated, mut live, mut away) = (false, false, 0);
    for (server, label) in upstream.servers().iter().zip(&mut labels) {
        let models = match probe(server).await {
            // One server of several may be away; it is used when it is back.
            Err(error @ GatewayError::Unreachable { .. }) if upstream.replicas.len() > away => {
                away += 1;
                eprintln!("warning: {error}");
                continue;
            }
            other => other,
        };
        let models = models.map_err(|error| {
            let at = format!("line {} of the program", endpoint.line);
            let hint = if label.starts_with(SIMULATED) {
                format!(" (`{}` is simulated)", endpoint.url)
            } else {
                String::new()
            };
            usage(format!("{error} ({at}){hint}"))
        })?;
        simulated |= models.simulated;
        live |= !models.simulated;
        // A simulator that somebody else has started is one all the same.
        if models.simulated && !label.starts_with(SIMULATED) {
            *label = format!("{SIMULATED} at {label}");
        }
    }
    Ok(Checked { upstream, label: labels.join(" and "), simulated, live })
}

fn duration(ns: i64) -> Duration {
    Duration::from_nanos(ns.max(1) as u64)
}

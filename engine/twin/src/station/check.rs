//! Whether a model of an endpoint makes sense.

use std::fmt::Display;

use sage_core::upstream::settings::MAX_SERVERS;

use crate::model::{EndpointModel, ServerKind};

use super::StationError;

/// Say what of `model` or `shares` cannot be, if anything.
pub(super) fn check(model: &EndpointModel, shares: &[f64]) -> Result<(), StationError> {
    let endpoint = || model.name.clone();
    if model.servers.is_empty() {
        return Err(StationError::NoServer { endpoint: endpoint() });
    }
    let count = model.servers.len();
    if count > MAX_SERVERS {
        return Err(StationError::TooManyServers { endpoint: endpoint(), count });
    }
    if shares.is_empty() {
        return Err(StationError::NoJobs { endpoint: endpoint() });
    }
    let refuse = |what, value: &dyn Display, rule| {
        Err(StationError::Setting { endpoint: endpoint(), what, value: value.to_string(), rule })
    };
    let positive = |number: f64| number.is_finite() && number > 0.0;
    for share in shares {
        if !positive(*share) {
            return refuse("the weight of a job", share, "a number above 0");
        }
    }
    for server in &model.servers {
        if !positive(server.speed) {
            return refuse("the speed of a server", &server.speed, "a number above 0");
        }
        if let ServerKind::Queue { servers: 0 } = server.kind {
            return refuse("the number of a server's places", &0, "at least 1");
        }
    }
    for (what, rate) in
        [("requests per second", model.requests_per_s), ("tokens per second", model.tokens_per_s)]
    {
        if let Some(rate) = rate.filter(|&rate| !positive(rate)) {
            return refuse(what, &rate, "a number above 0");
        }
    }
    if !(0.0..=1.0).contains(&model.error_share) {
        return refuse("the share of tries that fail", &model.error_share, "from 0 to 1");
    }
    Ok(())
}

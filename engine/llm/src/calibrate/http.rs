//! The HTTP client of a probe: one that never retries, follows or waits behind another's back.
//!
//! Not the gateway's: that belongs to an upstream with its limits and its pool, and what it adds to
//! a call must not be in the measurement.

use std::time::Duration;

use reqwest::{Client, Url};
use serde::Deserialize;

use super::{CalibrateError, Target};
use crate::gateway::transport::builder;
use crate::gateway::{GatewayError, Upstream, probe};

const MODELS_TIMEOUT: Duration = Duration::from_secs(5);

/// The endpoint, once it has shown that it is there.
pub(super) struct Endpoint {
    pub(super) client: Client,
    pub(super) chat: Url,
    pub(super) model: String,
    pub(super) api_key: Option<String>,
    /// Longest prompt and answer together, if the endpoint says.
    pub(super) max_model_len: Option<u32>,
    /// Whether it says of itself that it is simulated.
    pub(super) simulated: bool,
}

#[derive(Deserialize)]
struct Models {
    data: Vec<Card>,
}

#[derive(Deserialize)]
struct Card {
    id: String,
    max_model_len: Option<u32>,
}

impl Endpoint {
    /// Find the endpoint and its model.
    pub(super) async fn find(target: &Target) -> Result<Endpoint, CalibrateError> {
        let wanted = target.model.clone().unwrap_or_default();
        let mut upstream = Upstream::new("calibrate", target.url.clone(), &wanted);
        upstream.api_key.clone_from(&target.api_key);
        // The gateway's look says best what is wrong: unreachable, a key, a model with suggestions.
        match probe(&upstream).await {
            Ok(_) => {}
            Err(GatewayError::Model { .. }) if target.model.is_none() => {}
            Err(error) => return Err(error.into()),
        }
        let wrong = |reason: String| GatewayError::Url {
            endpoint: "calibrate".into(),
            url: "--endpoint".into(),
            reason,
        };
        let base = Url::parse(&target.url).map_err(|error| wrong(error.to_string()))?;
        let client = client(&base).map_err(CalibrateError::Client)?;
        let mut request = client.get(operation(&base, "models")).timeout(MODELS_TIMEOUT);
        if let Some(key) = &target.api_key {
            request = request.bearer_auth(key);
        }
        let unreadable = |error: reqwest::Error| CalibrateError::Answer(innermost(error));
        let response = request.send().await.map_err(unreadable)?;
        let simulated =
            response.headers().get("x-sage-endpoint").is_some_and(|value| value == "simulated");
        let body = response.bytes().await.map_err(unreadable)?;
        let models: Models = serde_json::from_slice(&body)
            .map_err(|error| CalibrateError::Answer(format!("the list of models: {error}")))?;
        let mut cards = models.data.into_iter();
        let card = cards.find(|card| target.model.as_ref().is_none_or(|model| *model == card.id));
        let card = card.ok_or_else(|| CalibrateError::Answer("no model is served".into()))?;
        Ok(Endpoint {
            client,
            chat: operation(&base, "chat/completions"),
            model: card.id,
            api_key: target.api_key.clone(),
            max_model_len: card.max_model_len,
            simulated,
        })
    }
}

fn client(base: &Url) -> Result<Client, reqwest::Error> {
    builder(base).build()
}

/// `URL/v1/operation`; the version is the URL's own if it has one.
fn operation(base: &Url, operation: &str) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    let is_version = |part: &str| {
        part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let version = if path.split('/').any(is_version) { "" } else { "/v1" };
    url.set_path(&format!("{path}{version}/{operation}"));
    url
}

/// What lies at the bottom of a transport error, without the URL.
pub(super) fn innermost(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

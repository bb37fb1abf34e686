//! Is an upstream there, and does it serve the model? Asked once, before a run costs anything.

use std::time::Duration;

use serde::Deserialize;

use super::config::Upstream;
use super::error::{GatewayError, suggest};
use super::{header, problem, transport};

/// Longest time for the answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The models an upstream serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelList {
    /// Their names, as the upstream orders them.
    pub models: Vec<String>,
    /// Whether the upstream says that it only simulates them.
    pub simulated: bool,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

/// Ask `upstream` for its models; its own must be among them.
pub async fn probe(upstream: &Upstream) -> Result<ModelList, GatewayError> {
    let base = transport::base_url(upstream)?;
    let client = transport::client(upstream, &base, 1)?;
    let endpoint = upstream.name.clone();
    let url = transport::without_credentials(&upstream.url);
    let request = client
        .get(transport::join(&base, "models"))
        .headers(transport::authorization(upstream)?)
        .timeout(TIMEOUT);
    let answer = async {
        let response = request.send().await?;
        let simulated = response.headers().contains_key(header::ENDPOINT);
        Ok((response.status(), simulated, response.bytes().await?))
    };
    let (status, simulated, body) = match answer.await {
        Ok(answer) => answer,
        Err(error) => return Err(no_answer(endpoint, url, error)),
    };
    let said = || {
        let message = problem::message_of(&body).unwrap_or_else(|| "no message".into());
        transport::mask(upstream).hide(&message).into_owned()
    };
    if matches!(status.as_u16(), 401 | 403) {
        let remedy = if upstream.api_key.is_some() {
            "the api key is not accepted: check the value of its environment variable"
        } else {
            "it wants a key: name the environment variable that holds it in `api_key`"
        };
        let (status, message) = (status.as_u16(), said());
        return Err(GatewayError::Unauthorized { endpoint, url, status, message, remedy });
    }
    if !status.is_success() {
        let reason = format!("GET /v1/models answers {status} ({})", said());
        return Err(GatewayError::Unexpected { endpoint, url, reason });
    }
    let answer: Answer = match serde_json::from_slice(&body) {
        Ok(answer) => answer,
        Err(error) => {
            let reason = format!("GET /v1/models answers no list of models: {error}");
            return Err(GatewayError::Unexpected { endpoint, url, reason });
        }
    };
    let models: Vec<String> = answer.data.into_iter().map(|model| model.id).collect();
    if !models.contains(&upstream.model) {
        let model = upstream.model.clone();
        let (served, hint) = suggest(&model, models.iter().map(String::as_str));
        return Err(GatewayError::Model { endpoint, url, model, served, hint });
    }
    Ok(ModelList { models, simulated })
}

fn no_answer(endpoint: String, url: String, error: reqwest::Error) -> GatewayError {
    if error.is_connect() {
        let reason = transport::describe(error);
        return GatewayError::Unreachable { endpoint, url, reason };
    }
    if error.is_timeout() {
        return GatewayError::Silent { endpoint, url, seconds: TIMEOUT.as_secs() };
    }
    GatewayError::Unexpected { endpoint, url, reason: transport::describe(error) }
}

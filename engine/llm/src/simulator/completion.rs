//! `POST /v1/completions`: one prompt or a list, as text or as token ids.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::response::Response;

use super::answer::answer;
use super::body::{self, Input};
use super::guard::Admitted;
use super::params;
use super::problem::Problem;
use super::prompt::Prompt;
use super::server::Server;
use super::wire::Shape;

pub(super) async fn completion(
    State(server): State<Arc<Server>>,
    Extension(admitted): Extension<Admitted>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let mut body: body::Generate = body::parse(bytes)?;
    let model = server.generator_model(body.model.take())?;
    params::check(&body, server.priority_scheduling())?;
    let items = body.prompt.take().map(Input::items).unwrap_or_default();
    if items.is_empty() || items.len() > params::MAX_CHOICES {
        let message = format!("`prompt` must hold 1 to {} prompts.", params::MAX_CHOICES);
        return Err(Problem::bad("prompt", message));
    }
    let vocabulary = server.vocabulary();
    let prompts = items.into_iter().map(|item| Prompt::of(item, vocabulary)).collect();
    answer(&server, &admitted, Shape::Completion, model, body, prompts).await
}

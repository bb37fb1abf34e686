//! `POST /v1/completions`: one prompt or a list, as text or as token ids.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;

use super::body::{self, Input};
use super::chat::answer;
use super::generate::{Generation, Prompt};
use super::problem::Problem;
use super::server::Server;
use super::wire::Shape;

/// What vLLM takes when `max_tokens` is left out.
const DEFAULT_MAX_TOKENS: u32 = 16;

pub(super) async fn completion(
    State(server): State<Arc<Server>>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let mut body: body::Generate = body::parse(bytes)?;
    let model = server.generator_model(body.model.take())?;
    let items = body.prompt.take().map(Input::items).unwrap_or_default();
    if items.is_empty() {
        return Err(Problem::bad("prompt", "`prompt` must hold at least one prompt."));
    }
    let prompts = items.into_iter().map(Prompt::of).collect();
    let generation = Generation::start(&server, &mut body, prompts, DEFAULT_MAX_TOKENS).await?;
    answer(&server, Shape::Completion, model, &body, generation).await
}

//! `POST /v1/chat/completions`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::response::Response;

use super::answer::answer;
use super::body;
use super::guard::Admitted;
use super::params;
use super::problem::Problem;
use super::prompt::Prompt;
use super::server::Server;
use super::wire::Shape;

pub(super) async fn chat(
    State(server): State<Arc<Server>>,
    Extension(admitted): Extension<Admitted>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let mut body: body::Generate = body::parse(bytes)?;
    let model = server.generator_model(body.model.take())?;
    params::check(&body, server.priority_scheduling())?;
    let messages = body.messages.take().unwrap_or_default();
    if messages.is_empty() {
        return Err(Problem::bad("messages", "`messages` must hold at least one message."));
    }
    let prompts = vec![Prompt::chat(messages)?];
    answer(&server, &admitted, Shape::Chat, model, body, prompts).await
}

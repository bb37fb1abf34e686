//! `POST /v1/chat/completions`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use sage_core::text::fnv1a;
use sage_core::vllm::tokens;

use super::body::{self, Message, StreamOptions};
use super::generate::{Generation, Prompt, finish_reason};
use super::problem::Problem;
use super::server::Server;
use super::stream;
use super::wire::{Head, Shape};

/// Tokens that a chat template puts around each message, and before the answer.
const TEMPLATE_TOKENS: u32 = 3;

pub(super) async fn chat(
    State(server): State<Arc<Server>>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let mut body: body::Generate = body::parse(bytes)?;
    let model = server.generator_model(body.model.take())?;
    let messages = body.messages.take().unwrap_or_default();
    if messages.is_empty() {
        return Err(Problem::bad("messages", "`messages` must hold at least one message."));
    }
    let prompt = render(messages);
    let generation = Generation::start(&server, &mut body, vec![prompt], u32::MAX).await?;
    answer(&server, Shape::Chat, model, &body, generation).await
}

/// Contents one below the other; the roles and marks count as tokens but say nothing.
fn render(messages: Vec<Message>) -> Prompt {
    let mark = |role: &str| {
        let name = fnv1a(role.as_bytes()) as u32;
        (0..TEMPLATE_TOKENS).map(move |k| name ^ k)
    };
    let (mut texts, mut all) = (Vec::new(), Vec::new());
    for message in messages {
        all.extend(mark(&message.role));
        let text = message.text();
        if !text.is_empty() {
            all.extend(tokens::tokenize(&text));
            texts.push(text);
        }
    }
    all.extend(mark("assistant"));
    Prompt { text: texts.join("\n\n"), tokens: all }
}

/// The answer of either API, streamed or whole.
pub(super) async fn answer(
    server: &Server,
    shape: Shape,
    model: String,
    body: &body::Generate,
    generation: Generation,
) -> Result<Response, Problem> {
    let head = Head::new(shape, server.next_number(), model);
    if body.stream == Some(true) {
        let options = body.stream_options.as_ref();
        let include_usage = options.is_some_and(|StreamOptions { include_usage }| *include_usage);
        return Ok(stream::response(head, generation, include_usage));
    }
    let progress = generation.ticket.finished().await;
    let mut texts = Vec::with_capacity(progress.len());
    for (one, script) in progress.iter().zip(&generation.scripts) {
        let finish = one.outcome.as_ref().map_or(Ok("stop"), finish_reason)?;
        texts.push((script.upto(one.produced), finish));
    }
    Ok(Json(head.whole(&texts, generation.usage(&progress))).into_response())
}

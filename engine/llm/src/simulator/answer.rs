//! The answer of either API, streamed or whole.

use axum::Json;
use axum::response::{IntoResponse, Response};

use super::body::Generate;
use super::generate::{Generation, finish_reason};
use super::guard::Admitted;
use super::problem::Problem;
use super::prompt::Prompt;
use super::server::Server;
use super::stream;
use super::wire::{End, Head, Shape};

/// Generate for `prompts` and answer in the form the body asks for.
pub(super) async fn answer(
    server: &Server,
    admitted: &Admitted,
    shape: Shape,
    model: String,
    mut body: Generate,
    prompts: Vec<Prompt>,
) -> Result<Response, Problem> {
    let wrong = admitted.wrong_schema;
    let generation = Generation::start(server, &mut body, prompts, shape, wrong).await?;
    let head = Head::new(shape, &admitted.request_id, model);
    if body.stream == Some(true) {
        return Ok(stream::response(head, generation, body.stream_options.unwrap_or_default()));
    }
    let progress = generation.ticket.finished().await;
    let mut choices = Vec::with_capacity(progress.len());
    for (index, (one, script)) in progress.iter().zip(&generation.scripts).enumerate() {
        let reason = one.outcome.as_ref().map_or(Ok("stop"), finish_reason)?;
        let text = [generation.echo(index), script.upto(one.produced)].concat();
        choices.push((text, End { reason, stop: script.stopped_by(one.produced) }));
    }
    Ok(Json(head.whole(&choices, generation.usage(&progress))).into_response())
}

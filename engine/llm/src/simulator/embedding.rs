//! `POST /v1/embeddings`: hashed vectors, as numbers or base64.
//!
//! The vectors come from `sage_core::text::hashed_vector`, so texts that share words are near each
//! other and retrieval works; meaning beyond words is not in them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use sage_core::text::hashed_vector;
use sage_core::upstream::settings::MAX_TEXTS;
use sage_core::vllm::Embedder;
use serde_json::{Value, json};

use super::body;
use super::call::Outcome;
use super::guard::Admitted;
use super::problem::Problem;
use super::prompt::Prompt;
use super::server::Server;

pub(super) async fn embedding(
    State(server): State<Arc<Server>>,
    Extension(admitted): Extension<Admitted>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body: body::Embed = body::parse(bytes)?;
    let (embedder, handle) = server.embedder(body.model.as_deref())?;
    let dimensions = body.dimensions.unwrap_or(embedder.dimensions);
    if !(1..=embedder.dimensions).contains(&dimensions) {
        let message = format!("dimensions must be from 1 to {}.", embedder.dimensions);
        return Err(Problem::bad("dimensions", message));
    }
    let base64 = match body.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            return Err(Problem::bad("encoding_format", "encoding_format is float or base64."));
        }
    };
    let items = body.input.items();
    if items.is_empty() || items.len() > MAX_TEXTS {
        let message = format!("`input` must hold 1 to {MAX_TEXTS} texts.");
        return Err(Problem::bad("input", message));
    }
    if body.truncate_prompt_tokens.is_some_and(|kept| kept < -1 || kept == 0) {
        let message = "truncate_prompt_tokens must be -1 or at least 1.";
        return Err(Problem::bad("truncate_prompt_tokens", message));
    }
    let vocabulary = server.vocabulary();
    let mut prompts: Vec<Prompt> =
        items.into_iter().map(|item| Prompt::of(item, vocabulary)).collect();
    let limit = embedder.max_model_len;
    for prompt in &mut prompts {
        if let Some(kept) = body.truncate_prompt_tokens {
            prompt.truncate_start(kept, limit);
        }
        check(embedder, prompt)?;
    }
    let jobs: Vec<u64> = prompts.iter().map(|prompt| prompt.tokens.len() as u64).collect();
    let total: u64 = jobs.iter().sum();
    let ticket = handle.start(jobs, 1, false).await?;
    if ticket.finished().await.iter().any(|one| one.outcome == Some(Outcome::Lost)) {
        return Err(Problem::stopping());
    }
    let vector = |prompt: &Prompt| {
        let vector = hashed_vector(&prompt.text, dimensions);
        if base64 { Value::String(encode(&vector)) } else { json!(vector) }
    };
    let item = |(index, prompt): (usize, &Prompt)| json!({"object": "embedding", "index": index, "embedding": vector(prompt)});
    let answer = json!({
        "id": format!("embd-{}", admitted.request_id),
        "object": "list",
        "created": super::wire::unix_seconds(),
        "model": embedder.model,
        "data": prompts.iter().enumerate().map(item).collect::<Vec<_>>(),
        "usage": {"prompt_tokens": total, "total_tokens": total, "completion_tokens": 0,
            "prompt_tokens_details": null},
    });
    Ok(Json(answer).into_response())
}

/// Tokens of a text, if `embedder` takes it.
pub(super) fn check(embedder: &Embedder, prompt: &Prompt) -> Result<u64, Problem> {
    let (length, limit) = (prompt.tokens.len(), embedder.max_model_len);
    if length == 0 {
        return Err(Problem::bad("input", "A text of `input` is empty."));
    }
    if length > limit as usize {
        let message = format!(
            "This model's maximum context length is {limit} tokens. However, you requested \
             {length} tokens in the input for embedding generation. Please reduce the length \
             of the input, or set truncate_prompt_tokens.",
        );
        return Err(Problem::bad("input", message));
    }
    Ok(length as u64)
}

/// Base64 (RFC 4648) of the little-endian numbers: what OpenAI's clients ask for by default.
fn encode(vector: &[f32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            if at <= group.len() {
                out.push(char::from(ALPHABET[(bits >> (18 - 6 * at)) as usize & 63]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads_to_groups_of_four() {
        assert_eq!(encode(&[]), "");
        assert_eq!(encode(&[1.0]), "AACAPw==");
        assert_eq!(encode(&[1.0, -2.0]), "AACAPwAAAMA=");
        assert_eq!(encode(&[0.0, 0.0, 0.0]), "A".repeat(16));
    }
}

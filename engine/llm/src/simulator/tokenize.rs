//! `POST /tokenize` and `/detokenize`.
//!
//! The count is what `usage` would say of the same prompt. Ids can be read back when they came from
//! `/tokenize` of this server and are not too many ago; any other id is refused, because inventing
//! a word for it would be a lie that nobody notices.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use serde_json::{Value, json};

use super::body::{self, Item};
use super::problem::Problem;
use super::prompt::{Prompt, marks};
use super::server::Server;

pub(super) async fn tokenize(
    State(server): State<Arc<Server>>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let body: body::Tokenize = body::parse(bytes)?;
    let max_model_len = server.max_model_len(body.model.as_deref())?;
    let vocabulary = server.vocabulary();
    let prompt = match (body.prompt, body.messages) {
        (Some(text), None) => Prompt::of(Item::Text(text), vocabulary),
        (None, Some(messages)) => {
            vocabulary.learn(messages.iter().flat_map(|message| marks(&message.role)));
            vocabulary.learn(marks("assistant"));
            let mut all = Prompt::default();
            for message in messages {
                let role = message.role.clone();
                let text = message.text()?;
                all.tokens.extend(marks(&role).map(|(id, _)| id));
                if !text.is_empty() {
                    vocabulary.learn_text(&text);
                    all.tokens.extend(sage_core::vllm::tokens::tokenize(&text));
                }
            }
            all.tokens.extend(marks("assistant").map(|(id, _)| id));
            all
        }
        _ => return Err(Problem::bad("prompt", "Give either `prompt` or `messages`.")),
    };
    vocabulary.learn_text(&prompt.text);
    let spelled = match body.return_token_strs {
        // A piece that is too long or ambiguous has no spelling.
        Some(true) => json!(
            prompt
                .tokens
                .iter()
                .map(|id| vocabulary.spell(&[*id]).ok().map(|pieces| pieces.concat()))
                .collect::<Vec<_>>()
        ),
        _ => Value::Null,
    };
    Ok(Json(json!({
        "count": prompt.tokens.len(),
        "max_model_len": max_model_len,
        "tokens": prompt.tokens,
        "token_strs": spelled,
    })))
}

pub(super) async fn detokenize(
    State(server): State<Arc<Server>>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let body: body::Detokenize = body::parse(bytes)?;
    server.max_model_len(body.model.as_deref())?;
    match server.vocabulary().spell(&body.tokens) {
        Ok(pieces) => Ok(Json(json!({ "prompt": pieces.concat() }))),
        Err(id) => {
            let message = format!(
                "The simulator reads back ids that its /tokenize has handed out; {id} is not one, \
                 or stands for several texts."
            );
            Err(Problem::bad("tokens", message))
        }
    }
}

//! An embedding endpoint over a function: `POST /v1/embeddings` and `GET /v1/models`.
//!
//! A model that runs in this process is called like any other: through the gateway, with its limits,
//! its journal and its figures. So nothing else has to know that there are such models.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Longest request body, bytes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Makes the vectors of texts, in order; it may take its time, and an error is told to who asked.
pub type Embed = dyn Fn(&[&str]) -> Result<Vec<Vec<f32>>, String> + Send + Sync;

/// A model and what makes its vectors.
#[derive(Clone)]
pub struct VectorServer {
    /// Name that requests must ask for.
    pub model: String,
    /// What answers them.
    pub embed: Arc<Embed>,
}

#[derive(Deserialize)]
struct Request {
    model: String,
    input: Input,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Many(Vec<String>),
}

/// Serve on `listener` until this future is dropped.
pub async fn serve_vectors(server: VectorServer, listener: TcpListener) -> std::io::Result<()> {
    let router = Router::new()
        .route("/v1/models", get(models))
        .route("/v1/embeddings", post(embeddings))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(server);
    axum::serve(listener, router).await
}

async fn models(State(server): State<VectorServer>) -> Json<Value> {
    let model = json!({ "id": server.model, "object": "model", "owned_by": "sage-flow" });
    Json(json!({ "object": "list", "data": [model] }))
}

async fn embeddings(State(server): State<VectorServer>, Json(asked): Json<Request>) -> Response {
    if asked.model != server.model {
        let message = format!("there is no model `{}`; there is `{}`", asked.model, server.model);
        return refusal(StatusCode::NOT_FOUND, &message);
    }
    let texts = match asked.input {
        Input::One(text) => vec![text],
        Input::Many(texts) => texts,
    };
    let embed = Arc::clone(&server.embed);
    // Off the thread that serves: others are to be heard meanwhile.
    let work = tokio::task::spawn_blocking(move || {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        embed(&texts)
    });
    match work.await {
        Ok(Ok(vectors)) => {
            let item = |(index, vector): (usize, Vec<f32>)| json!({ "object": "embedding", "index": index, "embedding": vector });
            let data: Vec<Value> = vectors.into_iter().enumerate().map(item).collect();
            Json(json!({ "object": "list", "model": server.model, "data": data })).into_response()
        }
        Ok(Err(message)) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &message),
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "the model broke down"),
    }
}

fn refusal(status: StatusCode, message: &str) -> Response {
    let kind = if status.is_client_error() { "invalid_request_error" } else { "server_error" };
    let body = json!({ "error": { "message": message, "type": kind, "code": status.as_u16() } });
    (status, Json(body)).into_response()
}

//! `GET /v1/models`, `/health`, `/version`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use sage_core::vllm::EMBEDDERS;
use serde_json::{Value, json};

use super::server::Server;

pub(super) async fn models(State(server): State<Arc<Server>>) -> Json<Value> {
    let profile = server.profile();
    let card = |id: &str, root: &str, max_model_len: u32| {
        json!({
            "id": id,
            "object": "model",
            "created": server.started,
            "owned_by": "vllm",
            "root": root,
            "parent": null,
            "max_model_len": max_model_len,
            "permission": [],
        })
    };
    let served = server.generator_names().map(|id| card(id, profile.model, profile.max_model_len));
    let embedders = EMBEDDERS.iter().map(|one| card(one.model, one.model, one.max_model_len));
    Json(json!({"object": "list", "data": served.chain(embedders).collect::<Vec<_>>()}))
}

pub(super) async fn health() -> StatusCode {
    StatusCode::OK
}

pub(super) async fn version() -> Json<Value> {
    Json(json!({"version": concat!("0.11.0+sage.simulated.", env!("CARGO_PKG_VERSION"))}))
}

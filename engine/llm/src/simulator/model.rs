//! `GET /v1/models`, `/health`, `/ping`, `/load`, `/version`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use sage_core::vllm::EMBEDDERS;
use serde_json::{Value, json};

use super::server::Server;

pub(super) async fn models(State(server): State<Arc<Server>>) -> Json<Value> {
    let created = server.started;
    let card = |id: &str, root: &str, max_model_len: u32| {
        json!({
            "id": id,
            "object": "model",
            "created": created,
            "owned_by": "vllm",
            "root": root,
            "parent": null,
            "max_model_len": max_model_len,
            "permission": [{
                "id": format!("modelperm-sim-{created}"),
                "object": "model_permission",
                "created": created,
                "allow_create_engine": false,
                "allow_sampling": true,
                "allow_logprobs": false,
                "allow_search_indices": false,
                "allow_view": true,
                "allow_fine_tuning": false,
                "organization": "*",
                "group": null,
                "is_blocking": false,
            }],
        })
    };
    let context = server.profile().max_model_len;
    let served = server.generator_names().map(|id| card(id, server.model(), context));
    let embedders = EMBEDDERS.iter().map(|one| card(one.model, one.model, one.max_model_len));
    Json(json!({"object": "list", "data": served.chain(embedders).collect::<Vec<_>>()}))
}

pub(super) async fn health() -> StatusCode {
    StatusCode::OK
}

pub(super) async fn load(State(server): State<Arc<Server>>) -> Json<Value> {
    Json(json!({ "server_load": server.load().load(Ordering::Relaxed) }))
}

pub(super) async fn version() -> Json<Value> {
    Json(json!({"version": concat!("0.11.0+sage.simulated.", env!("CARGO_PKG_VERSION"))}))
}

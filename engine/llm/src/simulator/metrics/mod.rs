//! `GET /metrics`: Prometheus text under vLLM's names, for limiters and dashboards that know them.
//!
//! Names, labels and buckets are vLLM's (`vllm/v1/metrics/loggers.py`). All times are the
//! simulator's virtual seconds, and every `HELP` line of a time says so. The series describe the
//! generating model; the embedding models beside it have none.

mod exposition;
mod histogram;
mod ledger;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, header};
use sage_core::vllm::Stats;

use super::driver::Telemetry;
use super::server::Server;
use exposition::Exposition;
pub(super) use ledger::{Ask, Ledger};

pub(super) async fn metrics(
    State(server): State<Arc<Server>>,
) -> ([(HeaderName, &'static str); 1], String) {
    let Telemetry { stats, ledger } = server.generator().telemetry();
    let profile = server.profile();
    let mut out = Exposition::new(&[("engine", "0"), ("model_name", server.model())]);
    gauges(&mut out, &stats);
    counters(&mut out, &stats);
    let (block_size, blocks) = (profile.block_size.to_string(), profile.kv_blocks.to_string());
    let config = [
        ("block_size", block_size.as_str()),
        ("cache_dtype", "auto"),
        ("enable_prefix_caching", "True"),
        ("num_gpu_blocks", &blocks),
    ];
    out.family("cache_config_info", "gauge", "Information of the LLMEngine CacheConfig.");
    out.sample("cache_config_info", &config, 1.0);
    ledger.render(&mut out);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], out.text())
}

fn gauges(out: &mut Exposition, stats: &Stats) {
    let (running, waiting) = (stats.running as f64, stats.waiting as f64);
    out.single("num_requests_running", "gauge", "Requests in the batch.", running);
    out.single("num_requests_waiting", "gauge", "Requests waiting for room.", waiting);
    let name = "num_requests_waiting_by_reason";
    out.family(name, "gauge", "Requests waiting, by what they wait for.");
    out.sample(name, &[("reason", "capacity")], waiting);
    out.sample(name, &[("reason", "deferred")], 0.0);
    out.single(
        "kv_cache_usage_perc",
        "gauge",
        "Share of KV blocks in use, 0 to 1.",
        stats.kv_usage,
    );
    out.family("engine_sleep_state", "gauge", "1 for the state that the engine is in.");
    for (state, is) in [("awake", 1.0), ("weights_offloaded", 0.0), ("discard_all", 0.0)] {
        out.sample("engine_sleep_state", &[("sleep_state", state)], is);
    }
}

fn counters(out: &mut Exposition, stats: &Stats) {
    let all = [
        ("prompt_tokens_total", "Prompt tokens.", stats.prompt_tokens),
        ("prompt_tokens_cached_total", "Prompt tokens that were not computed.", stats.prefix_hits),
        ("generation_tokens_total", "Generated tokens.", stats.generated_tokens),
        ("num_preemptions_total", "Preemptions.", stats.preemptions),
        ("prefix_cache_queries_total", "Prompt tokens looked up.", stats.prefix_queries),
        ("prefix_cache_hits_total", "Prompt tokens found.", stats.prefix_hits),
    ];
    for (name, help, value) in all {
        out.single(name, "counter", help, value as f64);
    }
    let name = "prompt_tokens_by_source_total";
    out.family(name, "counter", "Prompt tokens, by where their keys and values came from.");
    let computed = stats.prompt_tokens.saturating_sub(stats.prefix_hits);
    let sources = [
        ("local_compute", computed),
        ("local_cache_hit", stats.prefix_hits),
        ("external_kv_transfer", 0),
    ];
    for (source, count) in sources {
        out.sample(name, &[("source", source)], count as f64);
    }
    out.family("request_success_total", "counter", "Finished requests.");
    let reasons = [("stop", stats.stopped), ("length", stats.cut), ("abort", stats.cancelled)];
    for (reason, count) in reasons {
        out.sample("request_success_total", &[("finished_reason", reason)], count as f64);
    }
}

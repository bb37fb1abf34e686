//! `GET /metrics`: Prometheus text under vLLM's names, for limiters and dashboards that know them.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, header};

use super::driver::Telemetry;
use super::server::Server;

pub(super) async fn metrics(
    State(server): State<Arc<Server>>,
) -> ([(HeaderName, &'static str); 1], String) {
    let Telemetry { stats, latencies } = server.generator().telemetry();
    let labels = format!("engine=\"0\",model_name=\"{}\"", server.profile().model);
    let mut out = String::new();
    // Writing to a string cannot fail.
    let mut family = |name: &str, kind: &str, help: &str, values: &[(&str, f64)]| {
        let _ = writeln!(out, "# HELP vllm:{name} {help}\n# TYPE vllm:{name} {kind}");
        for (extra, value) in values {
            let _ = writeln!(out, "vllm:{name}{{{labels}{extra}}} {value}");
        }
    };
    let mut gauge = |name, help, value| family(name, "gauge", help, &[("", value)]);
    gauge("num_requests_running", "Requests in the batch.", stats.running as f64);
    gauge("num_requests_waiting", "Requests waiting for room.", stats.waiting as f64);
    gauge("kv_cache_usage_perc", "Share of KV blocks in use, 0 to 1.", stats.kv_usage);
    let mut counter = |name, help, value| family(name, "counter", help, &[("", value as f64)]);
    counter("prompt_tokens_total", "Prompt tokens.", stats.prompt_tokens);
    counter("prompt_tokens_cached_total", "Prompt tokens not computed.", stats.prefix_hits);
    counter("generation_tokens_total", "Generated tokens.", stats.generated_tokens);
    counter("num_preemptions_total", "Preemptions.", stats.preemptions);
    counter("prefix_cache_queries_total", "Tokens looked up.", stats.prefix_queries);
    counter("prefix_cache_hits_total", "Tokens found.", stats.prefix_hits);
    let reasons = [
        (",finished_reason=\"stop\"", stats.stopped as f64),
        (",finished_reason=\"length\"", stats.cut as f64),
        (",finished_reason=\"abort\"", stats.cancelled as f64),
    ];
    family("request_success_total", "counter", "Finished requests.", &reasons);
    let profile = server.profile();
    let config = format!(
        ",block_size=\"{}\",num_gpu_blocks=\"{}\",enable_prefix_caching=\"True\"",
        profile.block_size, profile.kv_blocks
    );
    family("cache_config_info", "gauge", "The cache's configuration.", &[(&config, 1.0)]);
    latencies.render(&mut out, &labels);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], out)
}

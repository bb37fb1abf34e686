//! `/metrics`, read strictly: format, names, labels, buckets, and what the numbers mean.

use std::collections::BTreeMap;

use serde_json::json;

use crate::running::{MODEL, ask, start};

/// A family: its kind, and its samples in order.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    help: String,
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

/// Reads the text format without forgiving anything.
fn parse(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            name.clone_into(&mut current);
            let family = Family { help: help.to_owned(), ..Family::default() };
            assert!(families.insert(current.clone(), family).is_none(), "twice: {name}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            let family = families.get_mut(&current).unwrap();
            assert!(name == current && family.kind.is_empty(), "{line}");
            assert!(["gauge", "counter", "histogram"].contains(&kind), "{line}");
            kind.clone_into(&mut family.kind);
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap();
            let family = families.get_mut(&current).unwrap();
            let suffix = name.strip_prefix(&current).unwrap_or_else(|| panic!("astray: {line}"));
            let histogram = family.kind == "histogram";
            assert_eq!(histogram, !suffix.is_empty(), "{line}");
            assert!(!histogram || ["_bucket", "_sum", "_count"].contains(&suffix), "{line}");
            let pairs = labels.strip_suffix('}').unwrap().split(',');
            let labels: Vec<(String, String)> = pairs
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap();
                    let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap();
                    (key.to_owned(), value.to_owned())
                })
                .collect();
            assert!(labels.is_sorted(), "{line}");
            let labels: BTreeMap<_, _> = labels.into_iter().collect();
            let value: f64 = value.parse().unwrap();
            family.samples.push((suffix.to_owned(), labels, value));
        }
    }
    families
}

const GAUGES: &[&str] = &[
    "num_requests_running",
    "num_requests_waiting",
    "num_requests_waiting_by_reason",
    "kv_cache_usage_perc",
    "cache_config_info",
    "engine_sleep_state",
];
const COUNTERS: &[&str] = &[
    "prompt_tokens_total",
    "prompt_tokens_cached_total",
    "prompt_tokens_by_source_total",
    "generation_tokens_total",
    "num_preemptions_total",
    "prefix_cache_queries_total",
    "prefix_cache_hits_total",
    "request_success_total",
];
const FIRST: &str = "0.001 0.005 0.01 0.02 0.04 0.06 0.08 0.1 0.25 0.5 0.75 1.0 2.5 5.0 7.5 10.0 \
                     20.0 40.0 80.0 160.0 640.0 2560.0 +Inf";
const TOKEN: &str = "0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.3 0.4 0.5 0.75 1.0 2.5 5.0 7.5 10.0 20.0 \
                     40.0 80.0 +Inf";
const PHASE: &str = "0.3 0.5 0.8 1.0 1.5 2.0 2.5 5.0 10.0 15.0 20.0 30.0 40.0 50.0 60.0 120.0 \
                     240.0 480.0 960.0 1920.0 7680.0 +Inf";
const COUNT: &str = "1.0 2.0 5.0 10.0 20.0 50.0 100.0 200.0 500.0 1000.0 2000.0 5000.0 10000.0 \
                     20000.0 +Inf";
const HISTOGRAMS: &[(&str, &str)] = &[
    ("time_to_first_token_seconds", FIRST),
    ("inter_token_latency_seconds", TOKEN),
    ("request_time_per_output_token_seconds", TOKEN),
    ("e2e_request_latency_seconds", PHASE),
    ("request_queue_time_seconds", PHASE),
    ("request_inference_time_seconds", PHASE),
    ("request_prefill_time_seconds", PHASE),
    ("request_decode_time_seconds", PHASE),
    ("request_prompt_tokens", COUNT),
    ("request_prefill_kv_computed_tokens", COUNT),
    ("request_generation_tokens", COUNT),
    ("request_max_num_generation_tokens", COUNT),
    ("request_params_n", "1.0 2.0 5.0 10.0 20.0 +Inf"),
    ("request_params_max_tokens", COUNT),
    (
        "iteration_tokens_total",
        "1.0 8.0 16.0 32.0 64.0 128.0 256.0 512.0 1024.0 2048.0 4096.0 8192.0 16384.0 +Inf",
    ),
];

#[tokio::test]
async fn names_labels_and_buckets_are_vllms() {
    let server = start(|_| {}).await;
    let mut body = ask("Explain continuous batching.");
    body["n"] = json!(2);
    server.chat(body).await;
    let families = parse(&server.get("/metrics").await);
    let known = GAUGES.len() + COUNTERS.len() + HISTOGRAMS.len();
    assert_eq!(families.len(), known, "{:?}", families.keys());
    for (name, family) in &families {
        for (_, labels, value) in &family.samples {
            assert_eq!((&*labels["engine"], &*labels["model_name"]), ("0", MODEL), "{name}");
            assert!(value.is_finite() && *value >= 0.0);
        }
        assert_eq!(name.ends_with("_seconds"), family.help.contains("virtual seconds"), "{name}");
    }
    for (names, kind) in [(GAUGES, "gauge"), (COUNTERS, "counter")] {
        for name in names {
            assert_eq!(families[&format!("vllm:{name}")].kind, kind, "{name}");
        }
    }
    for (name, bounds) in HISTOGRAMS {
        let family = &families[&format!("vllm:{name}")];
        assert_eq!(family.kind, "histogram");
        let buckets = family.samples.iter().filter(|(suffix, ..)| suffix == "_bucket");
        let (found, counts): (Vec<&str>, Vec<f64>) =
            buckets.map(|(_, labels, count)| (&*labels["le"], *count)).unzip();
        assert_eq!(found.join(" "), *bounds, "{name}");
        assert!(counts.is_sorted(), "{name}");
        let of = |wanted: &str| family.samples.iter().find(|(s, ..)| s == wanted).unwrap().2;
        assert!(counts.last() == Some(&of("_count")) && of("_count") > 0.0, "{name}");
    }
    let reasons = families["vllm:request_success_total"].samples.iter();
    let reasons: Vec<&str> = reasons.map(|(_, labels, _)| &*labels["finished_reason"]).collect();
    assert_eq!(reasons, ["stop", "length", "abort"]);
    let config = &families["vllm:cache_config_info"].samples[0];
    assert_eq!((&*config.1["block_size"], config.2), ("16", 1.0));
    server.stop().await;
}

#[tokio::test]
async fn the_first_token_includes_the_queue_and_phases_add_up() {
    let server = start(|config| {
        let mut profile = (*config.profile).clone();
        profile.max_num_seqs = 1;
        config.profile = profile.into();
    })
    .await;
    // One after the other, although they come together.
    let body = json!({"prompt": ["One.", "Two.", "Three."], "max_tokens": 100, "ignore_eos": true});
    assert_eq!(server.post("/v1/completions", body).await.0, 200);
    let families = parse(&server.get("/metrics").await);
    let value = |name: &str, suffix: &str| {
        let family = &families[&format!("vllm:{name}")];
        family.samples.iter().find(|(s, ..)| s == suffix).unwrap().2
    };
    let sum = |name: &str| value(name, "_sum");
    let decode = sum("request_decode_time_seconds") / 3.0;
    assert!(decode > 0.5, "99 tokens take about a second: {decode}");
    // The second waits for one, the third for two.
    let queue = sum("request_queue_time_seconds");
    assert!(queue > 2.7 * decode && queue < 3.6 * decode, "{queue} {decode}");
    assert!(sum("time_to_first_token_seconds") > queue);
    let inference = sum("request_inference_time_seconds");
    let phases = sum("request_prefill_time_seconds") + sum("request_decode_time_seconds");
    assert!((inference - phases).abs() < 1e-6);
    assert!(sum("e2e_request_latency_seconds") >= queue + inference);
    assert_eq!(value("inter_token_latency_seconds", "_count") as u64, 297);
    assert_eq!(sum("request_generation_tokens") as u64, 300);
    assert_eq!(sum("request_params_max_tokens") as u64, 300);
    let tokens = value("prompt_tokens_total", "") + value("generation_tokens_total", "");
    assert!((sum("iteration_tokens_total") - (tokens - 3.0)).abs() < 1e-9, "{tokens}");
    server.stop().await;
}

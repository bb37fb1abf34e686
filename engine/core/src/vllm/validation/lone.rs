//! V6 and V7: one request at a time, as Qwen publishes it.

use super::bench::{Size, burst};
use super::{HOLD_OUT, Kind, Row, named};
use crate::vllm::{Architecture, Gpu, Profile};

const SOURCE: &str = "Qwen2.5 speed benchmark, BF16 on A100-80GB, vLLM 0.6";
const OUTPUT: u32 = 2048;

/// Of the engine before V1. Chosen with one recalled point of V6 in sight (80.7 tokens/s at 6144),
/// which is therefore not in the table.
const OLD_OVERHEAD_MS: f64 = 2.7;

pub(super) fn rows() -> Vec<Row> {
    let small = old(&named("a100/qwen2.5-7b"));
    let architecture = Architecture {
        layers: 48,
        hidden: 5120,
        intermediate: 13_824,
        query_heads: 40,
        kv_heads: 8,
        head_dim: 128,
        vocabulary: 152_064,
    };
    let large = old(&Profile {
        model: "Qwen/Qwen2.5-14B-Instruct".into(),
        costs: architecture.costs(&Gpu::A100_80GB),
        kv_blocks: 13_000,
        ..named("a100/qwen2.5-7b")
    });
    let small_targets = [(30_720, 70.33), (63_488, 50.86), (129_024, 28.94)];
    let large_targets = [(1, 46.30), (6144, 43.83), (14_336, 41.91), (30_720, 37.18)];
    let mut rows = Vec::new();
    for (input, target) in small_targets {
        rows.push(row("V6", "Qwen2.5-7B", &small, input, target));
    }
    for (input, target) in large_targets {
        rows.push(row("V7", "Qwen2.5-14B", &large, input, target));
    }
    rows
}

/// The same machine under vLLM 0.6: its own overhead, no API server in between (the source calls
/// the engine as a library), whole prompts, a context that fits the longest.
fn old(profile: &Profile) -> Profile {
    let mut old = profile.clone();
    old.costs.step_overhead = OLD_OVERHEAD_MS;
    old.max_model_len = 131_072;
    old.api_ms_per_request = 0.0;
    old.api_us_per_token = 0.0;
    old
}

fn row(id: &'static str, model: &str, profile: &Profile, input: u32, target: f64) -> Row {
    let seen = burst(profile, &[Size { input, output: OUTPUT }]);
    Row {
        id,
        source: SOURCE,
        what: format!("{model}, {input} in and 2048 out, tokens/s of the whole time"),
        target,
        model: f64::from(OUTPUT) / seen.seconds,
        tolerance: HOLD_OUT,
        kind: Kind::HoldOut,
    }
}

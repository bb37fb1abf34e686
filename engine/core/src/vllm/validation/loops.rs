//! V8, V9 and V11: closed loops of clients.

use super::bench::{Size, closed_loop};
use super::{HOLD_OUT, Kind, Row, named};
use crate::vllm::{Architecture, Efficiency, Gpu, Profile};

pub(super) fn rows() -> Vec<Row> {
    [small_a100(), a6000(), upper_bound()].concat()
}

/// Llama-3.1-8B; as Llama-3-8B.
const LLAMA: Architecture = Architecture {
    layers: 32,
    hidden: 4096,
    intermediate: 14_336,
    query_heads: 32,
    kv_heads: 8,
    head_dim: 128,
    vocabulary: 128_256,
};

fn small_a100() -> Vec<Row> {
    const SOURCE: &str = "johnmusgrave.com, Llama-3.1-8B on A100-40GB, vLLM 0.23, 1024/128";
    let gpu = Gpu { bandwidth: 1.555e12, ..Gpu::A100_80GB };
    let profile =
        Profile { costs: LLAMA.costs(&gpu), kv_blocks: 9_400, ..named("a100/llama-3-8b") };
    let size = Size { input: 1024, output: 128 };
    let rate = |clients| closed_loop(&profile, clients, size, false, 30);
    let (one, eight) = (rate(1), rate(8));
    let row = |what: &str, target, model| Row {
        id: "V8",
        source: SOURCE,
        what: what.into(),
        target,
        model,
        tolerance: HOLD_OUT,
        kind: Kind::HoldOut,
    };
    vec![
        row("C=1, decoded tokens/s", 75.0, 1e3 / one.tpot),
        row("throughput at C=8 over C=1", 6.6, eight.tokens / one.tokens),
    ]
}

/// The lengths are not in the source; 128/128 is an assumption (256/256 comes out as far off), so the
/// shape counts. The model is too slow throughout: by 15 % alone, where lengths hardly matter, and by
/// more the larger the batch.
fn a6000() -> Vec<Row> {
    const SOURCE: &str = "ld-singh ai-factory-ops-lab, Qwen2.5-7B on RTX A6000, vLLM 0.23";
    let gpu = Gpu { bandwidth: 768e9, peak: 155e12, efficiency: Efficiency::A100 };
    let architecture = Architecture {
        layers: 28,
        hidden: 3584,
        intermediate: 18_944,
        query_heads: 28,
        kv_heads: 4,
        head_dim: 128,
        vocabulary: 152_064,
    };
    let profile =
        Profile { costs: architecture.costs(&gpu), kv_blocks: 30_000, ..named("a100/qwen2.5-7b") };
    let targets = [
        (1, 21.9, 42.0),
        (8, 22.3, 240.0),
        (64, 27.5, 2128.0),
        (128, 36.0, 3138.0),
        (256, 53.0, 4040.0),
        (512, 56.0, 3896.0),
    ];
    let mut rows = Vec::new();
    for (clients, tpot, tokens) in targets {
        let seen = closed_loop(&profile, clients, Size { input: 128, output: 128 }, true, 20);
        let row = |what: &str, target, model| Row {
            id: "V9",
            source: SOURCE,
            what: format!("C={clients}, {what}"),
            target,
            model,
            tolerance: if clients <= 8 && what.starts_with("TPOT") { HOLD_OUT } else { None },
            kind: Kind::Shape,
        };
        rows.push(row("TPOT, ms", tpot, seen.tpot));
        rows.push(row("output tokens/s", tokens, seen.tokens));
    }
    rows
}

fn upper_bound() -> Vec<Row> {
    let size = Size { input: 128, output: 128 };
    let seen = closed_loop(&named("a100/llama-3-8b"), 256, size, true, 30);
    vec![Row {
        id: "V11",
        source: "TensorRT-LLM's performance page, by vLLM issue 2648",
        what: "Llama-3-8B 128/128 at C=256, output tokens/s".into(),
        target: 6552.0,
        model: seen.tokens,
        tolerance: Some(0.0),
        kind: Kind::Bound,
    }]
}

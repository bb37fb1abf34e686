//! V1 to V5: GPUStack's bursts of Qwen3-14B on one A100.

use super::bench::{Size, burst};
use super::{IN_SAMPLE, Kind, Row, mix, named};

const SOURCE: &str = "GPUStack performance lab, qwen3-14b on A100, vLLM 0.11.0";

struct Published {
    id: &'static str,
    what: &'static str,
    sizes: Vec<Size>,
    seconds: f64,
    tpot: f64,
    gap: f64,
    peak: f64,
}

/// A figure that was not published.
const NONE: f64 = f64::NAN;

pub(super) fn rows() -> Vec<Row> {
    let equal = |count, input, output| vec![Size { input, output }; count];
    let published = [
        Published {
            id: "V1",
            what: "500x(4000/200)",
            sizes: equal(500, 4000, 200),
            seconds: 407.05,
            tpot: 254.6,
            gap: 369.0,
            peak: NONE,
        },
        Published {
            id: "V2",
            what: "500x(2000/100)",
            sizes: equal(500, 2000, 100),
            seconds: 175.66,
            tpot: 301.7,
            gap: 334.0,
            peak: NONE,
        },
        Published {
            id: "V3",
            what: "100x(32000/100)",
            sizes: equal(100, 32_000, 100),
            seconds: 724.56,
            tpot: 445.6,
            gap: 448.0,
            peak: NONE,
        },
        Published {
            id: "V4",
            what: "ShareGPT 1000",
            sizes: mix::sharegpt(),
            seconds: 106.82,
            tpot: 114.3,
            gap: 85.6,
            peak: 4616.0,
        },
        Published {
            id: "V5",
            what: "1000x(128/4)",
            sizes: equal(1000, 128, 4),
            seconds: 26.79,
            tpot: NONE,
            gap: NONE,
            peak: NONE,
        },
    ];
    published.into_iter().flat_map(compare).collect()
}

fn compare(published: Published) -> Vec<Row> {
    let seen = burst(&named("a100/qwen3-14b"), &published.sizes);
    let row = |metric: &str, target: f64, model: f64, tolerance| Row {
        id: published.id,
        source: SOURCE,
        what: format!("{}, {metric}", published.what),
        target,
        model,
        tolerance,
        kind: Kind::InSample,
    };
    let rows = vec![
        row("s", published.seconds, seen.seconds, IN_SAMPLE),
        row("mean TPOT, ms", published.tpot, seen.tpot, None),
        row("median ITL, ms", published.gap, seen.gap, None),
        row("peak output tokens/s", published.peak, seen.peak as f64, None),
    ];
    rows.into_iter().filter(|row| row.target.is_finite()).collect()
}

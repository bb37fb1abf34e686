//! Pages of the codes about `measure` blocks.

use super::{Code, Within, page};

/// S08.
pub(super) const MEASURES: &[Code] = &[
    page(
        "S0801",
        "unknown figure",
        "`measure to csv(\"figures.csv\") every 1s { throughput, latency.p99 by node }` writes figures \
         while a run goes on; the page about measurement lists all that can be named. Times have the \
         statistics `mean`, `p50`, `p90`, `p95`, `p99` and `max`; without one it is the mean.",
        Within::Declarations,
        "measure to csv(\"figures.csv\") every 1s { througput }",
        "measure to csv(\"figures.csv\") every 1s { throughput }",
    ),
    page(
        "S0802",
        "`measure` does not fit",
        "A `measure` block names figures, each with a statistic that it has and taken apart by `node` \
         or `stage` where that is possible. Its rows go to `csv(\"file.csv\")`, `jsonl(\"file.jsonl\")` \
         or `stdout`, every time that is at least 100ms long.",
        Within::Declarations,
        "measure to csv(\"figures.csv\") every 1ms { throughput }",
        "measure to csv(\"figures.csv\") every 1s { throughput }",
    ),
];

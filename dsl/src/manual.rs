//! What an `experiment` block may say, for the reference pages.

/// Settings of a run, by name: of an experiment, a job, a point of a sweep or a quick run.
pub const SETTINGS: &[(&str, &str)] = &[
    ("tasks", "records of each job: `tasks: 2000`; the source is cut, or read again"),
    ("nodes", "worker processes, one a node: `nodes: 4` [default: 4]"),
    ("slots", "tasks of a node at once: `slots: 16`"),
    ("policy", "scheduling policy, with arguments: `policy: priority(aging: 5s)`"),
    ("concurrency", "calls in flight at each endpoint: `concurrency: 64` or `auto`"),
    ("together", "all jobs at once, and each of them also alone: `together`"),
    ("stagger", "time between the starts of jobs that run together: `stagger: 2s`"),
    (
        "arrivals",
        "how records arrive: `batch` [default], `constant(20/s)`, `poisson(20/s)`, \
         `burst(50, every: 10s)`, `trace(\"times.txt\")`",
    ),
    ("fair", "whether the gateway shares endpoints between jobs by their shares [default: true]"),
    ("share", "weight of one job at the gateway: `chat = rag { share: 2 }`"),
    ("endpoint", "URL of every endpoint: `endpoint: \"sim:a100/qwen2.5-7b@10\"`"),
    ("deadline", "a task that is not dispatched within this time is late: `deadline: 30s`"),
    ("queue", "most tasks in the central queue: `queue: 500`"),
    (
        "speeds",
        "relative speeds of the nodes, repeated over the nodes: of 4 nodes `speeds: [1, 2]` makes \
         the second and the fourth twice as fast (twin only)",
    ),
    (
        "failures",
        "nodes that are lost, for good or for a while: `failures: [node(2, at: 5s), \
         node(3, at: 8s, for: 10s)]` (twin only)",
    ),
    ("jobs", "which of the jobs run, in a sweep: `sweep jobs in [[rag], [rag, llm]]`"),
];

/// What else stands in an experiment.
pub const ENTRIES: &[(&str, &str)] = &[
    ("repeat", "runs of every combination [default: 1]; run r of each has the same seed"),
    ("seed", "seed of the first repeat [default: 0]"),
    ("baseline", "label of the point that all others are compared with: `baseline: fifo`"),
    ("report", "columns that reports show: `report: [throughput, latency_p99_ms]`"),
    ("backends", "where it may run: `backends: [twin]` [default: twin, sim and live]"),
];

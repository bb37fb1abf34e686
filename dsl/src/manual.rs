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

/// Entries of an `endpoint` block.
pub const ENDPOINT: &[(&str, &str)] = &[
    ("url", "address of the server, or `sim:PROFILE[@SPEED]`; a list names several servers"),
    ("model", "name of the model, sent with each call"),
    ("concurrency", "calls in flight over the whole cluster: a number or `auto`"),
    ("limits", "most of it a minute: `{ requests: 3000/min, tokens: 600_000/min }`"),
    ("retry", "tries again after a failure: `backoff(max: 4, base: 200ms, cap: 10s)`"),
    ("hedge", "a second call beside a slow one: `quantile(95%, budget: 2%)`"),
    ("balance", "which of several servers is called: `least_tokens` or `prefix_affinity`"),
    ("price", "of a million tokens: `{ input: 0.15/Mtok, output: 0.60/Mtok }`"),
    ("api_key", "the key, from the environment: `env(\"NAME\")`"),
];

/// Entries of a `schedule` block.
pub const SCHEDULE: &[(&str, &str)] = &[
    ("policy", "which task goes where, and when: `load_aware`, `priority(aging: 5s)`"),
    ("slots", "tasks that a worker executes at once"),
    ("priority", "an int of the record; higher goes earlier"),
    ("fair", "whose a record is; policies share the workers fairly between them"),
    ("due", "how long after its arrival a record is wanted"),
    ("affinity", "what records have in common that run best on one worker"),
    ("queue", "most tasks that wait before the source is paused"),
    ("deadline", "a task that is not dispatched within this time is late"),
    ("morsel", "records of a task; 0 lets the planner choose"),
];

/// Entries of an `index` block.
pub const INDEX: &[(&str, &str)] = &[
    ("embed", "text of a document that is searched, as in `embed: .text`"),
    ("text", "the same by another name"),
    ("with", "endpoint that makes the vectors; without it they are hashed from the words"),
    ("search", "how it is searched: `bm25`, `vector` or `hybrid`"),
    ("refresh", "whether changes of its documents are followed: `live` or `live(every: 5s)`"),
];

/// Entries of a block behind a `source`.
pub const SOURCE: &[(&str, &str)] = &[
    ("bad_rows", "what to do with a row that cannot be read: `dead_letter` or `fail`"),
    ("changes", "field that says what became of the record with this key; `delete` is a deletion"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;

    #[test]
    fn the_manual_knows_what_the_checker_takes() {
        let names = |pages: &[(&'static str, &str)]| -> Vec<&'static str> {
            pages.iter().map(|(name, _)| *name).collect()
        };
        assert_eq!(names(ENDPOINT), check::ENDPOINT_OPTIONS);
        assert_eq!(names(SCHEDULE), check::SCHEDULE_OPTIONS);
        assert_eq!(names(INDEX), check::INDEX_OPTIONS);
        let source: Vec<&str> = check::SOURCE_OPTIONS.iter().map(|option| option.name).collect();
        assert_eq!(names(SOURCE), source);
    }
}

//! What blocks may say, for the reference pages and for editors.

mod signs;
mod terms;
mod words;

pub use signs::SIGNS;
pub use terms::{TERMS, TYPES, WINDOW, term_of, type_of};
pub use words::{WORDS, Word, word_of};

pub use crate::check::{SINK_OPTIONS, SOURCE_OPTIONS};

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

/// Entries of a block behind a `sink`.
pub const SINK: &[(&str, &str)] =
    &[("mode", "what is left at the end, `final`, or every change of a row, `changes`")];

/// Entries of a `fault` block of a test.
pub const FAULT: &[(&str, &str)] = &[
    ("latency", "so much time is added to each call: `latency: 500ms`"),
    ("extra_latency", "the same by another name"),
    ("drop", "share of the calls whose connection is closed without an answer: `drop: 5%`"),
    ("reset", "share of the calls whose connection is reset within the answer"),
    ("stall", "share of the calls that are never answered"),
    ("truncated", "share of the answers that end too early"),
    ("bad_json", "share of the answers that are no JSON"),
    ("malformed", "the same by another name"),
    (
        "wrong_schema",
        "share of the structured answers that do not fit their type: `wrong_schema: 20%`",
    ),
    ("slow_start", "everything is refused with status 503 until then: `slow_start: 4s`"),
    ("retry_after", "what a refusal says about when to come back: `retry_after: 2s`"),
    ("outage", "nothing is reached for a while: `outage: { at: 5s, for: 10s, every: 1min }`"),
    (
        "status_429",
        "share of the calls that fail with this status, any from 400 to 599: `status_429: 30%`",
    ),
    ("seed", "what chance is drawn from: `seed: 7` [default: 0]"),
];

/// What a test is made of.
pub const TEST: &[(&str, &str)] = &[
    ("given", "the records that come in: `given Query { id: \"q1\" }` or `given 10 of queries`"),
    ("mock", "a value in the place of what a stage makes: `mock answer.text = \"four\"`"),
    ("fault", "disturbed calls of an endpoint: `fault llm { status_429: 30% }`"),
    ("expect", "what has to hold: `expect answers.count == 1`"),
];

/// What an expectation knows of an endpoint.
pub const ENDPOINT_FIGURES: &[&str] = crate::testing::ENDPOINT_FIGURES;

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
        let options = |list: &[crate::catalog::Param]| -> Vec<&str> {
            list.iter().map(|option| option.name).collect()
        };
        assert_eq!(names(SOURCE), options(SOURCE_OPTIONS));
        assert_eq!(names(SINK), options(SINK_OPTIONS));
        assert_eq!(names(FAULT), check::fault_names());
        let types: Vec<&str> = TYPES.iter().map(|it| it.names[0]).collect();
        let built_in: Vec<&str> = check::BUILT_IN.iter().map(|(name, _)| *name).collect();
        assert_eq!(types, built_in);
    }

    #[test]
    fn forms_of_types_and_of_what_stands_in_blocks_can_be_read() {
        for page in TYPES.iter().chain(TERMS) {
            for declaration in page.form.split("\n\n") {
                let read = crate::format("form.sage", &format!("sage 1\n{declaration}\n"));
                assert!(read.is_ok(), "{:?}: {read:?}", page.names);
            }
        }
        for page in SIGNS {
            assert!(crate::parse::is_line(page.form), "{:?}", page.names);
        }
    }

    #[test]
    fn every_sign_of_the_grammar_has_a_page_or_belongs_to_another_language() {
        const FOREIGN: &[&str] =
            &["||", "&&", "!", "===", "!==", "<>", "=~", "~=", "++", "**", "^", "<-", ">>", "|"];
        let grammar = include_str!("grammar.pest");
        let code = grammar.lines().filter(|line| !line.starts_with("//"));
        // A quote within a literal of the grammar is escaped.
        let code = code.collect::<Vec<_>>().join("\n").replace("\\\"", "QUOTE");
        let literals = code.split('"').skip(1).step_by(2);
        let is_sign = |text: &&str| {
            !text.is_empty() && text.bytes().all(|it| it.is_ascii_punctuation() && it != b'\\')
        };
        let signs: std::collections::BTreeSet<&str> = literals.filter(is_sign).collect();
        assert!(signs.len() > 25, "{signs:?}");
        for sign in signs {
            let pages = SIGNS.iter().filter(|page| page.names.contains(&sign)).count();
            assert!(pages == usize::from(!FOREIGN.contains(&sign)), "`{sign}` has {pages} pages");
        }
    }

    #[test]
    fn every_keyword_of_the_grammar_has_a_page_and_belongs_to_one_construct() {
        let grammar = include_str!("grammar.pest");
        let keywords = grammar.lines().filter(|line| line.starts_with("kw_"));
        let keywords: Vec<&str> = keywords.filter_map(|line| line.split('"').nth(1)).collect();
        assert!(keywords.len() > 40, "{keywords:?}");
        for keyword in keywords {
            let pages = WORDS.iter().filter(|word| word.names.contains(&keyword)).count();
            // Experiments and claims have pages of their own, with settings and columns.
            let own = ["experiment", "claim"].contains(&keyword);
            assert!(pages == usize::from(!own), "`{keyword}` has {pages} pages");
        }
    }
}

//! Words that are no keywords and still mean something: types, and what stands behind the entries of
//! blocks. They have pages as keywords have.

use super::words::{Word, word};

/// The types that every program has, in the order of the checker.
pub const TYPES: &[Word] = &[
    word(&["int"], "a whole number of 64 bits with its sign", "param top_k: int = 10"),
    word(
        &["float"],
        "a number with a fraction, of 64 bits; an int fits where one is wanted",
        "param weight: float = 0.5",
    ),
    word(&["bool"], "`true` or `false`", "param verbose: bool = false"),
    word(&["string"], "a text in UTF-8", "param language: string = \"en\""),
    word(
        &["bytes"],
        "anything, as it is; in data it is a text, whose bytes in UTF-8 they are",
        "type Picture { id: string @key, content: bytes }",
    ),
    word(
        &["time"],
        "a moment, to the nanosecond; in data it is written by RFC 3339, as in `2026-11-28T10:00:00Z`",
        "type Event { id: string @key, at: time }",
    ),
    word(
        &["duration"],
        "a length of time, written with its unit: ns, us, ms, s, min, h, d",
        "param patience: duration = 30s",
    ),
    word(
        &["size"],
        "a number of bytes, written with its unit: B, KiB, MiB, GiB, TiB",
        "param memory: size = 64MiB",
    ),
    word(&["rate"], "events a second, a minute, an hour or a day", "param load: rate = 20/s"),
    word(
        &["percent"],
        "a share, as in `99.5%`, which is held as 0.995",
        "param wanted: percent = 99.5%",
    ),
    word(
        &["tokens"],
        "a number of tokens of a language model; where one is wanted an int fits, too",
        "param context: tokens = 1800 tokens",
    ),
    word(
        &["vector"],
        "numbers that say where a text lies among others, as `embed` makes them; `vector<384>` says how many",
        "type Passage { id: string @key, place: vector<384> }",
    ),
];

/// What else has a meaning, each with what it looks like.
pub const TERMS: &[Word] = &[
    word(
        &["Generated"],
        "the record that `generate` makes: `.text`, `.tokens`, `.prompt_tokens` and `.finish`; a prompt with another result type than string gives a value of that type instead",
        "flow ask {\n  from queries\n  stage answer = generate(.text) on llm\n  emit Answer { id: .id, text: answer.text, tokens: answer.tokens } into answers\n}",
    ),
    word(
        &["list"],
        "`[T]`: any number of values of one type; `xs[0]` is the first, `xs.field` the field of each",
        "type Ticket { id: string @key, tags: [string] }",
    ),
    word(
        &["optional", "null"],
        "`T?`: a value that may be null; `a ?? b` is `b` where `a` is null",
        "type Note { id: string @key, title: string? }\n\nfn title(of: string?) -> string = of ?? \"untitled\"",
    ),
    word(
        &["service"],
        "a flow that reads its records from clients, over HTTP (`from http(...)`), and answers each one by the row that it emits (`to http_reply()`)",
        "type Query { id: string @key, text: string }\ntype Answer { id: string, size: int }\nsource asked: Query from http(listen: \"127.0.0.1:8088\", at: \"/ask\")\nsink replies: Answer to http_reply()\nflow measure_texts {\n  from asked\n  emit Answer { id: .id, size: length(.text) } into replies\n}",
    ),
    word(&["true", "false"], "the two values of a bool", "param verbose: bool = true"),
    word(
        &["env", "secret"],
        "the value of an environment variable, and what holds where it is not set; a key is given only so, that no secret stands in a program",
        "param url: string = env(\"SAGE_LLM_URL\", \"sim:a100/qwen2.5-7b\")\n\nendpoint llm { url: url, api_key: env(\"SAGE_API_KEY\") }",
    ),
    word(
        &["sim"],
        "an address of a simulated endpoint, of a machine and a model (`sage-flow list profiles`), and how much faster than real it is",
        "endpoint llm { url: \"sim:a100/qwen2.5-7b@10\" }",
    ),
    word(
        &["auto", "latency_target"],
        "the number of calls in flight with the most throughput, found while a run goes on; at most `max`, and with `latency_target` so few that the median answer comes within that time",
        "endpoint llm { url: \"sim:a100/qwen2.5-7b\", concurrency: auto(max: 256, latency_target: 2s) }",
    ),
    word(
        &["backoff", "base", "cap"],
        "tries a call again after a failure, up to `max` times; the longest pause is `base` at first and doubles up to `cap`, and tries again are at most the share `budget` of all calls",
        "endpoint llm { url: \"sim:a100/qwen2.5-7b\", retry: backoff(max: 4, base: 200ms, cap: 10s, budget: 10%) }",
    ),
    word(
        &["budget"],
        "the largest share of all calls that are tries again (of `backoff`) or second calls beside slow ones (of `hedge`)",
        "endpoint llm { url: \"sim:a100/qwen2.5-7b\", hedge: quantile(95%, budget: 2%) }",
    ),
    word(
        &["none", "off"],
        "`retry: none` tries no call again, `hedge: off` makes no second calls",
        "endpoint llm { url: \"sim:a100/qwen2.5-7b\", retry: none, hedge: off }",
    ),
    word(
        &["bm25", "hybrid", "hnsw", "exact", "weight", "fuse", "weighted", "rrf"],
        "how an index is searched: by words (`bm25`), by vectors (`vector`, all of them or by a graph of near ones, `hnsw`), or by both (`hybrid`), whose ranks or scores are put together with a weight of the vectors",
        "index docs: Doc from markdown(\"docs\") { embed: .text, search: hybrid(weight: 0.7) }\n\nindex notes: Doc from text(\"notes\") { embed: .text, search: vector(hnsw) }\n\nindex all: Doc from text(\"all\") { embed: .text, search: hybrid(vector: exact, fuse: rrf) }",
    ),
    word(
        &["live"],
        "an index whose documents are looked at again while a run goes on",
        "index docs: Doc from markdown(\"docs\") { embed: .text, refresh: live(every: 5s) }",
    ),
    word(
        &["constant", "uniform", "exponential", "lognormal", "mean", "cv", "low", "high"],
        "a time that is drawn anew for each record, in the place of a duration; `cv` is the standard deviation over the mean",
        "flow f {\n  from rows\n  stage waited = sleep(lognormal(mean: 20ms, cv: 0.5))\n  stage worked = burn(uniform(low: 1ms, high: 3ms))\n  emit into out\n}",
    ),
    word(
        &["batch", "poisson", "burst", "trace"],
        "how the records of an experiment arrive: all at once, at a constant rate (`constant(20/s)`), at random, in bursts, or at the times of a file",
        "experiment e {\n  jobs: [f]\n  sweep arrivals in [batch, constant(20/s), poisson(20/s), burst(50, every: 10s), trace(\"times.txt\")]\n}",
    ),
    word(
        &["error"],
        "in a `mock`: every call of the stage fails with this text",
        "test \"t\" {\n  given 1 of rows\n  mock answer = error(\"no such model\")\n  expect dead_letters.count == 1\n}",
    ),
    word(
        &["count"],
        "in an `expect`, how many rows a sink or `dead_letters` has; in a group, the number of its records",
        "test \"t\" {\n  given 20 of rows\n  expect out.count == 20 and dead_letters.count == 0\n}",
    ),
    word(
        &["window_start", "window_end"],
        "columns of a group by windows: when its window begins, and when it is over",
        "flow f {\n  from rows\n  group by .kind window tumbling(1min, by: .at) { n: count() }\n  emit Row { kind: .kind, from_ms: .window_start, n: .n } into out\n}",
    ),
];

/// What a window is called with.
pub const WINDOW: &[(&str, &str)] = &[
    (
        "size",
        "how long a window is; it may stand first, without its name: `tumbling(1min, by: .at)`",
    ),
    ("every", "time after which the next window begins, in `sliding`: `every: 1min`"),
    (
        "by",
        "time of a record that the windows go by: of type time or duration, or an int of milliseconds",
    ),
    (
        "lateness",
        "how far a record may lie behind the newest one before it in the source; one further behind is left out: `lateness: 5min`",
    ),
];

/// The type that every program has by this name.
pub fn type_of(name: &str) -> Option<&'static Word> {
    TYPES.iter().find(|it| it.names.contains(&name))
}

/// What is called so and is neither a keyword nor a type.
pub fn term_of(name: &str) -> Option<&'static Word> {
    TERMS.iter().find(|it| it.names.contains(&name))
}

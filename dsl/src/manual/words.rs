//! The words of the language, each with a page: what it says and what it looks like.
//!
//! `sage-flow doc`, the reference and the hints of an editor all read this list; a test compares it
//! with the keywords of the grammar.

/// A construct of the language.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// The word it begins with, and the others that belong to it.
    pub names: &'static [&'static str],
    /// What it says.
    pub summary: &'static str,
    /// What it looks like.
    pub form: &'static str,
}

pub(super) const fn word(
    names: &'static [&'static str],
    summary: &'static str,
    form: &'static str,
) -> Word {
    Word { names, summary, form }
}

/// The construct that a word belongs to.
pub fn word_of(name: &str) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.names.contains(&name))
}

/// Every construct: declarations, steps, expressions, tests, experiments.
pub const WORDS: &[Word] = &[
    word(&["sage"], "the edition of the language, in the first line of a file", "sage 1"),
    word(
        &["import"],
        "takes in the declarations of another file; one of this file replaces one of that file",
        "import \"rag.sage\"",
    ),
    word(
        &["param"],
        "a knob with a type and a default, which `--set name=value` replaces",
        "param top_k: int = 10\nparam url: string = env(\"SAGE_LLM_URL\", \"sim:a100/qwen2.5-7b\")",
    ),
    word(
        &["type", "key"],
        "a record: fields with their types and defaults; `@key` marks the one that tells records apart",
        "type Query { id: string @key, text: string, priority: int = 0, tags: [string], note: string? }",
    ),
    word(
        &["enum"],
        "a set of words, of which a value is one",
        "enum Level { simple, single, multi }",
    ),
    word(
        &["endpoint"],
        "a model server that all workers share; its limits hold for the whole cluster",
        "endpoint llm {\n  url: \"sim:a100/qwen2.5-7b\"\n  concurrency: auto(max: 256)\n  retry: backoff(max: 4, base: 200ms, cap: 10s)\n}",
    ),
    word(
        &["source", "bad_rows"],
        "where records come from; what cannot be read goes to the dead letters, or ends the run",
        "source queries: Query from csv(\"queries.csv\") { bad_rows: fail }",
    ),
    word(
        &["sink", "to", "mode"],
        "where rows go: what is left at the end, or every change of them",
        "sink answers: Answer to jsonl(\"answers.jsonl\")\nsink counts: Count to csv(\"counts.csv\") { mode: changes }",
    ),
    word(
        &["index", "refresh"],
        "documents that can be searched: by words, by vectors, or by both",
        "index docs: Doc from markdown(\"docs\") { embed: .text, search: hybrid(weight: 0.5), refresh: live }",
    ),
    word(
        &["prompt"],
        "a text with typed variables; with another type than string behind the arrow the answer has that type",
        "prompt level_of(question: string) -> Level \"\"\"\n  Is this simple or hard? {{ question }}\n\"\"\"",
    ),
    word(
        &["fn"],
        "a pure function, put in the place of its calls",
        "fn double(x: int) -> int = 2 * x",
    ),
    word(
        &["flow", "from"],
        "what happens to a record: it comes from a source, passes steps and is emitted",
        "flow ask {\n  from queries\n  stage answer = generate(.text) on llm\n  emit Answer { id: .id, text: answer.text } into answers\n}",
    ),
    word(
        &["stage", "on"],
        "adds a column; `on` names the endpoint of a stage that calls one, the block has its options",
        "stage answer = generate(.text) on llm { max_tokens: 64, timeout: 30s }\nstage n: int = length(answer.text)",
    ),
    word(
        &["where"],
        "drops the records for which a condition is not true, as early as it can be told",
        "where length(.text) > 0 and .priority >= 1",
    ),
    word(
        &["emit", "into"],
        "writes a row to a sink, for all records or under a condition; without a record all that is in sight",
        "emit Answer { id: .id, text: answer.text } into answers if answer.tokens > 0",
    ),
    word(
        &["route", "when"],
        "sends a record into one of several arms by a value; all variants of an enum have an arm, or there is an `else`",
        "route level {\n  when simple => {\n    stage answer = generate(.text) on llm\n  }\n  else => {\n    stage answer = generate(join(hits.text, \" \")) on llm\n  }\n}",
    ),
    word(
        &["loop", "up", "until", "carry"],
        "does its steps again, at most so often, until a condition holds; `carry` says what a value is at first and in the next round",
        "loop up to 3 until length(seen) >= 5 {\n  carry query: string = .text\n  carry seen: [Doc] = []\n  stage hits = search(docs, query, k: 3)\n  carry query = join(hits.title, \" \")\n  carry seen = union(seen, hits)\n}",
    ),
    word(
        &["group", "by", "aggregate"],
        "one row for each key, over all records of the flow; without `by` one row for all. `sage-flow list aggregates` prints what it may count",
        "group by .kind, month: slice(.day, 0, 7) {\n  n: count()\n  mean: avg(.score)\n}\nemit { kind: .kind, month: .month, n: .n, mean: .mean } into kinds",
    ),
    word(
        &["window", "windows", "tumbling", "sliding", "every", "lateness"],
        "lets a group go by time as well: windows that follow each other, or that overlap; `.window_start` and `.window_end` are columns of the group, and records further behind than `lateness` are late",
        "group by .kind window tumbling(1min, by: .at) { n: count() }\ngroup by .kind window sliding(10min, every: 1min, by: .at, lateness: 5min) { n: count() }",
    ),
    word(
        &["dedup"],
        "keeps of several records with one key the first of the source",
        "dedup by .text, .language",
    ),
    word(
        &["flat_map"],
        "makes a row of each element of a list",
        "flat_map word = words(.text)\ngroup by word { n: count() }\nemit into counts",
    ),
    word(
        &["join", "left"],
        "puts the record of another source beside each row, as a column with the name of that source; `left` keeps rows without one. As a function it joins texts",
        "join left customers on .customer == customers.id\nstage who = customers.name ?? \"nobody\"",
    ),
    word(
        &["changes"],
        "a source may hold versions and deletions of records, a sink may get every change of its rows",
        "source orders: Order from jsonl(\"orders.jsonl\") { changes: \"op\" }\nsink totals: Total to jsonl(\"totals.jsonl\") { mode: changes }",
    ),
    word(
        &["if", "then", "else"],
        "chooses between two values of one type",
        "stage size = if length(.text) > 100 then \"long\" else \"short\"",
    ),
    word(
        &["match"],
        "chooses by the value of something; all variants of an enum are there, or `_` is the rest",
        "fn rounds(load: Load) -> int = match load { light => 1_000, medium => 10_000, _ => 100_000 }",
    ),
    word(
        &["in", "contains", "and", "or", "not"],
        "conditions: membership of a list, a part of a text or a list, and what is made of conditions",
        "where .kind in [bug, wish] and not (.text contains \"test\" or .text == \"\")",
    ),
    word(
        &["schedule"],
        "the scheduling operator: which task goes to which worker, and when",
        "schedule { policy: priority(aging: 10s), slots: 8, priority: .priority, queue: 500 }",
    ),
    word(
        &["slo"],
        "what a run has to reach: conditions over the columns of its results, looked at in the end, and before by `check --slo`",
        "slo {\n  p99(latency) < 2s\n  success >= 99.5%\n}",
    ),
    word(
        &["measure"],
        "figures that are written while a run goes on: of the whole, of each node, or of each stage",
        "measure to csv(\"measured.csv\") every 1s { throughput, latency.p99 by node }",
    ),
    word(
        &["test"],
        "what a flow has to do, run by `sage-flow test` in virtual time",
        "test \"answers once\" {\n  given Query { id: \"q1\", text: \"Who?\" }\n  mock answer.text = \"me\"\n  expect answers.count == 1 and answers[0].text == \"me\"\n}",
    ),
    word(
        &["given", "of"],
        "the records of a test: some that are written out, or so many of the source",
        "test \"t\" {\n  given [Query { id: \"q1\", text: \"Who?\" }, Query { id: \"q2\", text: \"\" }]\n  expect answers.count == 1\n}\ntest \"u\" {\n  given 20 of queries\n  expect answers.count == 20\n}",
    ),
    word(
        &["mock"],
        "a value in the place of what a stage would make, a field of it, or a failure of its calls",
        "test \"t\" {\n  given 1 of queries\n  mock level = simple\n  mock answer.text = \"four\"\n  mock facts = error(\"no such model\")\n  expect answers[0].text == \"four\"\n}",
    ),
    word(
        &["fault"],
        "disturbs the calls of an endpoint in a test",
        "test \"t\" {\n  given 20 of queries\n  fault llm { status_429: 30%, extra_latency: 500ms, seed: 7 }\n  expect answers.count == 20 and llm.retries > 0\n}",
    ),
    word(
        &["expect", "dead_letters"],
        "a condition over what a run of a test has left: sinks, `dead_letters`, endpoints, columns of results",
        "test \"t\" {\n  given 20 of queries\n  expect answers.count == 20 and dead_letters.count == 0\n  expect llm.calls == 20 and p99(latency) < 10s\n}",
    ),
    word(
        &["sweep"],
        "what an experiment varies: a setting or a param over some points",
        "experiment e {\n  jobs: [ask]\n  sweep policy in [fifo, load_aware(spread)]\n  sweep load in [low { tasks: 100 }, high { tasks: 500 }]\n}",
    ),
    word(
        &["jobs", "quick", "together"],
        "which flows an experiment runs, each with settings of its own, at once or one after the other; `quick` is its short form",
        "experiment e {\n  jobs: [chat = ask { share: 2 }, bulk = ask { tasks: 500 }]\n  together: true\n  quick { tasks: 20 }\n}",
    ),
];

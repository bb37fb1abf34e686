//! How each construct is written, for what could not be read.

use super::Rule;

/// Construct, its rule, and how it is written.
pub(super) const FORMS: &[(&str, Rule, &str)] = &[
    ("sage", Rule::edition, "the edition line is `sage 1`"),
    ("import", Rule::import, "an import is `import \"file.sage\"`"),
    ("param", Rule::param, "a param is `param name: type = default`"),
    ("type", Rule::type_def, "a type is `type Name { field: type }`"),
    ("enum", Rule::enum_def, "an enum is `enum Name { one, two }`"),
    ("endpoint", Rule::endpoint, "an endpoint is `endpoint name { url: \"...\", model: \"...\" }`"),
    ("source", Rule::source, "a source is `source name: Type from csv(\"file.csv\")`"),
    ("sink", Rule::sink, "a sink is `sink name: Type to jsonl(\"file.jsonl\")`"),
    (
        "index",
        Rule::index,
        "an index is `index name: Type from jsonl(\"file.jsonl\") { embed: .text }`",
    ),
    (
        "prompt",
        Rule::prompt,
        "a prompt is `prompt name(a: string) -> string \"\"\"text with {{ a }}\"\"\"`",
    ),
    ("fn", Rule::fn_def, "a function is `fn name(a: type) -> type = expression`"),
    ("flow", Rule::flow, "a flow is `flow name { from source ... emit into sink }`"),
    ("schedule", Rule::schedule, "a schedule is `schedule { policy: fifo, slots: 8 }`"),
    ("slo", Rule::slo, "objectives are `slo { p99(latency) < 10s }`"),
    (
        "measure",
        Rule::measure,
        "a measurement is `measure to csv(\"file.csv\") every 1s { latency }`",
    ),
    ("test", Rule::test, "a test is `test \"what holds\" { given ... expect ... }`"),
    ("experiment", Rule::experiment, "an experiment is `experiment name { jobs: [...] }`"),
    ("jobs", Rule::jobs, "jobs are `jobs: [flow, name = flow { tasks: 100 }]`"),
    (
        "sweep",
        Rule::sweep,
        "a sweep is `sweep nodes in [1, 4, 16]` or `sweep load in [low { tasks: 100, nodes: 2 }, ...]`",
    ),
    ("claim", Rule::claim, "a claim is `claim \"in words\" { balance[fifo] < balance[priority] }`"),
    ("quick", Rule::quick, "a quick run is `quick { tasks: 40, repeat: 1 }`"),
    ("from", Rule::from_step, "write `from source`"),
    ("stage", Rule::stage, "a stage is `stage name = call(...) on endpoint { option: value }`"),
    ("where", Rule::filter, "a filter is `where condition`"),
    ("emit", Rule::emit, "an emit is `emit Type { field: value } into sink if condition`"),
    ("route", Rule::route, "a route is `route value { when a => { ... } else => { ... } }`"),
    ("when", Rule::arm, "an arm is `when constant => { ... }`, the last may be `else => { ... }`"),
    ("else", Rule::arm, "the last arm of a route may be `else => { ... }`"),
    ("loop", Rule::repeat, "a loop is `loop up to 3 until condition { ... }`"),
    ("carry", Rule::carry, "write `carry name: type = value`"),
    ("group", Rule::group, "a group is `group by key, name: key { name: aggregate }`"),
    (
        "dedup",
        Rule::dedup,
        "write `dedup by .text`; of several records with one key the first is kept",
    ),
    ("flat_map", Rule::flat_map, "write `flat_map name = list`"),
    (
        "join",
        Rule::join,
        "write `join source on .key == source.field`, or `join left source on ...`",
    ),
    (
        "given",
        Rule::given,
        "write `given Type { field: value }`, a list of them, or `given 10 of source`",
    ),
    ("mock", Rule::mock, "write `mock stage = value`"),
    ("fault", Rule::fault, "write `fault endpoint { status_429: 30% }`"),
    ("expect", Rule::expect, "write `expect condition`"),
];

/// How the construct that begins with `word` is written; empty for other words.
pub(super) fn form(word: &str) -> &'static str {
    FORMS.iter().find(|(name, ..)| *name == word).map_or("", |(_, _, form)| form)
}

//! Words of other languages at the start of a step or declaration: what is written in their place.
//!
//! Where the rest reads as the step that such a word means here, the word is a fix away; else the
//! help says what there is.

use pest::Parser;

use super::{Grammar, Reader, Rule};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// Words, what is written in their place, and a word that may replace them.
type Foreign = (&'static [&'static str], &'static str, Option<&'static str>);

const FUNCTION: &str = "a function is `fn name(a: type) -> type = expression`, beside the flow";
const RECORD: &str = "a record is `type Name { field: type }`";
const GROUP: &str = "a group is `group by .key { n: count() }`";
const ROUTE: &str =
    "records are sent into arms by `route value { when a => { ... } else => { ... } }`";
const IMPORT: &str = "another file is read by `import \"file.sage\"`";

/// Words at the start of a step.
const STEPS: &[Foreign] = &[
    (
        &["let", "var", "val", "const", "set", "auto"],
        "`stage name = ...` names a value of each record, `param name: type = ...` a constant",
        Some("stage"),
    ),
    (
        &["map", "compute", "calc", "assign", "with_column", "mutate"],
        "a column is computed by `stage name = expression`",
        Some("stage"),
    ),
    (
        &["filter", "having", "keep", "only", "WHERE", "Where"],
        "a filter is `where condition`",
        Some("where"),
    ),
    (&["FROM"], "write `from source`", Some("from")),
    (
        &["select", "SELECT", "project"],
        "columns are made by `stage name = ...` and chosen by `emit Type { ... } into sink`",
        None,
    ),
    (
        &["drop", "remove", "omit", "exclude", "rename"],
        "columns are chosen by `emit Type { field: value } into sink`; what is not named is left out",
        None,
    ),
    (
        &["sort", "order", "orderby", "order_by", "sort_by", "rank"],
        "rows keep the order of their source; those that are largest by something are \
         `group { best: top_k(.text, 10, by: .n) }`",
        None,
    ),
    (
        &["limit", "take", "top", "first", "head", "skip", "offset", "sample"],
        "how many records are read is said by `sage-flow run ... --limit 10`; the largest by \
         something are `group { best: top_k(.text, 10, by: .n) }`",
        None,
    ),
    (
        &["unique", "distinct", "drop_duplicates", "deduplicate"],
        "of several records with one key the first is kept by `dedup by .key`",
        Some("dedup"),
    ),
    (&["group_by", "groupby", "GROUP", "partition"], GROUP, Some("group by")),
    (&["aggregate", "agg", "summarize", "summarise", "reduce", "fold"], GROUP, None),
    (
        &["union", "concat", "append"],
        "a flow has one source; records of another are put beside them by `join`, and a second flow \
         may emit to a sink of its own",
        None,
    ),
    (
        &["explode", "unnest", "flatten", "flatmap"],
        "write `flat_map name = list`",
        Some("flat_map"),
    ),
    (
        &["print", "log", "echo", "show", "debug", "dump", "console", "println", "trace"],
        "rows are shown by a sink: `sink shown to stdout()` beside the flow, and `emit into shown` \
         in it",
        None,
    ),
    (
        &[
            "return", "yield", "output", "write", "save", "send", "push", "insert", "publish",
            "store",
        ],
        "results leave a flow by `emit Type { ... } into sink`",
        None,
    ),
    (
        &["for", "foreach"],
        "a flow does its steps for each record of `from source`; there are no loops over records, \
         and the elements of a list become rows by `flat_map name = list`",
        None,
    ),
    (
        &["while", "repeat", "do"],
        "a loop has a bound: `loop up to 3 until condition { ... }`",
        None,
    ),
    (&["switch", "case", "branch", "choose", "split", "match"], ROUTE, None),
    (
        &["window", "tumble", "tumbling", "hop", "hopping", "sliding"],
        "a window belongs to a group: `group by .key window tumbling(1min, by: .at) { n: count() }`",
        None,
    ),
    (
        &["try", "catch", "except", "finally", "retry", "raise", "throw"],
        "what fails goes to the dead letters, and `sage-flow retry` takes them again; calls are \
         repeated by `retry: backoff(max: 4, base: 200ms, cap: 10s)` of the endpoint",
        None,
    ),
    (
        &["assert", "require", "ensure"],
        "records that do not hold are dropped by `where condition`; what is expected of results \
         stands in a `test` as `expect condition`",
        None,
    ),
    (
        &["async", "await", "parallel", "spawn", "thread"],
        "stages that do not need each other run at the same time, unasked",
        None,
    ),
    (&["def", "function", "func", "fun", "lambda"], FUNCTION, None),
    (&["use", "include", "require"], IMPORT, None),
];

/// Words at the start of a declaration.
const ITEMS: &[Foreign] = &[
    (
        &["let", "var", "val", "const", "set", "constant", "define", "parameter", "arg"],
        "a constant is `param name: type = value`; `stage name = ...` in a flow names a value of \
         each record",
        Some("param"),
    ),
    (&["def", "function", "func", "fun", "defn", "fn_def"], FUNCTION, Some("fn")),
    (
        &[
            "struct",
            "class",
            "record",
            "interface",
            "message",
            "schema",
            "model",
            "dataclass",
            "table",
        ],
        RECORD,
        Some("type"),
    ),
    (
        &["pipeline", "workflow", "dataflow", "job", "graph", "task"],
        "a pipeline is `flow name { ... }`",
        Some("flow"),
    ),
    (&["use", "include", "require", "using"], IMPORT, None),
    (
        &["input", "reader", "stream", "dataset"],
        "what comes in is `source name: Type from csv(\"file.csv\")`",
        Some("source"),
    ),
    (
        &["output", "writer", "target"],
        "what goes out is `sink name: Type to jsonl(\"file.jsonl\")`",
        Some("sink"),
    ),
    (
        &["server", "service", "llm", "client"],
        "a model server is `endpoint name { url: \"...\", model: \"...\" }`",
        Some("endpoint"),
    ),
    (
        &["template"],
        "a text with values in it is `prompt name(a: string) -> string \"\"\"... {{ a }}\"\"\"`",
        Some("prompt"),
    ),
    (&["from"], "a file starts with `sage 1`; another one is read by `import \"file.sage\"`", None),
    (
        &["if", "for", "while", "return", "print", "switch", "select"],
        "a file is made of declarations; what happens to records stands in a `flow name { ... }`",
        None,
    ),
];

/// The words that declare what `word` of another language does.
pub(super) fn declares(word: &str) -> bool {
    ITEMS.iter().any(|(words, _, meant)| meant.is_some() && words.contains(&word))
}

impl Reader<'_> {
    /// Whether `word`, at the start of the step `text`, is one of another language; then it has been
    /// reported.
    pub(super) fn known_step(&mut self, word: &str, at: Span, text: &str) -> bool {
        if word == "if" {
            return self.conditional_step(at, text);
        }
        if self.kind_in_front(word, at, text) {
            return true;
        }
        self.known(STEPS, word, at, text)
    }

    /// The same at the start of a declaration.
    pub(super) fn known_item(&mut self, word: &str, at: Span, text: &str) -> bool {
        self.known(ITEMS, word, at, text)
    }

    fn known(&mut self, table: &[Foreign], word: &str, at: Span, text: &str) -> bool {
        let Some((_, help, meant)) = table.iter().find(|(words, ..)| words.contains(&word)) else {
            return false;
        };
        let message = format!("`{word}` is not a word of the language");
        let diagnostic = Diagnostic::error(codes::FOREIGN_WORD, at, message).help(*help);
        // `let mut x`.
        let rest = &text[word.len()..];
        let skipped =
            rest.trim_start().strip_prefix("mut ").map_or(0, |it| rest.len() - it.len() - 1);
        let reads = |meant: &&str| {
            let meant = format!("{meant}{}", &rest[skipped..]);
            reads(&meant) || reads(&meant.replacen(" = {", " {", 1))
        };
        self.report(match meant.filter(reads) {
            Some(meant) => diagnostic.fix(Span { end: at.end + skipped as u32, ..at }, meant),
            None => diagnostic,
        });
        true
    }

    /// `if condition { ... }` where a step is due.
    fn conditional_step(&mut self, at: Span, text: &str) -> bool {
        let line = text.lines().next().unwrap_or(text);
        let condition = line["if".len()..].split(['{', ':']).next().unwrap_or("").trim();
        let inner = condition.strip_prefix('(').and_then(|it| it.strip_suffix(')'));
        let condition = inner.filter(|it| !it.contains('(')).unwrap_or(condition);
        let shown =
            if condition.is_empty() || condition.len() > 40 { "condition" } else { condition };
        let help = format!(
            "`where {shown}` lets only such records on; a value that depends on it is \
             `stage x = if {shown} then a else b`; other steps for other records stand in the arms of \
             a `route`, as in `stage kind = if {shown} then \"a\" else \"b\"` and `route kind {{ when \
             \"a\" => {{ ... }} else => {{ ... }} }}`"
        );
        let message = "a step does not begin with `if`";
        self.report(Diagnostic::error(codes::FOREIGN_WORD, at, message).help(help));
        true
    }
}

/// Whether a text is a whole declaration or step.
pub(super) fn reads(text: &str) -> bool {
    Grammar::parse(Rule::only_step, text).is_ok()
}

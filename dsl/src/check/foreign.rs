//! Functions of other languages, and what is written here in their place.

/// What is written in the place of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Instead {
    /// A function that does the same with the same arguments.
    Call(&'static str),
    /// Something else.
    Other(&'static str),
}

use Instead::{Call, Other};

/// Names, and what to do.
const CALLS: &[(&[&str], Instead)] = &[
    (&["now", "today", "current_time", "utcnow"], Other(CLOCK)),
    (&["random", "rand", "uuid", "randint"], Other(CHANCE)),
    (&["len", "size", "strlen", "char_length", "cardinality"], Call("length")),
    (&["str", "string", "text", "toString", "tostring", "String", "repr"], Call("to_string")),
    (&["int", "integer", "parseInt", "parse_int", "toInt", "Int"], Call("to_int")),
    (&["float", "number", "double", "parseFloat", "parse_float", "toFloat"], Call("to_float")),
    (&["toLowerCase", "to_lower", "to_lowercase", "lowercase", "lcase", "tolower"], Call("lower")),
    (&["toUpperCase", "to_upper", "to_uppercase", "uppercase", "ucase", "toupper"], Call("upper")),
    (&["strip", "btrim"], Call("trim")),
    (&["substr", "substring", "mid"], Other(PART_OF_TEXT)),
    (&["startswith", "startsWith", "has_prefix", "hasPrefix"], Call("starts_with")),
    (&["endswith", "endsWith", "has_suffix", "hasSuffix"], Call("ends_with")),
    (&["replace_all", "replaceAll", "gsub"], Call("replace")),
    (&["tokenize", "split_words"], Call("words")),
    (&["ceiling"], Call("ceil")),
    (&["trunc", "truncate"], Call("to_int")),
    (
        &["date", "datetime", "timestamp", "to_time", "parse_time", "to_timestamp", "strptime"],
        Call("time"),
    ),
    (&["concat", "cat", "format", "printf", "sprintf", "fmt", "concat_ws"], Other(JOINED)),
    (
        &["coalesce", "ifnull", "nvl", "default", "unwrap_or"],
        Other("a value in place of null is `value ?? other`"),
    ),
    (
        &["isnull", "is_null", "null", "isNull", "is_none", "isna", "empty", "is_empty", "isEmpty"],
        Other("write `value == null`, or of texts and lists `length(value) == 0`"),
    ),
    (&["notnull", "not_null", "exists", "is_some", "isset", "has"], Other("write `value != null`")),
    (&["iff", "iif", "cond", "when"], Other("write `if condition then a else b`")),
    (
        &["includes", "has_any", "index_of", "indexOf", "find", "instr", "contains"],
        Other("write `text contains \"part\"`, or `value in list`"),
    ),
    (&["matches", "match", "regex", "regexp", "re_match", "regexp_like", "like"], Other(PATTERN)),
    (
        &[
            "year",
            "month",
            "day",
            "hour",
            "minute",
            "date_part",
            "extract",
            "weekday",
            "strftime",
            "date_trunc",
        ],
        Other(PART_OF_TIME),
    ),
    (
        &["pow", "power", "sqrt", "exp", "log10", "log2", "ln", "sin", "cos"],
        Other(
            "there is no such function; products are written `x * x`, and `exec` runs a program of yours",
        ),
    ),
    (
        &["sort", "sorted", "order", "reverse", "reversed"],
        Other("`top_k(value, 10, by: order)` in a group gives the largest first"),
    ),
    (
        &["unique", "set"],
        Other(
            "`union(list, [])` is a list without repetition, `distinct(value)` in a group each value once",
        ),
    ),
    (
        &["print", "println", "log", "debug", "echo", "console"],
        Other("rows are shown by a sink: `sink shown to stdout()`, and `emit into shown`"),
    ),
    (&["md5", "sha1", "sha256", "md5sum", "crc32", "digest"], Call("hash")),
    (&["greatest", "maximum"], Call("max")),
    (&["least", "minimum"], Call("min")),
    (&["tokens", "token_count", "num_tokens", "countTokens", "token_length"], Call("count_tokens")),
    (&["toLower"], Call("lower")),
    (&["toUpper"], Call("upper")),
    (&["to_date", "toDate", "todate"], Call("time")),
    (&["mod", "modulo"], Other("the rest of a division is `a % b`")),
    (
        &["duration", "to_duration", "seconds", "timedelta", "interval", "make_interval"],
        Other("a duration is written `3s`; of a number it is a product, as in `.n * 1s`"),
    ),
    (&["to_bool", "bool", "boolean", "parse_bool"], Other("write `.text == \"true\"`")),
    (
        &["first", "head", "last", "nth", "element_at", "get"],
        Other("an element of a list is `list[0]`, the last one `list[length(list) - 1]`"),
    ),
    (
        &["any", "all", "some", "every"],
        Other(
            "elements of a list are tested by `x in list`; a condition over them is counted: \
             `flat_map x = list`, and `group by .id { n: count(condition) }`",
        ),
    ),
    (
        &[
            "parse_json",
            "from_json",
            "json_extract",
            "json",
            "loads",
            "get_json_object",
            "json_parse",
        ],
        Other(
            "JSON is read by its source: declare its fields in a `type`, and read it by `jsonl`; what \
             a model answers gets its fields by `prompt p(...) -> Type`",
        ),
    ),
    (&["to_json", "json_dumps", "dumps"], Other("records are written as JSON by a sink `jsonl`")),
    (
        &[
            "regex_replace",
            "regexp_replace",
            "re_sub",
            "regex_extract",
            "regexp_extract",
            "findall",
        ],
        Other(PATTERN),
    ),
    (
        &["lpad", "rpad", "zfill", "ljust", "rjust", "pad"],
        Other("a text is filled up by `+` and `slice`: `slice(\"000\" + to_string(.n), ...)`"),
    ),
    (
        &["range", "generate_series", "sequence"],
        Other("numbers come from a source: `source rows: Row from generate(1000)`"),
    ),
    (&["flatten", "explode", "unnest"], Other("elements become records by `flat_map x = list`")),
    (
        &[
            "chat",
            "complete",
            "completion",
            "ask",
            "llm",
            "prompt",
            "classify",
            "summarize",
            "invoke",
            "predict",
            "infer",
            "call_llm",
            "gpt",
        ],
        Other("a model is asked by `stage answer = generate(prompt_name(.text)) on endpoint`"),
    ),
    (
        &["embedding", "embeddings", "vectorize", "encode"],
        Other("write `stage v = embed(.text) on endpoint`"),
    ),
];

const CLOCK: &str = "expressions have no clock, so that a run can be repeated; make the time a \
                     `param now: time = time(\"2026-11-28\")`, given by `--set now=...`, or a field of \
                     the record";
const CHANCE: &str = "expressions give the same each time, so that a run can be repeated; \
                      `hash(.id)` is a number of the record that looks like chance";
const JOINED: &str = "texts are joined by `+`, as in `\"a \" + .text + to_string(.n)`, those of a list by \
                      `join(list, \", \")`";
const PATTERN: &str = "there are no patterns; texts are tested by `.text contains \"a\"`, \
                       `starts_with(.text, \"a\")`, `ends_with(.text, \"a\")` and `==`";
/// Elsewhere they count from one, or give a length.
const PART_OF_TEXT: &str = "a part of a text is `slice(text, from, to)`: characters count from 0, and the \
                            one at `to` is the first that is left out";
/// Also for `.at.year`.
pub(super) const PART_OF_TIME: &str = "as text a time is `2026-11-28T10:00:00Z`, and its parts are cut out: \
                            `slice(to_string(.at), 0, 4)` is the year, `0, 7` the month, `0, 10` the day";

impl Instead {
    /// A function, or what to do.
    pub(crate) fn name(self) -> Result<&'static str, String> {
        match self {
            Call(name) => Ok(name),
            Other(help) => Err(help.to_owned()),
        }
    }
}

/// What a constant of other languages is called here.
pub(super) fn constant(name: &str) -> Option<&'static str> {
    match name {
        "none" | "undefined" | "nothing" | "missing" | "nan" => Some("null"),
        "yes" | "on" | "YES" => Some("true"),
        "no" | "off" | "NO" => Some("false"),
        _ => None,
    }
}

/// By what a duration is divided for `.wait.seconds`.
pub(super) fn unit_of_duration(name: &str) -> Option<&'static str> {
    match name {
        "seconds" | "total_seconds" | "secs" | "sec" => Some("1s"),
        "milliseconds" | "millis" | "ms" => Some("1ms"),
        "minutes" | "mins" => Some("1min"),
        "hours" => Some("1h"),
        "days" => Some("1d"),
        _ => None,
    }
}

/// What to write in place of a call that other languages have.
pub(crate) fn instead_of(name: &str) -> Option<Instead> {
    CALLS.iter().find(|(foreign, _)| foreign.contains(&name)).map(|(_, instead)| *instead)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::find;

    #[test]
    fn what_is_called_instead_exists_and_what_exists_is_not_foreign() {
        for (names, instead) in CALLS {
            assert!(names.iter().all(|name| find(name).is_none()), "{names:?}");
            if let Call(name) = instead {
                assert!(find(name).is_some(), "{name}");
            }
        }
    }
}

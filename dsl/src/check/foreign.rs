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
    (&["substr", "substring", "mid"], Call("slice")),
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
    (&["md5", "sha1", "sha256"], Call("hash")),
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

//! Functions of other languages, and what is written here in their place.

/// Name, and what to do.
const CALLS: &[(&str, &str)] = &[
    ("now", CLOCK),
    ("today", CLOCK),
    ("current_time", CLOCK),
    ("random", CHANCE),
    ("rand", CHANCE),
    ("uuid", CHANCE),
    ("substr", "a part of a text is `slice(text, from, to)`"),
    ("substring", "a part of a text is `slice(text, from, to)`"),
    ("concat", "texts are joined by `+`, those of a list by `join(list, \", \")`"),
    ("coalesce", "a value in place of null is `value ?? other`"),
    ("ifnull", "a value in place of null is `value ?? other`"),
    ("nvl", "a value in place of null is `value ?? other`"),
    ("isnull", "write `value == null`"),
    ("is_null", "write `value == null`"),
    ("iff", "write `if condition then a else b`"),
    ("iif", "write `if condition then a else b`"),
    ("print", "rows are shown by a sink: `sink shown to stdout()`"),
];

const CLOCK: &str = "expressions have no clock, so that a run can be repeated; make the time a \
                     `param now: time = time(\"2026-11-28\")`, given by `--set now=...`, or a field of \
                     the record";
const CHANCE: &str = "expressions give the same each time, so that a run can be repeated; \
                      `hash(.id)` is a number of the record that looks like chance";

/// What to write in place of a call that other languages have.
pub(super) fn instead_of(name: &str) -> Option<String> {
    CALLS.iter().find(|(foreign, _)| *foreign == name).map(|(_, help)| (*help).to_owned())
}

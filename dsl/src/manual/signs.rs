//! The signs of the language, each with a page: what it says and what it looks like.
//!
//! A test compares them with the signs of the grammar.

use super::words::{Word, word};

/// Operators and punctuation.
pub const SIGNS: &[Word] = &[
    word(
        &["??"],
        "the value on the left, or where that is null the one on the right: so a value that may be null becomes one that is there",
        "stage who = .name ?? \"nobody\"",
    ),
    word(
        &["?", "T?"],
        "behind a type: the value may be null; it is tested by `== null` and made certain by `??`",
        "type Note { id: string @key, text: string, seen: time? }",
    ),
    word(
        &["@", "@key"],
        "`@key` behind the type of a field marks the one that tells records apart: for resuming, for `join` and for what is written once",
        "type Query { id: string @key, text: string }",
    ),
    word(
        &["==", "!="],
        "whether two values of one type are equal, or not; null is equal to null alone",
        "where .kind == bug and .seen != null",
    ),
    word(
        &["<", "<=", ">", ">="],
        "the order of numbers, texts, times, durations, sizes and rates; comparisons are joined by `and`",
        "where 0 < .priority and .priority <= 9",
    ),
    word(
        &["+"],
        "adds numbers, durations and sizes, moves a time by a duration, and joins texts and lists; other values become text by `to_string`",
        "stage line = .id + \": \" + to_string(.priority)",
    ),
    word(
        &["-"],
        "subtracts; of two times it is the duration between them, in front of a number the negative",
        "stage age = time(\"2026-11-28\") - .at",
    ),
    word(
        &["*", "/"],
        "multiplies and divides; two ints divide to an int, as in `7 / 2 == 3`, and with a float the result is a float; durations, sizes and rates are scaled by numbers",
        "stage share = to_float(.good) / to_float(.all)",
    ),
    word(
        &["%"],
        "between two ints the remainder, as in `7 % 2 == 1`; behind a number percent, as in `99.5%`",
        "where .n % 10 == 0",
    ),
    word(
        &["."],
        "`.name` is a field of the record at hand, `a.name` one of what stands in front; a name without it is a stage, a param or a declaration",
        "stage text = hits[0].title ?? .text",
    ),
    word(
        &["[", "]", "[]", "[T]"],
        "a list of values, or around a type that of its lists; behind a value an element of it, from 0 on, null where there is none",
        "stage first = [.a, .b][0]",
    ),
    word(
        &["(", ")", "()"],
        "the arguments of a call, or what is computed first",
        "stage n = (.a + .b) * length(.text)",
    ),
    word(
        &["{", "}", "{}"],
        "entries, `name: value`, each ended by a comma or a new line; around steps a flow, an arm or a loop",
        "stage answer = generate(.text) on llm { max_tokens: 64, timeout: 30s }",
    ),
    word(
        &[":"],
        "stands between a name and its type, or between an entry or argument and its value",
        "stage n: int = top(.list, k: 3)",
    ),
    word(
        &["="],
        "gives a value to what is declared: a stage, a param, a function, the default of a field",
        "param top_k: int = 10",
    ),
    word(
        &["->"],
        "in front of the type of the result of a function or a prompt",
        "fn double(x: int) -> int = 2 * x",
    ),
    word(
        &["=>"],
        "between a constant and what is done for it: an arm of `route`, a case of `match`",
        "stage n = match .kind { bug => 1, _ => 0 }",
    ),
    word(
        &["_"],
        "all other values, in the last case of a `match`; within a number it may part the digits",
        "stage n = match .kind { bug => 1_000, _ => 0 }",
    ),
    word(
        &[","],
        "ends an entry, an argument, an element or a case; in braces a new line does so, too",
        "type Note { id: string @key, text: string }",
    ),
    word(
        &["\"", "\"\"\""],
        "around a text of one line, with the escapes `\\n`, `\\t`, `\\r`, `\\\"` and `\\\\`; three of them around one of several lines, as it stands",
        "param greeting: string = \"Hello\"",
    ),
    word(
        &["//", "///"],
        "a comment up to the end of the line; with three strokes in front of a declaration its documentation",
        "/// How many are found.\nparam top_k: int = 5",
    ),
    word(
        &["{{", "}}", "{{ }}"],
        "in a `prompt` alone: the place of a variable; in other texts pieces are joined by `+`",
        "prompt ask(question: string) -> string \"\"\"\n  Answer: {{ question }}\n\"\"\"",
    ),
];

//! The built-in functions: one registry that drives the checker, suggestions and the reference.
//!
//! Operators, for completeness: `+ - * /` on numbers (`/` on two ints divides whole numbers, as in
//! `7 / 2 == 3`; one float makes the result a float), `%` on ints; `+` joins strings and lists;
//! durations add up and scale by numbers. `==` compares equal types, `<` orders numbers, strings,
//! durations, sizes, times. `contains` and `in` test lists and strings; `a ?? b` is `b` when `a` is
//! null; `and`, `or`, `not` take bools.

use crate::plan::Function;
use crate::types::Type;

/// A built-in function.
#[derive(Debug)]
pub struct FunctionSpec {
    /// What the user types.
    pub name: &'static str,
    /// The plan's name for it.
    pub function: Function,
    /// As shown in messages and the reference.
    pub signature: &'static str,
    /// One line.
    pub doc: &'static str,
    pub(crate) takes: &'static [Accept],
    pub(crate) gives: Yield,
}

/// What a parameter of a function accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accept {
    Any,
    Scalar,
    Text,
    Int,
    Number,
    /// A number, or text that should be one.
    Numeral,
    Texts,
    List,
    TextOrList,
}

/// Type of a function's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Yield {
    Int,
    Bool,
    Text,
    Texts,
    Tokens,
    /// That of the arguments together: int and float give float.
    Common,
    Float,
    Time,
}

const fn spec(
    name: &'static str,
    function: Function,
    signature: &'static str,
    takes: &'static [Accept],
    gives: Yield,
    doc: &'static str,
) -> FunctionSpec {
    FunctionSpec { name, function, signature, doc, takes, gives }
}

use Accept::{Any, Int, List, Number, Numeral, Scalar, Text, TextOrList, Texts};

/// Every built-in function, by name.
pub const FUNCTIONS: &[FunctionSpec] = &[
    spec(
        "abs",
        Function::Abs,
        "abs(x: number) -> number",
        &[Number],
        Yield::Common,
        "x without its sign",
    ),
    spec(
        "ceil",
        Function::Ceil,
        "ceil(x: number) -> int",
        &[Number],
        Yield::Int,
        "the next whole number at or above x",
    ),
    spec(
        "count_tokens",
        Function::CountTokens,
        "count_tokens(text: string) -> tokens",
        &[Text],
        Yield::Tokens,
        "estimated number of language-model tokens",
    ),
    spec(
        "ends_with",
        Function::EndsWith,
        "ends_with(text: string, end: string) -> bool",
        &[Text, Text],
        Yield::Bool,
        "whether the text ends so",
    ),
    spec(
        "floor",
        Function::Floor,
        "floor(x: number) -> int",
        &[Number],
        Yield::Int,
        "the next whole number at or below x",
    ),
    spec(
        "fnv1a",
        Function::Fnv1a,
        "fnv1a(text: string) -> int",
        &[Text],
        Yield::Int,
        "64-bit FNV-1a hash of the bytes",
    ),
    spec(
        "hash",
        Function::Hash,
        "hash(value: any) -> int",
        &[Any],
        Yield::Int,
        "a stable hash, the same on every worker",
    ),
    spec(
        "join",
        Function::Join,
        "join(items: [string], between: string) -> string",
        &[Texts, Text],
        Yield::Text,
        "the items as one string",
    ),
    spec(
        "length",
        Function::Length,
        "length(x: string | [T]) -> int",
        &[TextOrList],
        Yield::Int,
        "number of characters or elements",
    ),
    spec(
        "lower",
        Function::Lower,
        "lower(text: string) -> string",
        &[Text],
        Yield::Text,
        "the text in lower case",
    ),
    spec(
        "max",
        Function::Max,
        "max(a: number, b: number) -> number",
        &[Number, Number],
        Yield::Common,
        "the larger one",
    ),
    spec(
        "min",
        Function::Min,
        "min(a: number, b: number) -> number",
        &[Number, Number],
        Yield::Common,
        "the smaller one",
    ),
    spec(
        "replace",
        Function::Replace,
        "replace(text: string, from: string, to: string) -> string",
        &[Text, Text, Text],
        Yield::Text,
        "every occurrence replaced",
    ),
    spec(
        "round",
        Function::Round,
        "round(x: number) -> int",
        &[Number],
        Yield::Int,
        "the nearest whole number, halves away from zero",
    ),
    spec(
        "slice",
        Function::Slice,
        "slice(x: string | [T], from: int, to: int) -> same",
        &[TextOrList, Int, Int],
        Yield::Common,
        "characters or elements from `from` up to, not including, `to`",
    ),
    spec(
        "split",
        Function::Split,
        "split(text: string, at: string) -> [string]",
        &[Text, Text],
        Yield::Texts,
        "the pieces between the separators",
    ),
    spec(
        "starts_with",
        Function::StartsWith,
        "starts_with(text: string, start: string) -> bool",
        &[Text, Text],
        Yield::Bool,
        "whether the text starts so",
    ),
    spec(
        "time",
        Function::Time,
        "time(text: string) -> time",
        &[Text],
        Yield::Time,
        "the time of a text such as `2026-11-28T10:00:00Z` or `2026-11-28`; one that is no time fails the record",
    ),
    spec(
        "to_float",
        Function::ToFloat,
        "to_float(x: number | string) -> float",
        &[Numeral],
        Yield::Float,
        "as a float; a string that is no number fails the record",
    ),
    spec(
        "to_int",
        Function::ToInt,
        "to_int(x: number | string) -> int",
        &[Numeral],
        Yield::Int,
        "as an int, cut towards zero; a string that is no number fails the record",
    ),
    spec(
        "to_string",
        Function::ToString,
        "to_string(x: scalar) -> string",
        &[Scalar],
        Yield::Text,
        "as text",
    ),
    spec(
        "trim",
        Function::Trim,
        "trim(text: string) -> string",
        &[Text],
        Yield::Text,
        "without blanks at both ends",
    ),
    spec(
        "union",
        Function::Union,
        "union(a: [T], b: [T]) -> [T]",
        &[List, List],
        Yield::Common,
        "elements of both without repetition, in order",
    ),
    spec(
        "upper",
        Function::Upper,
        "upper(text: string) -> string",
        &[Text],
        Yield::Text,
        "the text in upper case",
    ),
    spec(
        "words",
        Function::Words,
        "words(text: string) -> [string]",
        &[Text],
        Yield::Texts,
        "lower-case runs of letters and digits",
    ),
];

/// The function called `name`.
pub(crate) fn find(name: &str) -> Option<&'static FunctionSpec> {
    FUNCTIONS.iter().find(|spec| spec.name == name)
}

impl Accept {
    /// Whether a value of this type may be given.
    pub(crate) fn accepts(self, ty: &Type) -> bool {
        let scalar = !matches!(ty, Type::List(_) | Type::Record(_) | Type::Vector(_) | Type::Bytes);
        match (self, ty) {
            (_, Type::Unknown) | (Accept::Any, _) => true,
            (Accept::Scalar, Type::Optional(_)) => false,
            (Accept::Scalar, _) => scalar,
            (Accept::Text | Accept::TextOrList, Type::String) => true,
            (Accept::Int, Type::Int | Type::Tokens) => true,
            (Accept::Number, Type::Int | Type::Float | Type::Tokens | Type::Percent) => true,
            (Accept::Numeral, Type::Int | Type::Float | Type::Tokens | Type::String) => true,
            (Accept::Texts, Type::List(item)) => matches!(**item, Type::String | Type::Unknown),
            (Accept::List | Accept::TextOrList, Type::List(_)) => true,
            _ => false,
        }
    }

    /// As named in a message.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Accept::Any => "any value",
            Accept::Scalar => "a single value",
            Accept::Text => "string",
            Accept::Int => "int",
            Accept::Number => "a number",
            Accept::Numeral => "a number or a string",
            Accept::Texts => "[string]",
            Accept::List => "a list",
            Accept::TextOrList => "a string or a list",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_match_their_signatures() {
        assert!(FUNCTIONS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for spec in FUNCTIONS {
            assert!(spec.signature.starts_with(&format!("{}(", spec.name)), "{}", spec.name);
            assert!(!spec.doc.is_empty());
        }
    }
}

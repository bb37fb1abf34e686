//! The built-in functions of the language. Signatures and texts stand in `sage_dsl::functions`.

use bumpalo::Bump;
use bumpalo::collections::{String as ArenaString, Vec as ArenaVec};
use sage_dsl::plan::Function;
use sage_dsl::time;

use super::evaluate::{EvalError, kind_error, list_in};
use crate::record::{Datum, Items, pack};
use crate::text;

/// Apply `function` to its arguments.
pub(super) fn call<'a>(
    function: Function,
    arguments: &[Datum<'a>],
    arena: &'a Bump,
) -> Result<Datum<'a>, EvalError> {
    let argument = |i: usize| arguments.get(i).copied().unwrap_or(Datum::Null);
    let string = |i: usize, name| argument(i).as_str().ok_or_else(|| kind_error(name, argument(i)));
    Ok(match function {
        Function::Length => match argument(0) {
            Datum::Str(text) => Datum::Int(text.chars().count() as i64),
            Datum::Bytes(bytes) => Datum::Int(bytes.len() as i64),
            Datum::List(items) | Datum::Record(items) => Datum::Int(items.len() as i64),
            Datum::Vector(floats) => Datum::Int(floats.len() as i64),
            Datum::Null => Datum::Int(0),
            other => return Err(kind_error("length", other)),
        },
        Function::Lower => lower(string(0, "lower")?, arena),
        Function::Upper => {
            let text = string(0, "upper")?;
            let mut out = ArenaString::with_capacity_in(text.len(), arena);
            text.chars().flat_map(char::to_uppercase).for_each(|c| out.push(c));
            Datum::Str(out.into_bump_str())
        }
        Function::Trim => Datum::Str(string(0, "trim")?.trim()),
        Function::Words => {
            let text = string(0, "words")?;
            let mut scratch = String::new();
            // Tag and length take five bytes a word; words have about five letters.
            list_in(arena, 2 * text.len() + 16, |out| {
                text::for_each_word(text, &mut scratch, |word| pack(out, Datum::Str(word)));
            })
        }
        Function::Join => {
            let separator = string(1, "join")?;
            join(argument(0).items(), separator, arena)
        }
        Function::Split => {
            let (text, separator) = (string(0, "split")?, string(1, "split")?);
            list_in(arena, 2 * text.len() + 16, |out| {
                if separator.is_empty() {
                    pack(out, Datum::Str(text));
                } else {
                    text.split(separator).for_each(|part| pack(out, Datum::Str(part)));
                }
            })
        }
        Function::Fnv1a => Datum::Int(text::fnv1a(string(0, "fnv1a")?.as_bytes()) as i64),
        Function::Hash => {
            let mut bytes = Vec::new();
            pack(&mut bytes, argument(0));
            Datum::Int((text::fnv1a(&bytes) >> 1) as i64)
        }
        Function::Min => argument(0).min(argument(1)),
        Function::Max => argument(0).max(argument(1)),
        Function::Abs => match argument(0) {
            Datum::Int(n) => Datum::Int(n.checked_abs().ok_or(EvalError::Overflow("abs"))?),
            Datum::Float(x) => Datum::Float(x.abs()),
            other => return Err(kind_error("abs", other)),
        },
        Function::Round => whole("round", argument(0), f64::round)?,
        Function::Floor => whole("floor", argument(0), f64::floor)?,
        Function::Ceil => whole("ceil", argument(0), f64::ceil)?,
        Function::ToString => {
            if let Datum::Str(text) = argument(0) {
                return Ok(Datum::Str(text));
            }
            let mut out = ArenaString::new_in(arena);
            push_text(&mut out, argument(0));
            Datum::Str(out.into_bump_str())
        }
        Function::ToInt => match argument(0) {
            Datum::Int(n) => Datum::Int(n),
            Datum::Float(_) => whole("to_int", argument(0), f64::trunc)?,
            Datum::Bool(flag) => Datum::Int(i64::from(flag)),
            Datum::Str(text) => Datum::Int(parse("to_int", text)?),
            other => return Err(kind_error("to_int", other)),
        },
        Function::ToFloat => match argument(0) {
            Datum::Int(n) => Datum::Float(n as f64),
            Datum::Float(x) => Datum::Float(x),
            Datum::Str(text) => Datum::Float(parse("to_float", text)?),
            other => return Err(kind_error("to_float", other)),
        },
        Function::StartsWith => {
            Datum::Bool(string(0, "starts_with")?.starts_with(string(1, "starts_with")?))
        }
        Function::EndsWith => {
            Datum::Bool(string(0, "ends_with")?.ends_with(string(1, "ends_with")?))
        }
        Function::Replace => {
            let (text, from, to) =
                (string(0, "replace")?, string(1, "replace")?, string(2, "replace")?);
            if from.is_empty() {
                return Ok(Datum::Str(text));
            }
            let mut out = ArenaString::with_capacity_in(text.len(), arena);
            for (i, part) in text.split(from).enumerate() {
                if i > 0 {
                    out.push_str(to);
                }
                out.push_str(part);
            }
            Datum::Str(out.into_bump_str())
        }
        Function::Slice => slice(argument(0), argument(1), argument(2), arena)?,
        Function::Union => {
            let (left, right) = (argument(0).items(), argument(1).items());
            list_in(arena, left.bytes().len() + right.bytes().len(), |out| {
                left.for_each(|item| pack(out, item));
                right.filter(|item| !left.into_iter().any(|l| l == *item)).for_each(|item| {
                    pack(out, item);
                });
            })
        }
        Function::Time => {
            let text = string(0, "time")?;
            Datum::Int(time::parse(text).map_err(|expected| EvalError::Time {
                expected,
                text: text.chars().take(40).collect(),
            })?)
        }
        Function::CountTokens => Datum::Int(text::count_tokens(string(0, "count_tokens")?) as i64),
    })
}

/// Strings are copied as bytes and looked at once at the end: checking ten short words one by one
/// costs more than checking the line they make.
fn join<'a>(items: Items<'_>, separator: &str, arena: &'a Bump) -> Datum<'a> {
    let mut bytes = ArenaVec::with_capacity_in(items.bytes().len(), arena);
    for (i, text) in items.raw_strings().enumerate() {
        let Some(text) = text else { return join_mixed(items, separator, arena) };
        if i > 0 {
            bytes.extend_from_slice_copy(separator.as_bytes());
        }
        bytes.extend_from_slice_copy(text);
    }
    std::str::from_utf8(bytes.into_bump_slice()).map_or(Datum::Null, Datum::Str)
}

/// `fnv1a(join(list, separator))`: the key of a normalised text, without making the text.
pub(super) fn hash_joined<'a>(
    list: Datum<'a>,
    separator: Datum<'a>,
    arena: &'a Bump,
) -> Result<Datum<'a>, EvalError> {
    let between = separator.as_str().ok_or_else(|| kind_error("join", separator))?;
    let mut hash = text::fnv1a(&[]);
    for (i, item) in list.items().raw_strings().enumerate() {
        let Some(item) = item else {
            let joined = call(Function::Join, &[list, separator], arena)?;
            return call(Function::Fnv1a, &[joined], arena);
        };
        if i > 0 {
            hash = text::fnv1a_more(hash, between.as_bytes());
        }
        hash = text::fnv1a_more(hash, item);
    }
    Ok(Datum::Int(hash as i64))
}

fn join_mixed<'a>(items: Items<'_>, separator: &str, arena: &'a Bump) -> Datum<'a> {
    let mut out = ArenaString::new_in(arena);
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push_str(separator);
        }
        push_text(&mut out, item);
    }
    Datum::Str(out.into_bump_str())
}

fn lower<'a>(text: &'a str, arena: &'a Bump) -> Datum<'a> {
    if text.is_ascii() {
        let copy = arena.alloc_str(text);
        copy.make_ascii_lowercase();
        return Datum::Str(copy);
    }
    let mut out = ArenaString::with_capacity_in(text.len(), arena);
    text.chars().flat_map(char::to_lowercase).for_each(|c| out.push(c));
    Datum::Str(out.into_bump_str())
}

fn push_text(out: &mut ArenaString<'_>, datum: Datum<'_>) {
    if let Datum::Str(text) = datum {
        out.push_str(text);
        return;
    }
    let mut bytes = Vec::new();
    crate::record::write_text(&mut bytes, &sage_dsl::types::Type::Unknown, datum);
    out.push_str(&String::from_utf8_lossy(&bytes));
}

fn parse<T: std::str::FromStr>(operation: &'static str, text: &str) -> Result<T, EvalError> {
    text.trim()
        .parse()
        .map_err(|_| EvalError::Parse { operation, text: text.chars().take(40).collect() })
}

fn whole<'a>(
    name: &'static str,
    value: Datum<'a>,
    rule: fn(f64) -> f64,
) -> Result<Datum<'a>, EvalError> {
    match value {
        Datum::Int(n) => Ok(Datum::Int(n)),
        Datum::Float(x) => {
            let x = rule(x);
            // i64::MAX as a float rounds up to 2^63, which no longer fits; NaN is in no range.
            if (i64::MIN as f64..i64::MAX as f64).contains(&x) {
                Ok(Datum::Int(x as i64))
            } else {
                Err(EvalError::Overflow(name))
            }
        }
        other => Err(kind_error(name, other)),
    }
}

/// `slice(x, from, to)`: characters or items from `from` (inclusive) to `to` (exclusive); out of
/// range is cut, a null `to` is the end.
fn slice<'a>(
    value: Datum<'a>,
    from: Datum<'a>,
    to: Datum<'a>,
    arena: &'a Bump,
) -> Result<Datum<'a>, EvalError> {
    let from = from.as_int().unwrap_or(0).max(0) as usize;
    let to = to.as_int().map_or(usize::MAX, |to| to.max(0) as usize);
    let count = to.saturating_sub(from);
    match value {
        Datum::Str(text) => {
            let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
            let start = byte(from);
            let end = if to == usize::MAX { text.len() } else { byte(to).max(start) };
            Ok(Datum::Str(&text[start..end]))
        }
        Datum::List(items) => Ok(list_in(arena, items.bytes().len(), |out| {
            items.skip(from).take(count).for_each(|item| pack(out, item));
        })),
        other => Err(kind_error("slice", other)),
    }
}

//! Values as other languages write them, which stop the reader: branches, methods, texts with values
//! in them.

use super::foreign::{Form, last_word, unexpected};
use super::operand::split_list;
use super::prefixed_text;
use super::recover::first_word;
use crate::check::instead_of;
use crate::scan::closing;

/// What is known of a value that could not be read on, from what stands before in its line and what
/// follows.
pub(super) fn find(line: &str, rest: &str) -> Option<Form> {
    method(line, rest)
        .or_else(|| prefixed_text::find(line, rest))
        .or_else(|| variable(rest))
        .or_else(|| host(line, rest))
        .or_else(|| braces(line, rest))
        .or_else(|| otherwise(line, rest))
        .or_else(|| function_value(line, rest))
        .or_else(|| bare_argument(line, rest))
        .or_else(|| pipe(line, rest))
        .or_else(|| part_of(line, rest))
}

/// `.text.length()`, `llm.generate(.text)`, `", ".join(.list)`.
fn method(line: &str, rest: &str) -> Option<Form> {
    let name = last_word(line);
    let object = line.strip_suffix(name)?.strip_suffix('.')?;
    if !rest.starts_with('(') || name.is_empty() {
        return None;
    }
    let object = if let Some(inside) = object.strip_suffix('"') {
        &object[inside.rfind('"')?..]
    } else {
        &object[object_start(object)..]
    };
    if object.is_empty() {
        return None;
    }
    if EACH.contains(&name) {
        let help = format!(
            "the elements of a list become records by `flat_map item = {object}`; the steps behind \
             it compute with `item`, and `group by .id {{ sum: sum(item.n) }}` puts them together"
        );
        return Some(unexpected(1, format!("`{object}` has no methods"), help));
    }
    if let Some(form) = mathematics(object, name, rest).or_else(|| part_of_text(object, name, rest))
    {
        return Some(form);
    }
    let function = match instead_of(name) {
        Some(instead) => instead.name(),
        None => Ok(name),
    };
    let close = closing(rest);
    let inner = close.map(|at| rest[1..at].trim());
    let args = match inner {
        Some("") => object.to_owned(),
        // `", ".join(list)` has its list within.
        Some(inner) if object.starts_with('"') && name == "join" => format!("{inner}, {object}"),
        Some(inner) => format!("{object}, {inner}"),
        None => object.to_owned(),
    };
    let message = format!("`{object}` has no methods");
    let name: &str = match function {
        Ok(name) => name,
        Err(help) => return Some(unexpected(1, message, help)),
    };
    let meant = format!("{name}({args})");
    let function = format!("a function takes its value as an argument: `{meant}`");
    let on_endpoint = !object.contains(['.', '"']);
    let help = if on_endpoint {
        format!("{function}; a stage names its endpoint behind the call: `{name}(...) on {object}`")
    } else {
        function
    };
    let form = unexpected(1, message, help);
    let known = crate::functions::find(name).is_some() && !on_endpoint;
    let back = object.len() + 1 + last_word(line).len();
    Some(match close.filter(|_| known) {
        Some(close) => form.replacing(back, close + 1, meant),
        None => form,
    })
}

/// `Math.max(a, b)`.
fn mathematics(object: &str, name: &str, rest: &str) -> Option<Form> {
    crate::functions::find(name).filter(|_| matches!(object, "Math" | "math"))?;
    let (close, back) = (closing(rest)?, object.len() + 1 + name.len());
    let meant = format!("{name}({})", rest[1..close].trim());
    let form =
        unexpected(1, format!("`{name}` is a function of its own"), format!("write `{meant}`"));
    Some(form.replacing(back, close + 1, meant))
}

/// `.text.substr(2, 3)`, of a start and a length, and `.text.substring(2, 5)`, of a start and an end.
fn part_of_text(object: &str, name: &str, rest: &str) -> Option<Form> {
    let close = closing(rest)?;
    let parts = split_list(&rest[1..close]);
    let [from, to] = parts.as_slice() else { return None };
    let (from, to): (usize, usize) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
    let end = match name {
        "substr" => from.checked_add(to)?,
        "substring" => Some(to).filter(|to| *to >= from)?,
        _ => return None,
    };
    let meant = format!("slice({object}, {from}, {end})");
    let help = format!("a function takes its value as an argument: `{meant}`");
    let form = unexpected(1, format!("`{object}` has no methods"), help);
    Some(form.replacing(object.len() + 1 + name.len(), close + 1, meant))
}

/// Methods that take a function.
const EACH: [&str; 8] = ["map", "filter", "reduce", "forEach", "each", "flatMap", "some", "every"];

/// Where the value begins that a text ends with: names, dots and closed brackets.
fn object_start(text: &str) -> usize {
    let (mut depth, mut start) = (0_i32, text.len());
    for (at, c) in text.char_indices().rev() {
        match c {
            ')' | ']' => depth += 1,
            '(' | '[' if depth == 0 => break,
            '(' | '[' => depth -= 1,
            _ if depth > 0 || c.is_ascii_alphanumeric() || "_.".contains(c) => {}
            _ => break,
        }
        start = at;
    }
    if depth == 0 { start } else { text.len() }
}

/// `$NAME`, `${NAME}`.
fn variable(rest: &str) -> Option<Form> {
    let name = rest.strip_prefix('$')?;
    let (name, length) = match name.strip_prefix('{') {
        Some(inside) => (first_word(inside), 3),
        None => (first_word(name), 1),
    };
    if name.is_empty() {
        return None;
    }
    let length = length + name.len();
    if name.bytes().any(|byte| byte.is_ascii_lowercase()) {
        let help =
            format!("write `.{name}` for a field of the record, `{name}` for a stage or param");
        return Some(unexpected(length, "names have no `$`", help));
    }
    let meant = format!("env(\"{name}\")");
    let help = format!("a variable of the environment is `{meant}`");
    Some(unexpected(length, "names have no `$`", help).replacing(0, length, meant))
}

/// `localhost:8000`.
fn host(line: &str, rest: &str) -> Option<Form> {
    let name = last_word(line);
    let port = rest.strip_prefix(':')?;
    let length = port.find(|c: char| !c.is_ascii_alphanumeric() && c != '/').unwrap_or(port.len());
    if name != "localhost" || !port.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let meant = format!("\"http://{name}:{}\"", &port[..length]);
    let form = unexpected(1, "an address is a text, in quotes", format!("write `{meant}`"));
    Some(form.replacing(name.len(), length + 1, meant))
}

/// `if c { a } else { b }`, with braces for `then`.
fn braces(line: &str, rest: &str) -> Option<Form> {
    let (_, condition) = line.rsplit_once(" if ").or_else(|| line.rsplit_once("(if "))?;
    if !rest.starts_with('{') || condition.contains(" then ") {
        return None;
    }
    let message = "the branches of an `if` have no braces";
    let condition = condition.trim();
    let general = || unexpected(1, message, format!("write `if {condition} then a else b`"));
    let Some(close) = closing(rest) else { return Some(general()) };
    let yes = rest[1..close].trim();
    let behind = rest[close + 1..].trim_start();
    let Some(other) = behind.strip_prefix("else").map(str::trim_start) else {
        return Some(general());
    };
    let Some(end) = other.starts_with('{').then(|| closing(other)).flatten() else {
        return Some(general());
    };
    let no = other[1..end].trim();
    if yes.is_empty() || no.is_empty() || yes.contains('\n') || no.contains('\n') {
        return Some(general());
    }
    let length = rest.len() - other.len() + end + 1;
    let help = format!("write `if {condition} then {yes} else {no}`");
    Some(unexpected(1, message, help).replacing(0, length, format!("then {yes} else {no}")))
}

/// `elif`, and an `if` that ends without `else`.
fn otherwise(line: &str, rest: &str) -> Option<Form> {
    let word = first_word(rest);
    let choice = line.contains("if ") && line.contains(" then ");
    if choice && matches!(word, "elif" | "elsif" | "elseif" | "elsewise") {
        let form = unexpected(word.len(), format!("`{word}` is written `else if`"), {
            "write `if a then x else if b then y else z`"
        });
        return Some(form.replacing(0, word.len(), "else if".to_owned()));
    }
    let case = line.trim_end().to_ascii_lowercase().ends_with("case") && word == "when";
    case.then(|| {
        unexpected(
            4,
            "there is no `case when`",
            "a value is chosen by `if condition then a else b`, or by a constant: \
             `match .n { 1 => a, _ => b }`",
        )
    })
}

/// `x => x + 1`, `lambda x: x + 1`, where a function would be a value.
fn function_value(line: &str, rest: &str) -> Option<Form> {
    let arrow = (rest.starts_with("=>") || rest.starts_with("->") || rest.starts_with('>'))
        && line.contains(['(', ',']);
    let lambda = line.trim_end().ends_with("lambda");
    let declares = line.trim_start().starts_with("fn ") || line.contains("match ");
    ((arrow || lambda) && !declares).then(|| {
        unexpected(
            1,
            "a function is not a value",
            "what is to be done for each element of a list: `flat_map x = list` makes a record of \
             each, and the steps behind it compute; a function has a name, `fn name(a: int) -> int = \
             a + 1`, and is called by it",
        )
    })
}

/// `|> where c`.
fn pipe(line: &str, rest: &str) -> Option<Form> {
    let sign = if rest.starts_with("|>") { 2 } else { usize::from(rest.starts_with("| ")) };
    (sign > 0).then(|| {
        let form = unexpected(
            sign,
            "steps are not joined by a sign",
            "each stands on a line of its own, and goes on with what the one before gives",
        );
        let blanks = rest[sign..].len() - rest[sign..].trim_start_matches(' ').len();
        if line.trim().is_empty() { form.replacing(0, sign + blanks, "") } else { form }
    })
}

/// `sum .n`, a call without brackets.
fn bare_argument(line: &str, rest: &str) -> Option<Form> {
    let name = last_word(line.trim_end());
    let aggregate = crate::aggregates::find_aggregate(name).is_some();
    let known = aggregate || crate::functions::find(name).is_some();
    let argument = rest.strip_prefix('.').map(first_word).filter(|word| !word.is_empty())?;
    let ends = rest[1 + argument.len()..].trim_start_matches(' ');
    let ends = ends.is_empty() || ends.starts_with(['\n', ',', '}', ')']);
    (known && line.ends_with(' ') && ends).then(|| {
        let meant = format!("(.{argument})");
        let message = format!("what `{name}` is of stands in brackets");
        let form = unexpected(1 + argument.len(), message, format!("write `{name}{meant}`"));
        let back = line.len() - line.trim_end().len();
        form.replacing(back, 1 + argument.len(), meant)
    })
}

/// `text[0:10]`.
fn part_of(line: &str, rest: &str) -> Option<Form> {
    let inside = line.rsplit_once('[').is_some_and(|(_, inside)| !inside.contains(']'));
    let of_index = last_word(line).bytes().all(|byte| byte.is_ascii_digit());
    if !inside || !of_index || !rest.starts_with(':') {
        return None;
    }
    let form = unexpected(
        1,
        "there is no part of a value by `:`",
        "a part of a text is `slice(text, 0, 10)`, an element of a list `list[0]`",
    );
    let (object, from) = line.rsplit_once('[')?;
    let to = rest[1..].split(']').next()?;
    let part = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
    let start = object.trim_end_matches(part).len();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if start == object.len() || to.is_empty() || !digits(to) || !rest[1..].contains(']') {
        return Some(form);
    }
    let from = if from.is_empty() { "0" } else { from };
    let meant = format!("slice({}, {from}, {to})", &object[start..]);
    Some(form.replacing(line.len() - start, to.len() + 2, meant))
}

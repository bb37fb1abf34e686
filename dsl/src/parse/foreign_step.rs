//! Steps and declarations that stop the reader in their middle, in forms of other languages.

use super::foreign::{Form, unexpected};
use super::recover::first_word;
use crate::scan::closing;

/// What is known of a step or declaration that could not be read on, from what stands before in its
/// line and what follows.
pub(super) fn find(line: &str, rest: &str) -> Option<Form> {
    let word = first_word(line.trim_start());
    match word {
        "group" | "dedup" => key_without_by(word, line, rest),
        "emit" => record_elsewhere(line, rest),
        "where" => block_of_where(rest),
        "stage" => endpoint_in_front(line, rest),
        "fn" | "prompt" => type_in_front(line, rest).or_else(|| body(word, line, rest)),
        "flow" | "type" | "enum" | "schedule" | "endpoint" | "slo" => {
            sign_in_front(word, line, rest)
        }
        "test" => name_without_quotes(line, rest),
        _ => None,
    }
    .or_else(|| having(line, rest))
}

/// `group .text { ... }`, `dedup .id`.
fn key_without_by(word: &str, line: &str, rest: &str) -> Option<Form> {
    let bare = line.trim() == word && rest.starts_with(['.', '(']);
    bare.then(|| {
        let help = if word == "group" {
            "write `group by .key { n: count() }`"
        } else {
            "write `dedup by .key`"
        };
        unexpected(1, format!("the key of a `{word}` stands behind `by`"), help)
            .replacing(0, 0, "by ")
    })
}

/// A condition behind a group, as in SQL.
fn having(line: &str, rest: &str) -> Option<Form> {
    let word = first_word(rest);
    if !matches!(word, "having" | "HAVING") || line.trim().is_empty() {
        return None;
    }
    let back = line.len() - line.trim_end().len();
    let indent = &line[..line.len() - line.trim_start().len()];
    let help = "a condition on groups is a step of its own behind the group: `where .n > 1`";
    let form = unexpected(word.len(), format!("there is no `{word}`"), help);
    Some(form.replacing(back, word.len(), format!("\n{indent}where")))
}

/// `emit into s { ... }`, `emit T(a: 1) into s`.
fn record_elsewhere(line: &str, rest: &str) -> Option<Form> {
    let behind = line.trim_start().strip_prefix("emit")?.trim();
    if let Some(sink) = behind.strip_prefix("into ")
        && rest.starts_with('{')
    {
        let help = format!("write `emit Type {{ ... }} into {}`", sink.trim());
        return Some(unexpected(1, "the record stands in front of `into`", help));
    }
    if rest.starts_with('(') && first_word(behind) == behind && !behind.is_empty() {
        let form =
            unexpected(1, "a record stands in braces", format!("write `{behind} {{ ... }}`"));
        let inner = closing(rest).map(|at| (at, rest[1..at].trim()));
        return Some(match inner {
            Some((at, inner)) if !inner.contains('\n') => {
                form.replacing(0, at + 1, format!(" {{ {inner} }}"))
            }
            _ => form,
        });
    }
    None
}

/// `where c { ... }`.
fn block_of_where(rest: &str) -> Option<Form> {
    rest.starts_with('{').then(|| {
        unexpected(
            1,
            "a `where` has no block",
            "all steps behind it are of the records that pass; what is done with some records only \
             stands in an arm of `route value { when a => { ... } else => { ... } }`",
        )
    })
}

/// `stage x on llm = f()`.
fn endpoint_in_front(line: &str, rest: &str) -> Option<Form> {
    let name = line.trim_start().strip_prefix("stage")?.trim();
    let endpoint = first_word(rest.strip_prefix("on ")?.trim_start());
    (first_word(name) == name && !name.is_empty()).then(|| {
        let help = format!("write `stage {name} = ... on {endpoint}`");
        unexpected(2, "the endpoint of a stage stands behind its call", help)
    })
}

/// `fn f(int x)`.
fn type_in_front(line: &str, rest: &str) -> Option<Form> {
    let ty = line.trim_end().rsplit(['(', ',']).next()?.trim();
    let name = first_word(rest);
    if first_word(ty) != ty || ty.is_empty() || name.is_empty() || !super::odd::type_first(ty, name)
    {
        return None;
    }
    let back = line.len() - line.trim_end().len() + ty.len();
    let meant = format!("{name}: {ty}");
    let form = unexpected(name.len(), "the type of a parameter stands behind its name", {
        format!("write `{meant}`")
    });
    Some(form.replacing(back, name.len(), meant))
}

/// `fn f(x: int) { return x }`, `fn f(x: int): int = x`, `fn f(x: int) => x`.
fn body(word: &str, line: &str, rest: &str) -> Option<Form> {
    let head = line.trim_end();
    if word == "fn" && rest.starts_with('{') {
        let form = unexpected(1, "a function is one expression, without braces", {
            "write `fn name(a: type) -> type = expression`"
        });
        let close = closing(rest)?;
        let inner = rest[1..close].trim().trim_end_matches(';').trim_end();
        let value = inner.strip_prefix("return ").unwrap_or(inner).trim();
        let plain = !value.is_empty() && !value.contains(['\n', ';', '{']);
        return Some(if plain { form.replacing(0, close + 1, format!("= {value}")) } else { form });
    }
    if head.ends_with(')') && (rest.starts_with(':') || rest.starts_with("=>")) {
        let length = if rest.starts_with(':') { 1 } else { 2 };
        let message = "the type of the result stands behind `->`";
        let typed = rest[length..].lines().next().is_some_and(|line| line.contains('='));
        let form = unexpected(length, message, format!("write `{word} name(a: type) -> type ...`"));
        return Some(if typed || rest.starts_with(':') {
            form.replacing(0, length, " ->")
        } else {
            form
        });
    }
    // Reading stops behind the first of two signs.
    if head.ends_with(")=") || head.ends_with(") =") && rest.starts_with('>') {
        let help = "write `fn name(a: type) -> type = expression`";
        return Some(unexpected(1, "a function is written with `->` and `=`", help));
    }
    None
}

/// `flow f = {`, `flow f() {`, `type T = {`.
fn sign_in_front(word: &str, line: &str, rest: &str) -> Option<Form> {
    let (sign, length) = if rest.starts_with("()") {
        ("()", 2)
    } else if rest.starts_with(['=', ':']) {
        (&rest[..1], 1)
    } else {
        return None;
    };
    let brace = rest[length..].trim_start().starts_with('{');
    let name = line.trim_start()[word.len()..].trim();
    (brace && first_word(name) == name).then(|| {
        let form = unexpected(length, format!("there is no `{sign}` in front of the braces"), {
            format!("write `{word} {name} {{ ... }}`").replace("  ", " ")
        });
        let blanks = rest[length..].len() - rest[length..].trim_start_matches(' ').len();
        let left = if line.ends_with(' ') { "" } else { " " };
        form.replacing(0, length + blanks, left)
    })
}

/// `test name {`.
fn name_without_quotes(line: &str, rest: &str) -> Option<Form> {
    let name = first_word(rest);
    (line.trim() == "test" && !name.is_empty()).then(|| {
        let form = unexpected(name.len(), "a test is named by a text", {
            format!("write `test \"{name}\" {{ ... }}`")
        });
        form.replacing(0, name.len(), format!("\"{name}\""))
    })
}

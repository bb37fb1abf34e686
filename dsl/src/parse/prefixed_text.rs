//! Texts with a letter in front of them: `f"..."`, `r"..."`.

use super::foreign::{Form, last_word, unexpected};

/// A text behind a letter, and what it is without one where that is certain.
pub(super) fn find(line: &str, rest: &str) -> Option<Form> {
    let letter = last_word(line);
    if !matches!(letter, "f" | "r" | "b" | "s") || !rest.starts_with('"') {
        return None;
    }
    let form = unexpected(
        1,
        "a string has no letter in front of it",
        "pieces of text are joined by `+`, as in `\"a \" + .text`, numbers by `to_string(.n)`; a text \
         with values in it is a `prompt` with `{{ name }}`",
    );
    let Some(length) = length(rest) else { return Some(form) };
    let inner = &rest[1..length - 1];
    let meant = match letter {
        "r" => (!inner.contains("\\\"")).then(|| format!("\"{}\"", inner.replace('\\', "\\\\"))),
        "b" => Some(rest[..length].to_owned()),
        _ => joined(inner),
    };
    Some(match meant {
        Some(meant) => {
            let help = format!("write `{meant}`");
            form.saying(help).replacing(1, length, meant)
        }
        None => form,
    })
}

/// The length of the literal that a text begins with.
fn length(rest: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '\n' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The pieces of a text joined, where each brace is of a plain field or name.
fn joined(inner: &str) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = inner;
    while let Some(open) = rest.find(['{', '}']) {
        let name = rest[open..].strip_prefix('{')?;
        let close = name.find('}')?;
        let (text, name) = (&rest[..open], name[..close].trim());
        let text = text.strip_suffix('$').unwrap_or(text);
        if !is_plain(name) {
            return None;
        }
        // What begins with a text is a text, whatever the first value is.
        if !text.is_empty() || parts.is_empty() {
            parts.push(format!("\"{text}\""));
        }
        parts.push(name.to_owned());
        rest = &rest[open + 1..][close + 1..];
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(format!("\"{rest}\""));
    }
    let text = parts.get(2).is_none_or(|part| part.starts_with('"'));
    let needless = parts.len() > 1 && parts[0] == "\"\"" && text;
    Some(parts[usize::from(needless)..].join(" + "))
}

/// `.text`, `kind`, `answer.score`.
fn is_plain(name: &str) -> bool {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    name.strip_prefix('.').unwrap_or(name).split('.').all(word)
}

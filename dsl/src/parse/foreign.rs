//! Forms of other languages that stop the reader: what is written in their place.

use super::Reader;
use super::recover::first_word;
use crate::ast::{Arg, Expr, ExprKind, Name};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// Types of other languages that hold others.
const LISTS: [&str; 5] = ["List", "list", "Array", "array", "Vec"];
const OPTIONALS: [&str; 3] = ["Optional", "Option", "Maybe"];

/// Words of other languages at the start of a step or declaration.
const FOREIGN_WORDS: &[(&str, &str)] = &[
    ("let", "`stage name = ...` names a value of each record, `param name: type = ...` a constant"),
    ("var", "`stage name = ...` names a value of each record, `param name: type = ...` a constant"),
    ("const", "a constant is `param name: type = value`"),
    ("def", "a function is `fn name(a: type) -> type = expression`"),
    ("function", "a function is `fn name(a: type) -> type = expression`"),
    ("struct", "a record is `type Name { field: type }`"),
    ("class", "a record is `type Name { field: type }`"),
    ("filter", "a filter is `where condition`"),
    (
        "select",
        "columns are made by `stage name = ...` and chosen by `emit Type { ... } into sink`",
    ),
    ("return", "results leave a flow by `emit Type { ... } into sink`"),
    ("yield", "results leave a flow by `emit Type { ... } into sink`"),
    ("if", "a condition on records is `where condition`"),
    ("for", "a flow handles each record by itself; there are no loops over records"),
    ("while", "a loop has a bound: `loop up to 3 until condition { ... }`"),
    ("repeat", "a loop has a bound: `loop up to 3 until condition { ... }`"),
    ("switch", "records are sent into arms by `route value { when a => { ... } else => { ... } }`"),
    ("use", "another file is read by `import \"file.sage\"`"),
    ("include", "another file is read by `import \"file.sage\"`"),
    ("pipeline", "a pipeline is `flow name { ... }`"),
];

impl Reader<'_> {
    /// Whether `word`, at the start of a step or declaration, is one of another language; then it has
    /// been reported.
    pub(super) fn known(&mut self, word: &str, at: Span) -> bool {
        let Some((_, help)) = FOREIGN_WORDS.iter().find(|(name, _)| *name == word) else {
            return false;
        };
        let message = format!("`{word}` is not a word of the language");
        self.report(Diagnostic::error(codes::FOREIGN_WORD, at, message).help(*help));
        true
    }

    /// Whether what stands at `start`, where reading stopped, is a known form of another language; then
    /// it has been reported.
    pub(super) fn foreign_form(&mut self, start: u32) -> bool {
        let at = start as usize;
        let (Some(before), Some(rest)) = (self.text.get(..at), self.text.get(at..)) else {
            return false;
        };
        let (line, ends) = (last_line(before), before.trim_end());
        let found = block_comment(rest)
            .or_else(|| method(line, rest))
            .or_else(|| interpolation(line, rest))
            .or_else(|| part_of(line, rest))
            .or_else(|| quoted_endpoint(rest))
            .or_else(|| star(line, rest))
            .or_else(|| choice(rest))
            .or_else(|| options_in_brackets(last_line(ends), rest))
            .or_else(|| type_of_types(line, rest));
        let Some(Form { code, length, message, help, fix }) = found else { return false };
        let span = Span { file: self.file, start, end: start + length as u32 };
        let diagnostic = Diagnostic::error(code, span, message).help(help);
        self.report(match fix {
            Some(fix) => diagnostic.fix(span, fix),
            None => diagnostic,
        });
        true
    }

    /// An argument of a call; `keep=2` is meant to be `keep: 2`.
    pub(super) fn argument(&mut self, name: Option<Name>, value: Expr) -> Arg {
        let assigned = match (&name, &value.kind) {
            (None, ExprKind::Binary(_, left, right)) => match &left.kind {
                ExprKind::Name(text) => Some((text.clone(), left.span, right.span)),
                _ => None,
            },
            _ => None,
        };
        let Some((text, left, right)) = assigned else { return Arg { name, value } };
        let between = Span { start: left.end, end: right.start, ..left };
        let sign = self.text.get(between.start as usize..between.end as usize);
        let is_last = |found: &Diagnostic| found.span().is_some_and(|at| between.overlaps(at));
        if sign.map(str::trim) != Some("=") || !self.diagnostics.last().is_some_and(is_last) {
            return Arg { name, value };
        }
        let ExprKind::Binary(_, _, right) = value.kind else { return Arg { name, value } };
        // What was said of an operator is said better.
        self.diagnostics.pop();
        self.report(
            Diagnostic::error(codes::EQUALS_FOR_COLON, between, "an argument is given by `:`")
                .help(format!("write `{text}: ...`"))
                .fix(between, ": "),
        );
        Arg { name: Some(Name { text, span: left }), value: *right }
    }
}

/// A form that is known.
struct Form {
    code: &'static str,
    /// Bytes of it that are marked.
    length: usize,
    message: String,
    help: String,
    /// What takes the place of what is marked.
    fix: Option<&'static str>,
}

fn unexpected(length: usize, message: impl Into<String>, help: impl Into<String>) -> Form {
    let (message, help) = (message.into(), help.into());
    Form { code: codes::UNEXPECTED, length, message, help, fix: None }
}

fn last_line(text: &str) -> &str {
    text.rsplit('\n').next().unwrap_or(text)
}

/// The name that a text ends with.
fn last_word(text: &str) -> &str {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    &text[text.trim_end_matches(word).len()..]
}

fn block_comment(rest: &str) -> Option<Form> {
    rest.starts_with("/*").then(|| Form {
        code: codes::HASH_COMMENT,
        length: 2,
        message: "`/*` does not start a comment".to_owned(),
        help: "comments start with `//`, on each of their lines".to_owned(),
        fix: None,
    })
}

/// `.text.length()`, `llm.generate(.text)`.
fn method(line: &str, rest: &str) -> Option<Form> {
    let name = last_word(line);
    let object = line.strip_suffix(name)?.strip_suffix('.')?;
    if !rest.starts_with('(') || name.is_empty() {
        return None;
    }
    let part = |c: char| c.is_ascii_alphanumeric() || "_.[]".contains(c);
    let object = &object[object.trim_end_matches(part).len()..];
    if object.is_empty() {
        return None;
    }
    let function = format!("a function takes its value as an argument: `{name}({object})`");
    let help = if object.contains('.') {
        function
    } else {
        format!("{function}; a stage names its endpoint behind the call: `{name}(...) on {object}`")
    };
    Some(unexpected(1, format!("`{object}` has no methods"), help))
}

/// `f"..."`.
fn interpolation(line: &str, rest: &str) -> Option<Form> {
    let prefixed = matches!(last_word(line), "f" | "r" | "b" | "s") && rest.starts_with('"');
    prefixed.then(|| {
        unexpected(
            1,
            "a string has no letter in front of it",
            "pieces of text are joined by `+`; a text with values in it is a `prompt` with \
             `{{ name }}`",
        )
    })
}

/// `text[0:10]`.
fn part_of(line: &str, rest: &str) -> Option<Form> {
    let inside = line.rsplit_once('[').is_some_and(|(_, inside)| !inside.contains(']'));
    let of_index = last_word(line).bytes().all(|byte| byte.is_ascii_digit());
    (inside && of_index && rest.starts_with(':')).then(|| {
        unexpected(
            1,
            "there is no part of a value by `:`",
            "a part of a text is `slice(text, 0, 10)`, an element of a list `list[0]`",
        )
    })
}

/// `on "llm"`.
fn quoted_endpoint(rest: &str) -> Option<Form> {
    let name = rest.strip_prefix("on")?.trim_start().strip_prefix('"')?;
    let name = &name[..name.find(['"', '\n'])?];
    Some(unexpected(2, "an endpoint is named without quotes", format!("write `on {name}`")))
}

/// `count(*)`.
fn star(line: &str, rest: &str) -> Option<Form> {
    let counts = line.trim_end().strip_suffix('(').is_some_and(|it| last_word(it) == "count");
    (counts && rest.starts_with('*')).then(|| Form {
        fix: Some(""),
        ..unexpected(1, "`count` of all records takes no `*`", "write `count()`")
    })
}

/// `a ? b : c` within another.
fn choice(rest: &str) -> Option<Form> {
    rest.starts_with('?').then(|| {
        unexpected(1, "there is no `? :`", "a value is chosen by `if condition then a else b`")
    })
}

/// `on llm(max_tokens: 8)`.
fn options_in_brackets(line: &str, rest: &str) -> Option<Form> {
    let name = last_word(line);
    let on = line.strip_suffix(name)?.trim_end();
    (rest.starts_with('(') && last_word(on) == "on" && on.len() > 2).then(|| {
        unexpected(
            1,
            "options of a stage stand in braces",
            format!("write `on {name} {{ option: value }}`"),
        )
    })
}

/// `string[]`, `List<string>`, `Optional[string]`.
fn type_of_types(line: &str, rest: &str) -> Option<Form> {
    let name = last_word(line);
    line.strip_suffix(name)?.trim_end().strip_suffix(':')?;
    if rest.starts_with("[]") {
        let help = format!("write `[{name}]`");
        return Some(unexpected(2, "brackets of a list stand around its type", help));
    }
    let inner = first_word(rest.strip_prefix(['<', '['])?);
    let meant = if LISTS.contains(&name) {
        format!("[{inner}]")
    } else if OPTIONALS.contains(&name) {
        format!("{inner}?")
    } else {
        return None;
    };
    Some(unexpected(1, format!("`{name}` takes no type"), format!("write `{meant}`")))
}

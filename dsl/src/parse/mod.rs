//! From text to tree.
//!
//! **The only place that sees pest's `Rule`.** Keywords are dropped from the pairs on the way in, so
//! the readers below see names, types and expressions only. No message of pest is ever shown:
//! [`recover`] words its own.

mod block;
mod experiment;
mod expression;
mod flow;
mod foreign;
mod foreign_branch;
mod foreign_clause;
mod foreign_step;
mod foreign_value;
mod foreign_words;
mod forms;
mod item;
mod measure;
mod odd;
mod odd_words;
mod operand;
mod operator;
mod prefixed_text;
mod recover;
mod recover_entry;
mod recover_step;
mod relate;
mod test;

use pest::Parser;
use pest::iterators::Pair;

use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::scan;
use crate::span::Span;

#[derive(pest_derive::Parser)]
#[grammar = "grammar.pest"]
struct Grammar;

/// Findings after which the reader seeks no words for more; fewer are shown.
const ENOUGH: usize = 400;

/// Turns the pairs of one file into its tree.
struct Reader<'a> {
    file: u32,
    /// Text the grammar saw; same offsets as the original.
    text: &'a str,
    diagnostics: Vec<Diagnostic>,
    /// Number of findings of the scanner, which come first in `diagnostics`.
    scanned: usize,
    /// Whether one of them is an error.
    failed: bool,
}

/// Parses one file. Broken pieces are reported and left out.
pub(crate) fn file(file: u32, text: &str) -> (ast::File, Vec<Diagnostic>) {
    let scanned = scan::scan(file, text);
    let mut tree = ast::File::default();
    let Some(clean) = scanned.text else {
        // Nothing can be said about what is declared, so uses of anything are not reported.
        tree.poisoned.push("*".to_owned());
        return (tree, scanned.diagnostics);
    };
    let count = scanned.diagnostics.len();
    let mut reader = Reader {
        file,
        text: &clean,
        failed: count > 0,
        diagnostics: scanned.diagnostics,
        scanned: count,
    };
    reader.file(&mut tree);
    if count > 0 {
        recover::poison_blanked(text, &clean, &mut tree);
    }
    (tree, reader.diagnostics)
}

/// Parses one expression that stands outside of a program: a default of the catalog, a `--set`.
pub(crate) fn expression(file: u32, text: &str) -> Option<ast::Expr> {
    let scanned = scan::scan(file, text);
    if !scanned.diagnostics.is_empty() {
        return None;
    }
    let clean = scanned.text?;
    let mut reader =
        Reader { file, text: &clean, diagnostics: Vec::new(), scanned: 0, failed: false };
    let pair = Grammar::parse(Rule::only_expr, &clean).ok()?.next()?;
    let expression = reader.expression(children(pair).next()?);
    reader.diagnostics.is_empty().then_some(expression)
}

/// Whether a line is a declaration, a step, an entry or an expression, as examples are.
pub(crate) fn is_line(text: &str) -> bool {
    let Some(clean) = scan::scan(0, text).text else { return false };
    Grammar::parse(Rule::only_line, &clean).is_ok()
}

/// The tree of a text as its rules and words in order, whatever the blanks between them; `None` when
/// it cannot be read. Two texts of one shape say the same.
pub(crate) fn shape(text: &str) -> Option<Vec<(String, String)>> {
    let clean = scan::scan(0, text).text?;
    let pairs = Grammar::parse(Rule::file, &clean).ok()?;
    let leaf = |pair: Pair<'_, Rule>| {
        let text = match pair.as_rule() {
            _ if pair.clone().into_inner().next().is_some() => String::new(),
            // An empty one may be written with or without a blank.
            Rule::block => String::new(),
            Rule::string | Rule::triple => pair.as_str().to_owned(),
            _ => pair.as_str().split_whitespace().collect::<Vec<_>>().join(" "),
        };
        (format!("{:?}", pair.as_rule()), text)
    };
    Some(pairs.flatten().map(leaf).collect())
}

/// The pairs inside of `pair`, without keywords.
fn children(pair: Pair<'_, Rule>) -> impl Iterator<Item = Pair<'_, Rule>> {
    pair.into_inner().filter(|inner| !is_keyword(inner.as_rule()))
}

fn is_keyword(rule: Rule) -> bool {
    (Rule::kw_sage..=Rule::kw_window).contains(&rule) || rule == Rule::eq
}

impl Reader<'_> {
    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        Span { file: self.file, start: span.start() as u32, end: span.end() as u32 }
    }

    /// The span without the blanks that a repetition at its end may have taken.
    fn trimmed(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = self.span(pair);
        Span { end: span.start + pair.as_str().trim_end().len() as u32, ..span }
    }

    /// Says what was found, as long as anybody would read it. That there is an error is never lost.
    fn report(&mut self, diagnostic: Diagnostic) {
        let first_error = diagnostic.is_error() && !self.failed;
        self.failed |= diagnostic.is_error();
        if first_error || self.diagnostics.len() < ENOUGH {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Whether enough has been said; finding words for more would only take time.
    fn full(&self) -> bool {
        self.failed && self.diagnostics.len() >= ENOUGH
    }

    fn word(&self, pair: &Pair<'_, Rule>) -> ast::Name {
        ast::Name { text: pair.as_str().to_owned(), span: self.span(pair) }
    }

    /// The name of a value: lower case.
    fn value_name(&mut self, pair: &Pair<'_, Rule>, what: &str) -> ast::Name {
        let name = self.word(pair);
        if name.text.starts_with(|c: char| c.is_ascii_uppercase()) {
            let lower = snake(&name.text);
            self.report(
                Diagnostic::error(
                    codes::NAME_CASE,
                    name.span,
                    format!("the name of {what} starts with a lower-case letter"),
                )
                .help(format!("write `{lower}`; upper case is for types"))
                .fix(name.span, lower),
            );
        }
        name
    }

    /// The name of a type: upper case.
    fn type_name(&mut self, pair: &Pair<'_, Rule>) -> ast::Name {
        let name = self.word(pair);
        if !name.text.starts_with(|c: char| c.is_ascii_uppercase()) {
            let upper = camel(&name.text);
            self.report(
                Diagnostic::error(
                    codes::NAME_CASE,
                    name.span,
                    "the name of a type starts with an upper-case letter",
                )
                .help(format!("write `{upper}`; lower case is for values"))
                .fix(name.span, upper),
            );
        }
        name
    }
}

/// `MyName` as `my_name`. Capitals side by side are one word: `LLM` is `llm`, `HTTPCall` is `http_call`.
fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let begins = match before {
            Some('_') | None => false,
            Some(before) if before.is_ascii_uppercase() => {
                chars.get(at + 1).is_some_and(char::is_ascii_lowercase)
            }
            Some(_) => true,
        };
        if c.is_ascii_uppercase() && begins {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// `my_name` as `MyName`.
fn camel(name: &str) -> String {
    name.split('_')
        .map(|part| {
            let mut chars = part.chars();
            chars.next().map_or(String::new(), |c| c.to_ascii_uppercase().to_string())
                + chars.as_str()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{camel, snake};

    #[test]
    fn capitals_side_by_side_are_one_word() {
        for (upper, lower) in [
            ("LLM", "llm"),
            ("HTTPCall", "http_call"),
            ("MyName", "my_name"),
            ("myLLM", "my_llm"),
            ("Out", "out"),
            ("A_B", "a_b"),
            ("topK", "top_k"),
            ("Qwen2Model", "qwen2_model"),
        ] {
            assert_eq!(snake(upper), lower);
        }
        assert_eq!(camel("my_name"), "MyName");
    }
}

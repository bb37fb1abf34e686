//! Sizes of passages and pieces: numbers that are right by themselves may not fit each other.
//!
//! A source of documents that cuts texts has the parameters `chunk`, `size` and `overlap`, and a stage
//! that does so the last two of them. What
//! cannot be meant is said here, and not put right in silence where the text is cut.

use super::Checker;
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{Argument, Expr, lookup};
use crate::span::Span;
use crate::types::Value;

/// No embedding model reads more tokens at once.
const LARGEST: i64 = 32_768;

impl Checker<'_> {
    /// Reports sizes that the cut of a text cannot use.
    pub(super) fn passages(&mut self, call: &ast::Call, values: &[(String, Value)]) {
        let number = |name: &str| match lookup(values, name) {
            Some(Value::Int(n) | Value::Tokens(n)) => Some(*n),
            _ => None,
        };
        let (Some(size), Some(overlap)) = (number("size"), number("overlap")) else { return };
        let (size_at, overlap_at) = (written(call, "size"), written(call, "overlap"));
        if let (Some(span), false) = (size_at, (1..=LARGEST).contains(&size)) {
            let message = format!("`size` is from 1 to {LARGEST} tokens");
            self.report(
                Diagnostic::error(codes::BAD_OPTION, span, message)
                    .help("most embedding models read 256 or 512 tokens, and no more of a passage"),
            );
        } else {
            let why = "a passage that repeats more than it adds is found instead of its neighbours";
            self.overlap(overlap_at, overlap, size, why);
        }
        let cut = lookup(values, "chunk").and_then(Value::as_str);
        if let (Some("paragraphs"), Some(span)) = (cut, size_at.or(overlap_at)) {
            let message = "texts that are cut at paragraphs have no `size` and no `overlap`";
            self.report(
                Diagnostic::warning(codes::BAD_OPTION, span, message)
                    .help("add `chunk: sentences` or `chunk: tokens`"),
            );
        }
    }

    /// The same for the arguments of a stage, as far as they are constants.
    pub(super) fn pieces(&mut self, call: &ast::Call, args: &[(String, Argument)]) {
        let given = |name: &str| args.iter().find(|(own, _)| own == name);
        let number = |name: &str| match given(name) {
            Some((_, Argument::Expr(Expr::Literal(Value::Int(n) | Value::Tokens(n))))) => Some(*n),
            _ => None,
        };
        let (Some(size), Some(overlap)) = (number("size"), number("overlap")) else { return };
        if let (Some(span), true) = (written(call, "size"), size < 1) {
            let message = "a piece of 0 tokens has nothing in it";
            let help = "say how long it may be, as in `size: 500 tokens`";
            self.report(Diagnostic::error(codes::BAD_OPTION, span, message).help(help));
        } else {
            let why = "a piece that repeats more than it adds is paid for twice";
            self.overlap(written(call, "overlap"), overlap, size, why);
        }
    }

    fn overlap(&mut self, written: Option<Span>, overlap: i64, size: i64, why: &str) {
        if let (Some(span), true) = (written, overlap > size / 2) {
            let message = format!("`overlap` is at most half of `size`, here {} tokens", size / 2);
            self.report(Diagnostic::error(codes::BAD_OPTION, span, message).help(why));
        }
    }
}

/// Where a named argument stands.
fn written(call: &ast::Call, name: &str) -> Option<Span> {
    let arg = call.args.iter().find(|arg| arg.name.as_ref().is_some_and(|n| n.text == name));
    arg.map(|arg| arg.value.span)
}

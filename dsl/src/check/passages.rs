//! Sizes of passages: numbers that are right by themselves may not fit each other.
//!
//! A source of documents that cuts texts has the parameters `chunk`, `size` and `overlap`. What
//! cannot be meant is said here, and not put right in silence where the text is cut.

use super::Checker;
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::lookup;
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
        let written = |name: &str| -> Option<Span> {
            let arg =
                call.args.iter().find(|arg| arg.name.as_ref().is_some_and(|n| n.text == name));
            arg.map(|arg| arg.value.span)
        };
        let (size_at, overlap_at) = (written("size"), written("overlap"));
        if let (Some(span), false) = (size_at, (1..=LARGEST).contains(&size)) {
            let message = format!("`size` is from 1 to {LARGEST} tokens");
            self.report(
                Diagnostic::error(codes::BAD_OPTION, span, message)
                    .help("most embedding models read 256 or 512 tokens, and no more of a passage"),
            );
        } else if let (Some(span), true) = (overlap_at, overlap > size / 2) {
            let message = format!("`overlap` is at most half of `size`, here {} tokens", size / 2);
            let why = "a passage that repeats more than it adds is found instead of its neighbours";
            self.report(Diagnostic::error(codes::BAD_OPTION, span, message).help(why));
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
}

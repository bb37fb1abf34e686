//! How an index is searched and followed: the entries `search` and `refresh`.

use super::{Checker, Scope};
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{SearchPlan, VectorPlan};
use crate::suggest::{self, did_you_mean};
use crate::types::{Type, Value};

/// Share of the vectors where nobody says otherwise: without a model, words and pieces of words
/// count equally.
const EVEN: f64 = 0.5;
/// The same with a model, whose vectors find more than words do. Measured on the Python
/// documentation, see `docs/retrieval.md`.
const MOSTLY: f64 = 0.9;
/// Least time between two looks at documents; a look reads them all.
const LEAST_NS: u64 = 10_000_000;
/// Usual time between two looks.
const USUAL_NS: u64 = 1_000_000_000;

/// What `search` says, before it is known who makes the vectors.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Searched {
    /// `None` is a hybrid by weights that nobody has given.
    said: Option<SearchPlan>,
    pub(super) vectors: VectorPlan,
}

impl Searched {
    /// How an index is searched whose vectors are made by a model or not.
    pub(super) fn plan(self, model: bool) -> SearchPlan {
        self.said.unwrap_or(SearchPlan::Weighted(if model { MOSTLY } else { EVEN }))
    }
}

impl Checker<'_> {
    /// `live`, or `live(every: 5s)`; nanoseconds between two looks.
    pub(super) fn refresh(&mut self, written: &ast::Expr) -> Option<u64> {
        let (name, args): (&str, &[ast::Arg]) = match &written.kind {
            ExprKind::Name(name) => (name, &[]),
            ExprKind::Call(call) => (&call.name.text, &call.args),
            _ => ("", &[]),
        };
        let every = match args {
            [] => Some(USUAL_NS),
            [arg] if arg.name.as_ref().is_some_and(|name| name.text == "every") => {
                let every = self.constant(&arg.value, &Scope::constant(), &Type::Duration)?;
                let every = every.as_duration_ns().and_then(|ns| u64::try_from(ns).ok());
                if name == "live" && every.is_none_or(|ns| ns < LEAST_NS) {
                    let message = "`every` is at least 10ms";
                    self.report(
                        Diagnostic::error(codes::BAD_OPTION, arg.value.span, message)
                            .help("each look reads all documents; `1s` is usual"),
                    );
                    return None;
                }
                every
            }
            _ => None,
        };
        if name != "live" || every.is_none() {
            let message = "unknown way to follow the documents";
            self.report(
                Diagnostic::error(codes::BAD_OPTION, written.span, message)
                    .help("`refresh` is `live` or `live(every: 5s)`; left out, they are read once"),
            );
            return None;
        }
        every
    }

    /// `bm25`, `vector`, `vector(hnsw)`, `hybrid`, `hybrid(vector: hnsw, text: bm25, fuse: rrf)`,
    /// `hybrid(weight: 0.7)`.
    pub(super) fn search(&mut self, written: &ast::Expr) -> Option<Searched> {
        let (name, args): (&str, &[ast::Arg]) = match &written.kind {
            ExprKind::Name(name) => (name, &[]),
            ExprKind::Call(call) => (&call.name.text, &call.args),
            _ => ("", &[]),
        };
        let help = "`search` is `bm25`, `vector`, `vector(hnsw)`, `hybrid`, `hybrid(weight: 0.7)` or \
                    `hybrid(fuse: rrf)`";
        let mut found = Searched::default();
        match name {
            "bm25" if args.is_empty() => found.said = Some(SearchPlan::Bm25),
            "vector" => found.said = Some(SearchPlan::Vector),
            "hybrid" => {}
            _ => {
                let message = "unknown way of searching";
                let help =
                    did_you_mean(name, ["bm25", "vector", "hybrid"]).unwrap_or(help.to_owned());
                self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message).help(help));
                return None;
            }
        }
        let (mut weight, mut ranks) = (None, false);
        for arg in args {
            let key = arg.name.as_ref().map_or("", |name| name.text.as_str());
            let words: &[&str] = match (name, key) {
                ("vector", "") | ("hybrid", "vector") => &["hnsw", "exact"],
                ("hybrid", "text") => &["bm25"],
                ("hybrid", "fuse") => &["weighted", "rrf"],
                ("hybrid", "weight") => {
                    let share = self.vector_share(&arg.value);
                    weight = share.map(|share| (share, arg.value.span));
                    continue;
                }
                _ => {
                    let span = arg.name.as_ref().map_or(arg.value.span, |name| name.span);
                    let message = format!("`{name}` has no parameter `{key}`");
                    self.report(
                        Diagnostic::error(codes::UNKNOWN_ARGUMENT, span, message).help(help),
                    );
                    continue;
                }
            };
            match &arg.value.kind {
                ExprKind::Name(word) if words.contains(&word.as_str()) => match word.as_str() {
                    "hnsw" => found.vectors = VectorPlan::Hnsw,
                    "exact" => found.vectors = VectorPlan::Exact,
                    "rrf" => ranks = true,
                    _ => {}
                },
                _ => {
                    let help = format!("it is one of {}", suggest::list(words.iter().copied()));
                    let message = "unknown way of searching";
                    self.report(
                        Diagnostic::error(codes::BAD_OPTION, arg.value.span, message).help(help),
                    );
                }
            }
        }
        if let (Some((_, span)), true) = (weight, ranks) {
            let message = "fusion by ranks has no `weight`";
            self.report(
                Diagnostic::error(codes::BAD_OPTION, span, message)
                    .help("leave out `fuse: rrf`, or the weight"),
            );
        }
        if let Some((share, _)) = weight {
            found.said = Some(SearchPlan::Weighted(share));
        } else if ranks {
            found.said = Some(SearchPlan::Rrf);
        }
        Some(found)
    }

    /// The share of the vector side.
    fn vector_share(&mut self, written: &ast::Expr) -> Option<f64> {
        match self.constant(written, &Scope::constant(), &Type::Float)? {
            Value::Float(x) if (0.0..=1.0).contains(&x) => Some(x),
            _ => {
                let message = "`weight` is the share of the vector side, 0 to 1";
                self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
                None
            }
        }
    }
}

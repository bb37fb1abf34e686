//! Names in braces within a string: other languages fill them in, here a string stands as it is.

use super::fit::required;
use super::{Checker, Place, Scope};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::types::Type;

/// Pieces of one string that are looked at.
const MOST_PIECES: usize = 16;

/// A name in braces: where it stands in the literal, and how it is written outside of one.
struct Piece<'t> {
    start: usize,
    end: usize,
    inner: &'t str,
}

impl Checker<'_> {
    /// Warns of names of fields and stages within braces.
    pub(super) fn interpolation(&mut self, span: Span, scope: &Scope<'_>) {
        if !matches!(scope.place, Place::Record | Place::Function) {
            return;
        }
        let raw = self.input.sources.text(span);
        if !raw.contains('{') || raw.starts_with("\"\"\"") || raw.len() < 2 || raw.len() > 4_000 {
            return;
        }
        let all = pieces(raw);
        if let Some(piece) = all.iter().find(|piece| computes(piece.inner, scope)) {
            let shown = &raw[piece.start..piece.end];
            let message = format!("a string stands as it is: `{shown}` is not filled in");
            let help = "pieces of text are joined by `+`, numbers by `to_string(.n)`, as in \
                        `\"a \" + to_string(.n + 1)`; only a `prompt` fills in `{{ name }}`";
            self.report(Diagnostic::warning(codes::NOT_FILLED_IN, span, message).help(help));
            return;
        }
        let found: Vec<(Piece<'_>, String, Type)> = all
            .into_iter()
            .filter_map(|piece| {
                let (written, ty) = resolved(piece.inner, scope)?;
                Some((piece, written, ty))
            })
            .collect();
        let Some((first, ..)) = found.first() else { return };
        let shown = &raw[first.start..first.end];
        let message = format!("a string stands as it is: `{shown}` is not filled in");
        let (mut parts, mut at, mut certain) = (Vec::new(), 1, true);
        for (piece, written, ty) in &found {
            parts.extend(literal(&raw[at..piece.start]));
            parts.push(match ty {
                Type::String => written.clone(),
                Type::Int | Type::Float | Type::Bool | Type::Time | Type::Tokens => {
                    format!("to_string({written})")
                }
                ty if *required(ty) == Type::String => {
                    certain = false;
                    format!("({written} ?? \"\")")
                }
                _ => {
                    certain = false;
                    written.clone()
                }
            });
            at = piece.end;
        }
        parts.extend(literal(&raw[at..raw.len() - 1]));
        let meant = parts.join(" + ");
        // Nothing but the name: a mark that is replaced or looked for is written so, too.
        certain &= parts.len() > 1;
        let diagnostic = Diagnostic::warning(codes::NOT_FILLED_IN, span, message)
            .help(format!("write `{meant}`; only a `prompt` fills in `{{{{ name }}}}`"));
        self.report(if certain { diagnostic.fix(span, meant) } else { diagnostic });
    }
}

fn literal(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| format!("\"{text}\""))
}

/// Names in `${...}`, `{{ ... }}` and `{...}`.
fn pieces(raw: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut at = 1;
    while let Some(open) = raw[at..].find('{').map(|n| at + n) {
        let double = raw[open..].starts_with("{{");
        let from = open + if double { 2 } else { 1 };
        let close = if double { "}}" } else { "}" };
        let Some(length) = raw[from..].find(close) else { break };
        let start = if raw[..open].ends_with('$') { open - 1 } else { open };
        let end = from + length + close.len();
        found.push(Piece { start, end, inner: raw[from..from + length].trim() });
        at = end;
        if found.len() == MOST_PIECES {
            break;
        }
    }
    found
}

/// Whether what stands in braces is more than a name that is in sight: a format, or something computed.
fn computes(inner: &str, scope: &Scope<'_>) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let name = &inner[..inner.len() - inner.trim_start_matches(word).len()];
    let behind = inner[name.len()..].trim_start();
    if behind.starts_with('(') {
        return crate::functions::find(name).is_some();
    }
    behind.starts_with([':', '+', '-', '*', '/', '%', '?', '!', '['])
        && name.starts_with(|c: char| c == '.' || c.is_ascii_alphabetic())
        && resolved(name, scope).is_some()
}

/// How a name in braces is written in an expression, and its type.
fn resolved(inner: &str, scope: &Scope<'_>) -> Option<(String, Type)> {
    let path = inner.strip_prefix('.').unwrap_or(inner);
    let mut names = path.split('.');
    let first = names.next().filter(|name| !name.is_empty())?;
    let own = scope.columns[..scope.own].iter().find(|column| column.name == first);
    let made = || scope.columns[scope.own..].iter().find(|column| column.name == first);
    let local = || scope.locals.iter().find(|(name, _)| name == first);
    let (start, mut ty) = match own {
        Some(column) => (format!(".{first}"), column.ty.clone()),
        None => match made() {
            Some(column) => (first.to_owned(), column.ty.clone()),
            None => (first.to_owned(), local()?.1.clone()),
        },
    };
    let mut written = start;
    for name in names {
        let Type::Record(record) = required(&ty) else { return None };
        let field = record.field(name)?.1.ty.clone();
        ty = field;
        written = format!("{written}.{name}");
    }
    Some((written, ty))
}

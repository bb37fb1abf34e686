//! Names in front of fields, and what is in sight where a name is unknown.

use super::names::{Decl, TypeDecl};
use super::{Checker, Scope};
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::suggest;

/// What a record calls itself in other languages.
const SELF: [&str; 9] = ["this", "self", "it", "row", "record", "rec", "item", "input", "source"];
/// Names that are shown.
const MOST_SHOWN: usize = 8;

impl Checker<'_> {
    /// `this.text`, `rows.text` for a field of the record, and `Kind.a` for a variant; whether it has
    /// been reported.
    pub(super) fn qualified(
        &mut self,
        inner: &ast::Expr,
        name: &ast::Name,
        span: Span,
        scope: &Scope<'_>,
    ) -> bool {
        let ExprKind::Name(object) = &inner.kind else { return false };
        let known = |text: &str| {
            scope.locals.iter().any(|(local, _)| local == text)
                || scope.columns[scope.own..].iter().any(|column| column.name == text)
                || scope.poisoned.iter().any(|other| other == text)
        };
        if known(object) {
            return false;
        }
        let (message, meant) = match self.names.types.get(object.as_str()) {
            Some((_, TypeDecl::Enum(def)))
                if def.variants.iter().any(|variant| variant.text == name.text) =>
            {
                self.used.insert(object.clone());
                ("a variant is a bare word", name.text.clone())
            }
            _ => {
                let declared = self.names.values.get(object.as_str()).map(|(_, decl)| *decl);
                let record = match declared {
                    Some(Decl::Source(_)) => true,
                    Some(_) => false,
                    None => SELF.contains(&object.as_str()),
                };
                let field =
                    scope.columns[..scope.own].iter().any(|column| column.name == name.text);
                if !record || !field {
                    return false;
                }
                self.used.insert(object.clone());
                ("fields of the record are written with a dot alone", format!(".{}", name.text))
            }
        };
        self.report(
            Diagnostic::error(codes::UNKNOWN_NAME, span, message)
                .help(format!("write `{meant}`"))
                .fix(span, meant),
        );
        true
    }
}

/// What an unknown name could be, by what there is.
pub(super) fn in_sight(name: &str, scope: &Scope<'_>) -> Option<String> {
    let fields = &scope.columns[..scope.own];
    let dotted: Vec<String> =
        fields.iter().take(MOST_SHOWN).map(|field| format!(".{}", field.name)).collect();
    let fields = suggest::list(dotted.iter().map(String::as_str));
    let stages = scope.columns[scope.own..].iter().map(|column| column.name.as_str());
    let stages = suggest::list(stages.filter(|name| !name.contains('.')).take(MOST_SHOWN));
    Some(match (fields.is_empty(), stages.is_empty(), name) {
        (true, true, _) => return None,
        (false, _, "key" | "group" | "_key") => {
            format!("the key of a group is a field of its rows, which has its name: {fields}")
        }
        (true, false, _) => format!("there are {stages}"),
        (false, true, _) => format!("fields are {fields}"),
        (false, false, _) => format!("fields are {fields}, stages {stages}"),
    })
}

//! Lists and their elements.

use super::fit::{fits, optional, required, unify};
use super::typed::{Shape, Typed};
use super::{Checker, Place, Scope};
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::Expr;
use crate::span::Span;
use crate::types::Type;

impl Checker<'_> {
    pub(super) fn at(
        &mut self,
        list: &ast::Expr,
        index: &ast::Expr,
        span: Span,
        scope: &Scope<'_>,
    ) -> Typed {
        let value = self.expr(list, scope, None);
        let index = self.want(index, scope, &Type::Int);
        let ty = match &value.ty {
            Type::Unknown => Type::Unknown,
            // A row that is not there is null, which is equal to nothing: the expectation fails.
            Type::List(item) if scope.place == Place::Outcome => item.as_ref().clone(),
            Type::List(item) => optional(item.as_ref().clone()),
            other => {
                let message = format!("{other} has no elements");
                let help = match other {
                    Type::String => {
                        Some("characters are cut out by `slice(text, from, to)`".to_owned())
                    }
                    Type::Optional(inner) if matches!(**inner, Type::List(_)) => {
                        Some("it may be null: write `(x ?? [])[0]`".to_owned())
                    }
                    _ => None,
                };
                self.report(
                    Diagnostic::error(codes::NO_FIELDS, list.span, message).maybe_help(help),
                );
                return Typed::poison();
            }
        };
        let shape = value.shape.and(index.shape).under(2);
        self.node(span, Expr::At(Box::new(value.expr), Box::new(index.expr)), ty, shape)
    }

    pub(super) fn list(
        &mut self,
        items: &[ast::Expr],
        span: Span,
        scope: &Scope<'_>,
        expected: Option<&Type>,
    ) -> Typed {
        let mut item_type = match expected.map(required) {
            Some(Type::List(item)) => item.as_ref().clone(),
            _ => Type::Unknown,
        };
        let fixed = item_type != Type::Unknown;
        let mut typed = Vec::new();
        for item in items {
            let value = self.expr(item, scope, Some(&item_type));
            if fixed && !fits(&value.ty, &item_type) {
                self.mismatch(item, &value, &item_type);
                return Typed::poison();
            }
            let Some(both) = unify(&item_type, &value.ty) else {
                let message =
                    format!("elements of a list have one type, found {item_type} and {}", value.ty);
                self.report(Diagnostic::error(codes::TYPE_MISMATCH, item.span, message));
                return Typed::poison();
            };
            if !fixed {
                item_type = both;
            }
            typed.push(value);
        }
        let typed: Vec<Typed> =
            typed.into_iter().map(|value| super::fit::convert(value, &item_type)).collect();
        let shape = Shape::of_all(&typed).under(2);
        let items = typed.into_iter().map(|value| value.expr).collect();
        self.node(span, Expr::List(items), Type::List(Box::new(item_type)), shape)
    }
}

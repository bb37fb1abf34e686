//! `if` and `match`: branches of one type, all values covered.

use super::expression::type_of;
use super::fit::{convert, fits, optional, required, unify};
use super::typed::Typed;
use super::{Checker, Scope};
use crate::ast::{self, Pattern};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::Expr;
use crate::span::Span;
use crate::suggest::{self, did_you_mean};
use crate::types::{Type, Value};

/// What has patterns: how its mistakes are named.
pub(super) struct Cover {
    pub(super) code: &'static str,
    pub(super) what: &'static str,
    /// What stands for all other values.
    pub(super) rest: &'static str,
}

const CASES: Cover = Cover { code: codes::BAD_MATCH, what: "match", rest: "_ => ..." };

impl Checker<'_> {
    /// `if condition then yes else no`.
    pub(crate) fn if_expr(
        &mut self,
        [condition, yes, no]: [&ast::Expr; 3],
        span: Span,
        scope: &Scope<'_>,
        expected: Option<&Type>,
    ) -> Typed {
        let condition = self.condition(condition, scope);
        let first = self.expr(yes, scope, expected);
        let second = self.expr(no, scope, expected.or(Some(&first.ty)));
        let Some(ty) = common(&first, &second) else {
            self.branches_differ(yes.span, &first.ty, no.span, &second.ty);
            return Typed::poison();
        };
        let (first, second) = (convert(first, &ty), convert(second, &ty));
        let shape = condition.shape.and(first.shape).and(second.shape).under(2);
        let expr = Expr::If(Box::new(condition.expr), Box::new(first.expr), Box::new(second.expr));
        self.node(span, expr, ty, shape)
    }

    fn branches_differ(&mut self, first: Span, a: &Type, second: Span, b: &Type) {
        let message = format!("branches have different types, {a} and {b}");
        self.report(
            Diagnostic::error(codes::BRANCHES_DIFFER, second, message)
                .label(format!("this is {b}"))
                .also(first, format!("this is {a}")),
        );
    }

    pub(crate) fn match_expr(
        &mut self,
        subject: &ast::Expr,
        cases: &[(Pattern, ast::Expr)],
        span: Span,
        scope: &Scope<'_>,
        expected: Option<&Type>,
    ) -> Typed {
        let value = self.expr(subject, scope, None);
        let mut shape = value.shape;
        let mut result: Option<(Span, Typed)> = None;
        let mut checked = Vec::new();
        let mut patterns: Vec<Option<Value>> = Vec::new();
        let mut good = true;
        for (pattern, body) in cases {
            let pattern_value = self.pattern(pattern, &value.ty, &CASES);
            good &= pattern_value.is_some();
            let body_typed =
                self.expr(body, scope, expected.or(result.as_ref().map(|(_, t)| &t.ty)));
            shape = shape.and(body_typed.shape);
            result = match result {
                None => Some((body.span, body_typed.clone())),
                Some((first, typed)) => {
                    if let Some(ty) = common(&typed, &body_typed) {
                        Some((first, Typed { ty, ..typed }))
                    } else {
                        self.branches_differ(first, &typed.ty, body.span, &body_typed.ty);
                        return Typed::poison();
                    }
                }
            };
            patterns.extend(pattern_value.clone());
            checked.push((pattern_value.flatten(), body_typed));
        }
        let Some((_, Typed { ty, .. })) = result else {
            self.report(Diagnostic::error(codes::BAD_MATCH, span, "`match` has no cases"));
            return Typed::poison();
        };
        if !good || !self.exhaustive(&value.ty, &patterns, span, &CASES) {
            return Typed::poison();
        }
        let cases =
            checked.into_iter().map(|(pattern, body)| (pattern, convert(body, &ty).expr)).collect();
        self.node(span, Expr::Match(Box::new(value.expr), cases), ty, shape.under(4))
    }

    /// Outer `None` is a mistake, inner `None` is `_`.
    #[expect(clippy::option_option, reason = "a broken pattern is not `_`")]
    pub(super) fn pattern(
        &mut self,
        pattern: &Pattern,
        subject: &Type,
        cover: &Cover,
    ) -> Option<Option<Value>> {
        let subject = required(subject);
        let (span, found) = match pattern {
            Pattern::Any => return Some(None),
            Pattern::Literal(value, span) => {
                let ty = type_of(value);
                if fits(&ty, subject) && !matches!(subject, Type::Enum(_)) {
                    let typed = convert(Typed::constant(value.clone(), ty), subject);
                    return Some(Some(typed.value().cloned().unwrap_or(Value::Null)));
                }
                (*span, ty.to_string())
            }
            Pattern::Name(name) => match subject {
                Type::Unknown => return Some(Some(Value::String(name.text.clone()))),
                Type::Enum(item) if item.variants.contains(&name.text) => {
                    return Some(Some(Value::String(name.text.clone())));
                }
                Type::Enum(item) => {
                    let names = || item.variants.iter().map(String::as_str);
                    let help = did_you_mean(&name.text, names())
                        .unwrap_or_else(|| format!("its variants are {}", suggest::list(names())));
                    let message = format!("{} has no variant `{}`", item.name, name.text);
                    self.report(Diagnostic::error(cover.code, name.span, message).help(help));
                    return None;
                }
                _ => (name.span, format!("the word `{}`", name.text)),
            },
        };
        let message = format!("the pattern does not fit {subject}, found {found}");
        if let (Type::Enum(item), Pattern::Literal(Value::String(word), _)) = (subject, pattern)
            && item.variants.contains(word)
        {
            self.report(
                Diagnostic::error(cover.code, span, message)
                    .help(format!("variants are bare words: `{word}`"))
                    .fix(span, word.clone()),
            );
            return None;
        }
        let rest = cover.rest.split(' ').next().unwrap_or_default();
        let diagnostic = Diagnostic::error(cover.code, span, message)
            .help(format!("patterns are constants of the type of the value, or `{rest}`"));
        let all = ["default", "otherwise", "other", "others", "any"]
            .contains(&self.input.sources.text(span));
        self.report(if all && rest == "_" { diagnostic.fix(span, rest) } else { diagnostic });
        None
    }

    pub(super) fn exhaustive(
        &mut self,
        subject: &Type,
        patterns: &[Option<Value>],
        span: Span,
        cover: &Cover,
    ) -> bool {
        if patterns.contains(&None) || *subject == Type::Unknown {
            return true;
        }
        let given = |name: &&String| !patterns.contains(&Some(Value::String((*name).clone())));
        let covered = |value: &Value| patterns.contains(&Some(value.clone()));
        let help = match subject {
            Type::Enum(item) => {
                let missing: Vec<&String> = item.variants.iter().filter(given).collect();
                if missing.is_empty() {
                    return true;
                }
                let missing = suggest::list(missing.iter().map(|s| s.as_str()));
                format!("add {missing}, or `{}`", cover.rest)
            }
            Type::Bool if [true, false].map(Value::Bool).iter().all(covered) => return true,
            _ => format!("end it by `{}`", cover.rest),
        };
        let message = format!("`{}` does not cover every value", cover.what);
        self.report(Diagnostic::error(cover.code, span, message).help(help));
        false
    }
}

/// The type of two branches together.
fn common(a: &Typed, b: &Typed) -> Option<Type> {
    match (a.is_null(), b.is_null()) {
        (true, false) => Some(optional(b.ty.clone())),
        (false, true) => Some(optional(a.ty.clone())),
        _ => unify(&a.ty, &b.ty),
    }
}

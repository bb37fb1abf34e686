//! Structured output: prompts that answer with a type of their own.
//!
//! The type is settled where the prompt is declared, so that a stage that calls it has a column of
//! that type. **Nothing in an answer may be left out**: defaults belong to data that people write,
//! and a model that forgot a field is to be asked again.

use super::Checker;
use super::names::Decl;
use crate::ast;
use crate::catalog::EndpointUse;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::lower;
use crate::plan::{Argument, Expr};
use crate::types::{Field, RecordType, Type};

/// Fields and words an answer may be made of; servers compile a schema before they use it.
const MAX_PARTS: usize = 1_000;

impl<'a> Checker<'a> {
    /// What a prompt answers with; `Unknown` when that was reported.
    pub(crate) fn answer_type(&mut self, prompt: &'a ast::Prompt) -> Type {
        prompt.result.as_ref().map_or(Type::String, |written| self.answer(written, "a model"))
    }

    /// A written type that `who` is to answer with as JSON; `Unknown` when that was reported.
    pub(crate) fn answer(&mut self, written: &ast::Ty, who: &str) -> Type {
        let ty = self.ty(written);
        let whole = ty.to_string();
        if let Some((place, why)) = impossible(&ty, &whole) {
            let message = if place == whole {
                format!("{who} cannot answer with {whole}: it {why}")
            } else {
                format!("{who} cannot answer with {whole}: `{place}` {why}")
            };
            self.report(Diagnostic::error(codes::ANSWER_TYPE, written.span, message).help(
                "possible are string, int, float, bool, enums, records, and lists and optionals of them",
            ));
            return Type::Unknown;
        }
        if parts(&ty) > MAX_PARTS {
            let message = format!("{whole} has more than {MAX_PARTS} fields and words");
            self.report(
                Diagnostic::error(codes::TOO_LARGE, written.span, message)
                    .help("ask for it in several prompts"),
            );
            return Type::Unknown;
        }
        complete(ty)
    }

    /// Whether a call asks by a prompt that could not be read: its answer may be anything.
    pub(crate) fn asks_unread(&self, call: &ast::Call) -> bool {
        call.args.iter().any(|arg| match &arg.value.kind {
            ast::ExprKind::Call(inner) => {
                let name = inner.name.text.as_str();
                !self.names.values.contains_key(name) && self.names.is_poisoned(name)
            }
            _ => false,
        })
    }

    /// Whether an argument is an endpoint; then it has been reported.
    pub(crate) fn endpoint_as_argument(&mut self, call: &ast::Call) -> bool {
        let endpoint = call.args.iter().find_map(|arg| match &arg.value.kind {
            ast::ExprKind::Name(name) => {
                let declared = self.names.values.get(name.as_str()).map(|(_, decl)| *decl);
                matches!(declared, Some(Decl::Endpoint(_))).then(|| (name.clone(), arg.value.span))
            }
            _ => None,
        });
        let Some((name, span)) = endpoint else { return false };
        self.used.insert(name.clone());
        let message = "an endpoint is no argument; it stands behind the call";
        self.report(
            Diagnostic::error(codes::WRONG_DECLARATION, span, message)
                .help(format!("write `{}(...) on {name}`", call.name.text)),
        );
        true
    }

    /// The type that a stage which calls an endpoint has by the prompt it is given, if that decides.
    pub(crate) fn structured(
        &mut self,
        calls: EndpointUse,
        call: &ast::Call,
        args: &[(String, Argument)],
    ) -> Option<Type> {
        if calls != EndpointUse::Generate {
            return None;
        }
        for (_, argument) in args {
            let Argument::Expr(expr) = argument else { continue };
            if let Expr::Template(at, _) = expr {
                return self
                    .templates
                    .get(*at)
                    .map(|template| template.result.clone())
                    .filter(|result| *result != Type::String);
            }
            let mut found = None;
            lower::visit_mut(&mut expr.clone(), &mut |node| {
                if let Expr::Template(at, _) = node {
                    let template = self.templates.get(*at);
                    found = found.or(template.filter(|it| it.result != Type::String));
                }
            });
            if let Some(template) = found {
                let message = format!(
                    "`{}` is part of a larger text here, so the answer is text and not {}",
                    template.name, template.result
                );
                let help = format!("write `{}({}(...))`", call.name.text, template.name);
                self.report(Diagnostic::warning(codes::PLAIN_TEXT, call.span, message).help(help));
            }
        }
        None
    }
}

/// The first part that no model can answer with, and why.
fn impossible(ty: &Type, place: &str) -> Option<(String, &'static str)> {
    let why = match ty {
        Type::String | Type::Int | Type::Float | Type::Bool | Type::Unknown => return None,
        Type::List(item) | Type::Optional(item) => return impossible(item, place),
        Type::Record(record) if !record.fields.is_empty() => {
            return record.fields.iter().find_map(|field| {
                impossible(&field.ty, &format!("{}.{}", record.name, field.name))
            });
        }
        Type::Enum(item) if !item.variants.is_empty() => return None,
        Type::Record(_) => "has no fields",
        Type::Enum(_) => "has no variants",
        Type::Time => "is a time, which models write in many ways",
        Type::Duration | Type::Size | Type::Rate | Type::Percent | Type::Tokens => {
            "has a unit, which JSON does not have"
        }
        Type::Bytes => "is bytes, and JSON is text",
        Type::Vector(_) => "is a vector; `embed` makes those",
    };
    Some((place.to_owned(), why))
}

fn parts(ty: &Type) -> usize {
    match ty {
        Type::List(item) | Type::Optional(item) => parts(item),
        Type::Record(record) => record.fields.iter().map(|field| 1 + parts(&field.ty)).sum(),
        Type::Enum(item) => item.variants.len(),
        _ => 1,
    }
}

/// The type without defaults, all the way down.
fn complete(ty: Type) -> Type {
    match ty {
        Type::List(item) => Type::List(Box::new(complete(*item))),
        Type::Optional(item) => Type::Optional(Box::new(complete(*item))),
        Type::Record(RecordType { name, fields }) => {
            let fields = fields.into_iter().map(|field| Field {
                ty: complete(field.ty),
                default: None,
                ..field
            });
            Type::Record(RecordType { name, fields: fields.collect() })
        }
        other => other,
    }
}

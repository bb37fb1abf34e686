//! Params: knobs with a type, a default, and a value from outside.

use super::fit::fits;
use super::names::Decl;
use super::{Checker, Lazy, Scope};
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::parse;
use crate::span::Span;
use crate::suggest::{self, did_you_mean};
use crate::types::{Type, Value};

impl<'a> Checker<'a> {
    pub(crate) fn check_overrides(&mut self) {
        for (name, _) in self.input.overrides {
            let is_param =
                |(_, (_, decl)): (&&'a str, &(Span, Decl<'a>))| matches!(decl, Decl::Param(_));
            if self.names.values.iter().any(|entry| *entry.0 == name.as_str() && is_param(entry))
                || self.names.is_poisoned(name)
            {
                continue;
            }
            let params: Vec<&str> = self
                .names
                .values
                .iter()
                .filter(|entry| is_param((entry.0, entry.1)))
                .map(|entry| *entry.0)
                .collect();
            let help = did_you_mean(name, params.iter().copied()).unwrap_or_else(|| {
                if params.is_empty() {
                    "the program declares no params".to_owned()
                } else {
                    format!("its params are {}", suggest::list(params.iter().copied()))
                }
            });
            let start = Span { file: 0, start: 0, end: 0 };
            self.report(
                Diagnostic::error(
                    codes::UNKNOWN_SET,
                    start,
                    format!("the program has no param `{name}`, given by `--set`"),
                )
                .help(help),
            );
        }
    }

    pub(crate) fn check_params(&mut self) {
        let names: Vec<&'a str> = self.names.values.keys().copied().collect();
        for name in names {
            if matches!(self.names.values.get(name), Some((_, Decl::Param(_)))) {
                self.param(name);
            }
        }
    }

    pub(crate) fn param_values(&self) -> Vec<(String, Value)> {
        let done = self.params.iter().filter_map(|(name, param)| match param {
            Lazy::Done((_, value)) => Some((name.clone(), self.shown_param(name, value))),
            Lazy::Busy => None,
        });
        done.collect()
    }

    pub(crate) fn param_types(&self) -> Vec<(String, Type)> {
        let done = self.params.iter().filter_map(|(name, param)| match param {
            Lazy::Done((ty, _)) => Some((name.clone(), ty.clone())),
            Lazy::Busy => None,
        });
        done.collect()
    }

    /// Type and value of the param called `name`.
    pub(crate) fn param(&mut self, name: &str) -> (Type, Value) {
        let (span, param) = match (self.params.get(name), self.names.values.get(name)) {
            (Some(Lazy::Done(done)), _) => return done.clone(),
            (Some(Lazy::Busy), Some((span, _))) => {
                let message = format!("param `{name}` uses itself");
                let diagnostic = Diagnostic::error(codes::RECURSION, *span, message);
                self.report(diagnostic);
                return (Type::Unknown, Value::Null);
            }
            (None, Some((span, Decl::Param(param)))) => (*span, *param),
            _ => return (Type::Unknown, Value::Null),
        };
        self.params.insert(name.to_owned(), Lazy::Busy);
        let done = self.nested(|this| this.param_value(param)).unwrap_or_else(|| {
            self.too_nested(span, "params");
            (Type::Unknown, Value::Null)
        });
        self.params.insert(name.to_owned(), Lazy::Done(done.clone()));
        done
    }

    fn param_value(&mut self, param: &'a ast::Param) -> (Type, Value) {
        let name = &param.name;
        let declared = param.ty.as_ref().map(|ty| self.ty(ty));
        let given = self.input.overrides.iter().rev().find(|(key, _)| *key == name.text);
        let ty = declared.clone().unwrap_or(Type::Unknown);
        let default = param.default.as_ref().map(|value| {
            let before = self.diagnostics.len();
            self.slots = 0;
            let typed = self.want(value, &Scope::setting(), &ty);
            if typed.value().is_none() && !self.wrong_since(before) {
                self.report(
                    Diagnostic::error(
                        codes::NOT_CONSTANT,
                        value.span,
                        "the default of a param is a constant",
                    )
                    .help(
                        "constants are literals, other params, `env(...)` and arithmetic on them",
                    ),
                );
            }
            let value = typed.value().filter(|_| !typed.is_poison()).cloned();
            (typed.ty.clone(), value)
        });
        if declared.is_none() {
            let guess = default.as_ref().map_or("string".to_owned(), |(ty, _)| ty.to_string());
            let guess = if guess == "unknown" { "string".to_owned() } else { guess };
            self.report(
                Diagnostic::error(
                    codes::PARAM_VALUE,
                    name.span,
                    format!("param `{}` has no type", name.text),
                )
                .help(format!("write `param {}: {guess} = ...`", name.text))
                .fix(name.span.after(), format!(": {guess}")),
            );
            return default.map_or((Type::Unknown, Value::Null), |(ty, value)| {
                (ty, value.unwrap_or(Value::Null))
            });
        }
        if let Some((_, text)) = given {
            return (ty.clone(), self.override_value(name, text, &ty));
        }
        if default.is_none() && !matches!(ty, Type::Optional(_)) {
            self.report(
                Diagnostic::error(
                    codes::PARAM_VALUE,
                    name.span,
                    format!("param `{}` has no value", name.text),
                )
                .help(format!("give a default by `= ...`, or run with `--set {}=...`", name.text)),
            );
            return (Type::Unknown, Value::Null);
        }
        match default {
            Some((_, None)) => (Type::Unknown, Value::Null),
            Some((_, Some(value))) => (ty, value),
            None => (ty, Value::Null),
        }
    }

    /// The value of `--set name=text`.
    fn override_value(&mut self, name: &ast::Name, text: &str, ty: &Type) -> Value {
        if *super::fit::required(ty) == Type::String {
            return Value::String(text.to_owned());
        }
        // As in data, where no function has to say what a text is.
        if *super::fit::required(ty) == Type::Time
            && let Ok(nanos) = crate::time::parse(text)
        {
            return Value::Time(nanos);
        }
        let Some(written) = parse::expression(u32::MAX, text) else {
            return self.bad_override(name, text, ty);
        };
        let before = self.diagnostics.len();
        let typed = self.expr(&written, &Scope::constant(), Some(ty));
        // Findings inside of the text have no place in a file.
        let silent = !self.wrong_since(before);
        self.diagnostics.truncate(before);
        if silent
            && fits(&typed.ty, ty)
            && let Some(value) = super::fit::convert(typed, ty).value()
        {
            return value.clone();
        }
        self.bad_override(name, text, ty)
    }

    fn bad_override(&mut self, name: &ast::Name, text: &str, ty: &Type) -> Value {
        let text: String = text.chars().take(60).collect();
        let help = match super::fit::required(ty) {
            Type::Enum(item) => {
                format!("it is one of {}", suggest::list(item.variants.iter().map(String::as_str)))
            }
            Type::Duration => "durations have a unit, as in `30s`".to_owned(),
            Type::Time => "times are written `2026-11-28T10:00:00Z` or `2026-11-28`".to_owned(),
            other => format!("give a value of type {other}"),
        };
        // A number with something wrong in it says more than its type.
        let number = text.strip_prefix('-').unwrap_or(&text);
        let help = match crate::literal::number(number) {
            Err(error) if number.starts_with(|c: char| c.is_ascii_digit()) => {
                let more = error.help.map(|help| format!("; {help}")).unwrap_or_default();
                format!("{}{more}", error.message)
            }
            _ => help,
        };
        self.report(
            Diagnostic::error(
                codes::PARAM_VALUE,
                name.span,
                format!("`--set {}={text}` is not of type {ty}", name.text),
            )
            .label("declared here")
            .help(help),
        );
        Value::Null
    }
}

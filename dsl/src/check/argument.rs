//! Arguments and options against a signature of the catalog.

use super::fit::fits;
use super::leaf::{SINK_OPTIONS, SOURCE_OPTIONS};
use super::names::Decl;
use super::typed::Typed;
use super::{Checker, Scope};
use crate::ast::{self, ExprKind};
use crate::catalog::{Kind, Param, Signature};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::parse;
use crate::span::Span;
use crate::suggest::{self, did_you_mean};
use crate::types::{Type, Value};

/// What was given for a parameter.
pub(crate) enum Given {
    Expr(Typed),
    Index(usize, Type),
    /// Reported.
    Bad,
}

/// What was written for each parameter, and named arguments that are fields of the record.
pub(crate) type Assigned<'e> = (Vec<Vec<&'e ast::Expr>>, Vec<(&'e ast::Name, &'e ast::Expr)>);

impl Checker<'_> {
    /// Arguments in the order of the parameters, and named ones that are fields of `record`.
    /// `None` for a parameter that was left out.
    pub(crate) fn assign<'e>(
        &mut self,
        call: &'e ast::Call,
        signature: &Signature,
        record: &[&str],
    ) -> Option<Assigned<'e>> {
        let params = signature.params;
        let mut found: Vec<Vec<&ast::Expr>> = vec![Vec::new(); params.len()];
        let mut extra = Vec::new();
        let mut good = true;
        let many = params.iter().position(|param| param.kind == Kind::Paths);
        for (position, arg) in call.args.iter().enumerate() {
            let at = match &arg.name {
                Some(name) => {
                    if let Some(at) = params.iter().position(|param| param.name == name.text) {
                        at
                    } else if signature.takes_fields && record.contains(&name.text.as_str()) {
                        extra.push((name, &arg.value));
                        continue;
                    } else {
                        let fields = record.iter().copied().filter(|_| signature.takes_fields);
                        let known = params.iter().map(|param| param.name).chain(fields);
                        self.unknown_argument(&call.name.text, name, known);
                        good = false;
                        continue;
                    }
                }
                None if many.is_some_and(|many| position >= many) => many.unwrap_or(position),
                None if position < params.len() => position,
                None => {
                    self.too_many(call, params.len(), arg.value.span);
                    good = false;
                    break;
                }
            };
            if !found[at].is_empty() && params[at].kind != Kind::Paths {
                self.given_twice(params[at].name, arg.value.span);
                good = false;
            }
            found[at].push(&arg.value);
        }
        let missing: Vec<&str> = params
            .iter()
            .zip(&found)
            .filter(|(param, given)| given.is_empty() && !param.optional())
            .map(|(param, _)| param.name)
            .collect();
        if good && !missing.is_empty() {
            self.missing(call, &missing);
            good = false;
        }
        good.then_some((found, extra))
    }

    pub(crate) fn unknown_argument<'n>(
        &mut self,
        call: &str,
        name: &ast::Name,
        known: impl Iterator<Item = &'n str>,
    ) {
        let known: Vec<&str> = known.collect();
        let help = did_you_mean(&name.text, known.iter().copied()).unwrap_or_else(|| {
            let stage = self.input.catalog.stage(call);
            let is_option = stage
                .is_some_and(|spec| spec.options.iter().any(|option| option.name == name.text));
            if is_option {
                format!("`{0}` is an option: write `{call}(...) {{ {0}: ... }}`", name.text)
            } else if SOURCE_OPTIONS.iter().chain(SINK_OPTIONS).any(|it| it.name == name.text) {
                format!("it stands in braces behind it: `{call}(...) {{ {}: ... }}`", name.text)
            } else if known.is_empty() {
                format!("`{call}` takes no arguments")
            } else {
                format!("its parameters are {}", suggest::list(known.iter().copied()))
            }
        });
        let message = format!("`{call}` has no parameter `{}`", name.text);
        self.report(Diagnostic::error(codes::UNKNOWN_ARGUMENT, name.span, message).help(help));
    }

    pub(crate) fn too_many(&mut self, call: &ast::Call, takes: usize, span: Span) {
        let message =
            format!("`{}` takes {takes} arguments, found {}", call.name.text, call.args.len());
        self.report(Diagnostic::error(codes::TOO_MANY_ARGUMENTS, span, message));
    }

    pub(crate) fn given_twice(&mut self, name: &str, span: Span) {
        let message = format!("`{name}` is given twice");
        self.report(Diagnostic::error(codes::TWICE, span, message));
    }

    pub(crate) fn missing(&mut self, call: &ast::Call, names: &[&str]) {
        let message =
            format!("`{}` needs {}", call.name.text, suggest::list(names.iter().copied()));
        let end = Span { start: call.span.end.saturating_sub(1), ..call.span };
        let at = if call.args.is_empty() { call.span } else { end };
        self.report(Diagnostic::error(codes::MISSING_ARGUMENT, at, message));
    }

    /// One argument of a stage, by the kind of its parameter.
    pub(crate) fn argument(
        &mut self,
        param: &Param,
        written: &ast::Expr,
        scope: &Scope<'_>,
    ) -> Given {
        self.slots = 0;
        self.warn_of_key(param.name, written);
        match param.kind {
            Kind::Index => self.index_argument(written),
            Kind::Word(_)
            | Kind::Count(..)
            | Kind::Distribution
            | Kind::Path
            | Kind::Paths
            | Kind::Secret => match self.setting(param, written, &Scope::constant(), false) {
                Some(value) => Given::Expr(Typed::constant(value, Type::Unknown)),
                None => Given::Bad,
            },
            kind => {
                let typed = match type_of(kind) {
                    Some(ty) => self.want(written, scope, &ty),
                    None => self.expr(written, scope, None),
                };
                if typed.is_poison() {
                    return Given::Bad;
                }
                if kind == Kind::Hits && !is_hits(&typed.ty) {
                    let message = format!(
                        "`{}` is a list of documents with `text` and `score`, found {}",
                        param.name, typed.ty
                    );
                    self.report(
                        Diagnostic::error(codes::TYPE_MISMATCH, written.span, message)
                            .help("such lists come from `retrieve` and `search`"),
                    );
                    return Given::Bad;
                }
                if typed.value().is_some_and(|value| !self.in_range(param, value, written.span)) {
                    return Given::Bad;
                }
                Given::Expr(typed)
            }
        }
    }

    fn index_argument(&mut self, written: &ast::Expr) -> Given {
        let ExprKind::Name(name) = &written.kind else {
            let message = "an index is needed here";
            self.report(
                Diagnostic::error(codes::WRONG_DECLARATION, written.span, message)
                    .help("give the name of a declared `index`"),
            );
            return Given::Bad;
        };
        if let Some(at) = self.index_names.iter().position(|known| known == name) {
            self.used.insert(name.clone());
            let Some(index) = &self.indexes[at] else { return Given::Bad };
            return Given::Index(at, Type::Record(index.record.clone()));
        }
        let known = self.index_names.clone();
        let declare = format!("index {name}: Doc from jsonl(\"docs.jsonl\")");
        let name = ast::Name { text: name.clone(), span: written.span };
        self.wrong_reference(&name, "index", &known, &declare);
        Given::Bad
    }

    /// A constant for a parameter or option. `resolve` joins paths with the folder of the file.
    pub(crate) fn setting(
        &mut self,
        param: &Param,
        written: &ast::Expr,
        scope: &Scope<'_>,
        resolve: bool,
    ) -> Option<Value> {
        if matches!(written.kind, ExprKind::Literal(Value::Null)) && param.default == Some("null") {
            return Some(Value::Null);
        }
        match param.kind {
            Kind::Word(words) => self.word(param, words, written, scope),
            Kind::Distribution => self.distribution(written, scope),
            Kind::Secret => self.secret(param.name, written).map(Value::String),
            Kind::Path | Kind::Paths => {
                if self.bare_path(written) || self.list_of_paths(written) {
                    return None;
                }
                let Value::String(path) = self.constant(written, scope, &Type::String)? else {
                    return None;
                };
                let base = self.input.sources.path(written.span);
                let path = if resolve { crate::path::resolve(base, &path) } else { path };
                Some(Value::String(path))
            }
            Kind::Index | Kind::Hits | Kind::Documents => {
                self.report(Diagnostic::error(
                    codes::NOT_CONSTANT,
                    written.span,
                    format!("`{}` cannot be given here", param.name),
                ));
                None
            }
            // A bare word may mean something to whoever reads the option.
            Kind::Any if self.is_bare_word(written) => match &written.kind {
                ExprKind::Name(name) => Some(Value::Call { name: name.clone(), args: Vec::new() }),
                _ => None,
            },
            kind => {
                self.warn_of_key(param.name, written);
                let ty = type_of(kind).unwrap_or(Type::Unknown);
                if ty == Type::String && self.bare_text(param, written) {
                    return None;
                }
                let value = self.constant(written, scope, &ty)?;
                self.in_range(param, &value, written.span).then_some(value)
            }
        }
    }

    fn is_bare_word(&self, written: &ast::Expr) -> bool {
        matches!(&written.kind, ExprKind::Name(name) if !self.names.values.contains_key(name.as_str()))
    }

    fn word(
        &mut self,
        param: &Param,
        words: &[&str],
        written: &ast::Expr,
        scope: &Scope<'_>,
    ) -> Option<Value> {
        let given = match &written.kind {
            ExprKind::Name(name) if words.contains(&name.as_str()) => name.clone(),
            ExprKind::Name(name)
                if !matches!(self.names.values.get(name.as_str()), Some((_, Decl::Param(_)))) =>
            {
                name.clone()
            }
            _ => match self.constant(written, scope, &Type::Unknown)? {
                Value::String(text) => text,
                other => crate::literal::show(&other),
            },
        };
        if words.is_empty() || words.contains(&given.as_str()) {
            return Some(Value::String(given));
        }
        let help = did_you_mean(&given, words.iter().copied())
            .unwrap_or_else(|| format!("it is one of {}", suggest::list(words.iter().copied())));
        let message = format!("`{}` does not take `{given}`", param.name);
        self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message).help(help));
        None
    }

    /// Constants for all parameters of a call to a source, sink or policy.
    #[expect(clippy::type_complexity, reason = "two lists of named values")]
    pub(crate) fn settings(
        &mut self,
        call: &ast::Call,
        signature: &Signature,
        record: &[(&str, Type)],
        resolve: bool,
    ) -> Option<(Vec<(String, Value)>, Vec<(String, Value)>)> {
        let fields: Vec<&str> = record.iter().map(|(name, _)| *name).collect();
        let (found, extra) = self.assign(call, signature, &fields)?;
        let mut values = Vec::new();
        let mut good = true;
        for (param, given) in signature.params.iter().zip(found) {
            let value = if given.is_empty() {
                self.default(param, call.span)
            } else if param.kind == Kind::Paths {
                let paths: Vec<Value> = given
                    .iter()
                    .filter_map(|path| self.setting(param, path, &Scope::constant(), resolve))
                    .collect();
                (paths.len() == given.len()).then_some(Value::List(paths))
            } else {
                self.setting(param, given[0], &Scope::constant(), resolve)
            };
            good &= value.is_some();
            values.extend(value.map(|value| (param.name.to_owned(), value)));
        }
        let mut filled = Vec::new();
        for (name, written) in extra {
            let ty = record.iter().find(|(field, _)| *field == name.text).map(|(_, ty)| ty.clone());
            // Text may be a template that makes a value of another type.
            let text = matches!(written.kind, ExprKind::Literal(Value::String(_)));
            let ty = if text { Type::String } else { ty.unwrap_or(Type::Unknown) };
            match self.constant(written, &Scope::constant(), &ty) {
                Some(value) => filled.push((name.text.clone(), value)),
                None => good = false,
            }
        }
        good.then_some((values, filled))
    }

    /// The default of a parameter as a constant.
    pub(crate) fn default(&mut self, param: &Param, span: Span) -> Option<Value> {
        let text = param.default?;
        let Some(written) = default_expr(param, text, span) else {
            return Some(Value::String(text.to_owned()));
        };
        if matches!(written.kind, ExprKind::Literal(Value::Null)) {
            return Some(Value::Null);
        }
        self.setting(param, &written, &Scope::constant(), false)
    }
}

/// A default of the catalog as if it were written at `span`; `None` when it is plain text.
pub(crate) fn default_expr(param: &Param, text: &str, span: Span) -> Option<ast::Expr> {
    let mut written = if text.is_empty() { None } else { parse::expression(span.file, text) };
    let wants_text = matches!(param.kind, Kind::String | Kind::Address | Kind::Path | Kind::Paths);
    if let Some(expr) = &written {
        let plain = matches!(
            expr.kind,
            ExprKind::Literal(Value::String(_) | Value::Null)
                | ExprKind::List(_)
                | ExprKind::Own(Some(_))
        );
        if wants_text && !plain {
            written = None;
        }
    }
    let mut written = written?;
    written.span = span;
    Some(written)
}

/// The type that a kind stands for, where it stands for one.
pub(crate) fn type_of(kind: Kind) -> Option<Type> {
    Some(match kind {
        Kind::Int | Kind::Count(..) => Type::Int,
        Kind::Float => Type::Float,
        Kind::Bool => Type::Bool,
        Kind::String | Kind::Address | Kind::Path | Kind::Paths => Type::String,
        Kind::Duration => Type::Duration,
        Kind::Tokens => Type::Tokens,
        Kind::Size => Type::Size,
        Kind::Vector => Type::Vector(None),
        Kind::Hits
        | Kind::Index
        | Kind::Documents
        | Kind::Any
        | Kind::Word(_)
        | Kind::Distribution
        | Kind::Secret => return None,
    })
}

fn is_hits(ty: &Type) -> bool {
    let Type::List(item) = ty else { return *ty == Type::Unknown };
    match item.as_ref() {
        Type::Unknown => true,
        Type::Record(record) => {
            let has =
                |name, ty: &Type| record.field(name).is_some_and(|(_, field)| fits(&field.ty, ty));
            has("text", &Type::String) && has("score", &Type::Float)
        }
        _ => false,
    }
}

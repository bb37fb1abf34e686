//! Calls inside of expressions: user functions, built-in functions, prompts, `env`.

use super::fit::{convert, fits, narrowed, unify};
use super::names::Decl;
use super::typed::{Shape, Typed};
use super::{Checker, Lazy, Place, Scope};
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::functions::{self, FunctionSpec, Yield};
use crate::plan::{Expr, Function};
use crate::span::Span;
use crate::time;
use crate::types::{Type, Value};

/// A checked user function, ready to be inlined. Parameters are the first slots.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    params: Vec<(String, Type)>,
    typed: Typed,
    slots: usize,
}

impl<'a> Checker<'a> {
    pub(crate) fn check_bodies(&mut self) {
        let names: Vec<&'a str> = self.names.values.keys().copied().collect();
        for name in names {
            if let Some((_, Decl::Fn(def))) = self.names.values.get(name).copied() {
                self.body(def, def.name.span);
            }
        }
    }

    fn body(&mut self, def: &'a ast::FnDef, from: Span) -> Option<Body> {
        let name = &def.name.text;
        match self.bodies.get(name) {
            Some(Lazy::Done(body)) => return body.clone(),
            Some(Lazy::Busy) => {
                let message = format!("`{name}` calls itself");
                self.report(
                    Diagnostic::error(codes::RECURSION, def.name.span, message)
                        .also(from, "by this call")
                        .help("functions are expressions that are put in place; there is no recursion"),
                );
                return None;
            }
            None => {}
        }
        self.bodies.insert(name.clone(), Lazy::Busy);
        let body = self.nested(|this| this.check_body(def));
        if body.is_none() {
            self.too_nested(def.name.span, "functions");
        }
        let body = body.flatten();
        self.bodies.insert(name.clone(), Lazy::Done(body.clone()));
        body
    }

    fn check_body(&mut self, def: &'a ast::FnDef) -> Option<Body> {
        let mut params: Vec<(String, Type)> = Vec::new();
        for param in &def.params {
            let ty = self.ty(&param.ty);
            if params.iter().any(|(name, _)| *name == param.name.text) {
                let message = format!("parameter `{}` is given twice", param.name.text);
                self.report(Diagnostic::error(codes::TWICE, param.name.span, message));
            }
            params.push((param.name.text.clone(), ty));
        }
        let before = self.diagnostics.len();
        self.slots = params.len();
        let scope = Scope { locals: &params, place: Place::Function, ..Scope::constant() };
        let typed = match &def.result {
            Some(result) => {
                let result = self.ty(result);
                let typed = self.want(&def.body, &scope, &result);
                Typed { ty: result, ..typed }
            }
            None => self.expr(&def.body, &scope, None),
        };
        let slots = self.slots;
        (!self.wrong_since(before)).then_some(Body { params, typed, slots })
    }

    /// A call that is part of an expression.
    pub(crate) fn call(&mut self, call: &ast::Call, scope: &Scope<'_>) -> Typed {
        let name = call.name.text.as_str();
        match self.names.values.get(name).copied() {
            Some((_, Decl::Fn(def))) => {
                self.used.insert(name.to_owned());
                return self.user_call(call, def, scope);
            }
            Some((_, Decl::Prompt(prompt))) => {
                self.used.insert(name.to_owned());
                return self.prompt_call(call, prompt, scope);
            }
            _ => {}
        }
        if name == "env" {
            return self.env_call(call, scope);
        }
        if let Some(spec) = functions::find(name) {
            return self.built_in(call, spec, scope);
        }
        if self.input.catalog.stage(name).is_some() {
            let message = format!("`{name}` is a stage; a stage call must stand alone");
            self.report(
                Diagnostic::error(codes::STAGE_INSIDE, call.name.span, message)
                    .help(format!("write `stage x = {name}(...)` before, and use `x` here")),
            );
            return Typed::poison();
        }
        self.unknown_call(call, scope);
        // Arguments may have mistakes of their own.
        for arg in &call.args {
            self.expr(&arg.value, scope, None);
        }
        Typed::poison()
    }

    fn user_call(&mut self, call: &ast::Call, def: &'a ast::FnDef, scope: &Scope<'_>) -> Typed {
        let Some(body) = self.body(def, call.span) else {
            for arg in &call.args {
                self.expr(&arg.value, scope, None);
            }
            return Typed::poison();
        };
        let names: Vec<&str> = body.params.iter().map(|(name, _)| name.as_str()).collect();
        let Some(args) = self.match_args(call, &names) else { return Typed::poison() };
        let args: Vec<Typed> =
            args.iter().zip(&body.params).map(|(arg, (_, ty))| self.want(arg, scope, ty)).collect();
        let shape = Shape::of_all(&args).under(4).and(body.typed.shape.under(2));
        if !self.bounded(call.span, shape) {
            return Typed::poison();
        }
        let base = self.slots;
        self.slots += body.slots;
        let inner = rebase(&body.typed.expr, base);
        let expr = if args.is_empty() {
            inner
        } else {
            let bindings =
                args.into_iter().enumerate().map(|(n, arg)| (base + n, arg.expr)).collect();
            Expr::Let(bindings, Box::new(inner))
        };
        self.node(call.span, expr, body.typed.ty, shape)
    }

    fn built_in(&mut self, call: &ast::Call, spec: &FunctionSpec, scope: &Scope<'_>) -> Typed {
        let args: Vec<Typed> =
            call.args.iter().map(|arg| self.expr(&arg.value, scope, None)).collect();
        if let Some(name) = call.args.iter().find_map(|arg| arg.name.as_ref()) {
            let message = "arguments of built-in functions have no names";
            self.report(
                Diagnostic::error(codes::UNKNOWN_ARGUMENT, name.span, message).help(spec.signature),
            );
            return Typed::poison();
        }
        if args.len() != spec.takes.len() {
            let few = args.len() < spec.takes.len();
            let code = if few { codes::MISSING_ARGUMENT } else { codes::TOO_MANY_ARGUMENTS };
            let message =
                format!("`{}` takes {}, found {}", spec.name, spec.takes.len(), args.len());
            self.report(Diagnostic::error(code, call.span, message).help(spec.signature));
            return Typed::poison();
        }
        let mut good = true;
        for ((arg, typed), accept) in call.args.iter().zip(&args).zip(spec.takes) {
            if !accept.accepts(&typed.ty) {
                good = false;
                let message =
                    format!("`{}` takes {} here, found {}", spec.name, accept.name(), typed.ty);
                let help = match &typed.ty {
                    Type::Optional(_) => format!("it may be null: {}", spec.signature),
                    _ => spec.signature.to_owned(),
                };
                self.report(
                    Diagnostic::error(codes::TYPE_MISMATCH, arg.value.span, message).help(help),
                );
            }
        }
        if !good {
            return Typed::poison();
        }
        if spec.function == Function::Time && !self.good_time(call, &args) {
            return Typed::poison();
        }
        let args = if spec.function == Function::Union { alike(args) } else { args };
        let Some(ty) = self.result_type(call, spec, &args) else { return Typed::poison() };
        let shape = Shape::of_all(&args).under(2);
        let args = args
            .into_iter()
            .map(|arg| {
                if ty == Type::Float && spec.gives == Yield::Common {
                    convert(arg, &ty)
                } else {
                    arg
                }
            })
            .map(|arg| arg.expr)
            .collect();
        self.node(call.span, Expr::Call(spec.function, args), ty, shape)
    }

    /// Whether the constant text of a `time(...)` is one; says so if not. Other texts are read when
    /// their record is.
    fn good_time(&mut self, call: &ast::Call, args: &[Typed]) -> bool {
        let [arg] = args else { return true };
        let Some(Value::String(text)) = arg.value() else { return true };
        let Err(expected) = time::parse(text) else { return true };
        let span = call.args.first().map_or(call.span, |arg| arg.value.span);
        let text: String = text.chars().take(40).collect();
        let message = format!("expected {expected}, found `{text}`");
        self.report(Diagnostic::error(codes::BAD_TIME, span, message).help(
            "a time is a date alone or with a time of day, which is UTC unless an offset such as \
             `+01:00` stands behind it",
        ));
        false
    }

    fn result_type(
        &mut self,
        call: &ast::Call,
        spec: &FunctionSpec,
        args: &[Typed],
    ) -> Option<Type> {
        let first = args.first().map_or(&Type::Unknown, |arg| &arg.ty);
        Some(match spec.gives {
            Yield::Int => Type::Int,
            Yield::Bool => Type::Bool,
            Yield::Text => Type::String,
            Yield::Texts => Type::List(Box::new(Type::String)),
            Yield::Tokens => Type::Tokens,
            Yield::Float => Type::Float,
            Yield::Time => Type::Time,
            Yield::Common if matches!(spec.function, Function::Slice) => first.clone(),
            Yield::Common => {
                let mut common = first.clone();
                for arg in &args[1.min(args.len())..] {
                    let Some(both) = unify(&common, &arg.ty) else {
                        let message = format!(
                            "`{}` takes two of one type, found {common} and {}",
                            spec.name, arg.ty
                        );
                        self.report(
                            Diagnostic::error(codes::TYPE_MISMATCH, call.span, message)
                                .help(spec.signature),
                        );
                        return None;
                    };
                    common = both;
                }
                if common == Type::Percent { Type::Float } else { common }
            }
        })
    }

    /// `env("NAME", "default")`.
    fn env_call(&mut self, call: &ast::Call, scope: &Scope<'_>) -> Typed {
        let mut texts = Vec::new();
        for arg in &call.args {
            match &arg.value.kind {
                ExprKind::Literal(Value::String(text)) if arg.name.is_none() => texts.push(text),
                _ => {}
            }
        }
        let wrong = if scope.place != Place::Setting {
            Some("`env` may stand in the default of a param and in options of an endpoint only")
        } else if texts.len() != call.args.len() || texts.is_empty() || texts.len() > 2 {
            Some("`env` takes the name of a variable and a default, both strings")
        } else {
            None
        };
        if let Some(message) = wrong {
            self.report(Diagnostic::error(codes::BAD_ENV, call.span, message).help(
                "as in `param url: string = env(\"SAGE_LLM_URL\", \"sim:a100/qwen2.5-7b\")`",
            ));
            return Typed::poison();
        }
        self.warn_of_secret(texts[0], call);
        let value = (self.input.env)(texts[0]).or_else(|| texts.get(1).map(|text| (*text).clone()));
        let Some(value) = value else {
            let message = format!("the variable `{}` is not set and has no default", texts[0]);
            self.report(
                Diagnostic::error(codes::BAD_ENV, call.span, message)
                    .help(format!("set it, or write `env({:?}, \"default\")`", texts[0])),
            );
            return Typed::poison();
        };
        Typed::constant(Value::String(value), Type::String)
    }

    /// A prompt with its arguments filled in.
    fn prompt_call(
        &mut self,
        call: &ast::Call,
        prompt: &'a ast::Prompt,
        scope: &Scope<'_>,
    ) -> Typed {
        let Some(found) = self.prompts.get(&prompt.name.text).cloned() else {
            return Typed::poison();
        };
        let names: Vec<&str> = found.params.iter().map(|(name, _)| name.as_str()).collect();
        let Some(args) = self.match_args(call, &names) else { return Typed::poison() };
        let mut values = Vec::new();
        for (arg, (_, ty)) in args.iter().zip(&found.params) {
            let typed = self.expr(arg, scope, Some(ty));
            let printable = matches!(typed.ty, Type::Int | Type::Float | Type::Bool | Type::Tokens);
            let typed = if *ty == Type::String && printable {
                let shape = typed.shape.under(2);
                self.node(
                    arg.span,
                    Expr::Call(Function::ToString, vec![typed.expr]),
                    Type::String,
                    shape,
                )
            } else if fits(&typed.ty, ty) {
                convert(typed, ty)
            } else {
                self.mismatch(arg, &typed, ty);
                Typed::poison()
            };
            values.push(typed);
        }
        let shape = Shape::of_all(&values).under(2);
        let values = values.into_iter().map(|value| value.expr).collect();
        self.node(call.span, Expr::Template(found.template, values), Type::String, shape)
    }
}

/// Two lists of records of which one has all fields of the other: the longer records lose the rest.
fn alike(mut args: Vec<Typed>) -> Vec<Typed> {
    if let [a, b] = args.as_mut_slice()
        && unify(&a.ty, &b.ty).is_none()
    {
        if let Some(narrow) = narrowed(b, &a.ty) {
            *b = narrow;
        } else if let Some(narrow) = narrowed(a, &b.ty) {
            *a = narrow;
        }
    }
    args
}

/// A body with its slots moved up by `base`.
fn rebase(expr: &Expr, base: usize) -> Expr {
    let mut copy = expr.clone();
    crate::lower::visit_mut(&mut copy, &mut |node| match node {
        Expr::Local(slot) => *slot += base,
        Expr::Let(bindings, _) => bindings.iter_mut().for_each(|(slot, _)| *slot += base),
        _ => {}
    });
    copy
}

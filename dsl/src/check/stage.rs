//! One stage: a call of the catalog with its endpoint and options, or a plain expression.

use std::collections::BTreeMap;

use super::argument::{Given, default_expr};
use super::endpoint::EndpointRef;
use super::fit::{fits, nullable};
use super::names::Decl;
use super::step::one_line;
use super::typed::Typed;
use super::{Checker, Scope};
use crate::ast::{self, ExprKind};
use crate::catalog::{EndpointUse, Kind, Param, StageClass, StageSpec};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::functions;
use crate::lower;
use crate::plan::{Argument, StagePlan, Written};
use crate::span::Span;
use crate::types::{Type, Value};

/// A checked stage; without a plan when it is broken and only its name counts.
pub(crate) struct Checked {
    pub(crate) ty: Type,
    pub(crate) plan: Option<StagePlan>,
}

impl Checker<'_> {
    /// Checks a stage that will fill column `column`.
    pub(crate) fn stage(
        &mut self,
        stage: &ast::Stage,
        column: usize,
        scope: &Scope<'_>,
    ) -> Checked {
        if let ExprKind::Call(call) = &stage.value.kind {
            let name = call.name.text.as_str();
            let declared =
                matches!(self.names.values.get(name), Some((_, Decl::Fn(_) | Decl::Prompt(_))));
            if !declared {
                if let Some(spec) = self.input.catalog.stage(name) {
                    return self.stage_call(stage, call, spec, column, scope);
                }
                if functions::find(name).is_none() && name != "env" {
                    self.unknown_call(call, scope);
                    return Checked { ty: Type::Unknown, plan: None };
                }
            }
        }
        self.map(stage, column, scope)
    }

    /// A plain expression.
    fn map(&mut self, stage: &ast::Stage, column: usize, scope: &Scope<'_>) -> Checked {
        self.slots = 0;
        let declared = stage.ty.as_ref().map(|ty| self.ty(ty));
        let typed = match &declared {
            Some(ty) => self.want(&stage.value, scope, ty),
            None => self.expr(&stage.value, scope, None),
        };
        if let Some(on) = &stage.on {
            self.no_endpoint(on, "a plain expression");
        }
        let spec = self.input.catalog.stage("map");
        let options =
            self.options(&stage.block, spec.map_or(&[], |spec| spec.options), "an expression");
        if typed.is_poison() {
            return Checked { ty: Type::Unknown, plan: None };
        }
        // Of a null by itself only that is known: it may be null.
        let null = matches!(stage.value.kind, ExprKind::Literal(Value::Null));
        let ty = if null { nullable(typed.ty) } else { typed.ty };
        let reads = lower::columns_read(&typed.expr);
        let plan = StagePlan {
            name: stage.name.text.clone(),
            kind: "map".to_owned(),
            column,
            ty: ty.clone(),
            args: vec![("value".to_owned(), Argument::Expr(typed.expr))],
            texts: Written(BTreeMap::from([(
                "value".to_owned(),
                one_line(self.input.sources.text(stage.value.span)),
            )])),
            endpoint: None,
            options,
            reads,
            when: None,
            turns: Vec::new(),
            sends: None,
            class: StageClass::Cheap,
            calls: EndpointUse::None,
            line: self.line(stage.span),
        };
        Checked { ty, plan: Some(plan) }
    }

    fn stage_call(
        &mut self,
        stage: &ast::Stage,
        call: &ast::Call,
        spec: &'static StageSpec,
        column: usize,
        scope: &Scope<'_>,
    ) -> Checked {
        let before = self.diagnostics.len();
        let mut broken = Checked { ty: Type::Unknown, plan: None };
        if self.endpoint_as_argument(call) {
            return broken;
        }
        let found = self.assign(call, &spec.signature, &[]);
        let endpoint = self.on(stage, spec);
        let options =
            self.options(&stage.block, spec.options, &format!("stage `{}`", stage.name.text));
        let Some((found, _)) = found else {
            // The arguments may have mistakes of their own.
            for arg in &call.args {
                self.slots = 0;
                let is_index = matches!(&arg.value.kind, ExprKind::Name(name) if self.index_names.contains(name));
                if !is_index {
                    self.expr(&arg.value, scope, None);
                }
            }
            return broken;
        };
        let (mut types, mut unclear) = (Vec::new(), false);
        let (mut args, mut texts) = (Vec::new(), BTreeMap::new());
        let mut sends = None;
        let mut good = true;
        for (param, given) in spec.signature.params.iter().zip(found) {
            let default;
            let (written, present) = if let Some(written) = given.first() {
                (Some(*written), true)
            } else {
                default = param.default.and_then(|text| default_expr(param, text, call.span));
                (default.as_ref(), false)
            };
            let plain = || {
                let value =
                    param.default.map_or(Value::Null, |text| Value::String(text.to_owned()));
                Argument::Expr(crate::plan::Expr::Literal(value))
            };
            let (argument, ty) = match written {
                None => (plain(), Type::Unknown),
                // A default of `null` means "not given", whatever the kind.
                Some(expr) if !present && matches!(expr.kind, ExprKind::Literal(Value::Null)) => {
                    (Argument::Expr(crate::plan::Expr::Literal(Value::Null)), Type::Unknown)
                }
                Some(expr) => match self.argument_after(param, expr, scope, &args) {
                    Given::Expr(typed) => {
                        good &= self.command_is_known(spec, param, expr.span, &typed);
                        if spec.calls.leaves() && param.kind == Kind::Any {
                            sends = Some(typed.ty.clone());
                        }
                        (Argument::Expr(typed.expr), typed.ty)
                    }
                    Given::Index(at, ty) => (Argument::Index(at), ty),
                    Given::Bad => {
                        good = false;
                        continue;
                    }
                },
            };
            if let Some(expr) = written.filter(|_| present) {
                let text = one_line(self.input.sources.text(expr.span));
                texts.insert(param.name.to_owned(), text);
            }
            unclear |= present && ty == Type::Unknown;
            types.push(if present { ty } else { Type::Unknown });
            args.push((param.name.to_owned(), argument));
        }
        if !good {
            return broken;
        }
        self.pieces(call, &args);
        let ty = match (spec.result)(&types) {
            Ok(ty) => ty,
            // What it is has been said where it is wrong.
            Err(_) if unclear => return broken,
            Err(message) => {
                self.report(Diagnostic::error(codes::BAD_STAGE, call.span, message));
                return broken;
            }
        };
        if spec.calls == EndpointUse::Generate && self.asks_unread(call) {
            return broken;
        }
        let structured = self.structured(spec.calls, call, &args);
        if let Some(answer) = &structured {
            self.room_for(answer, &options, stage);
        }
        let ty = structured.unwrap_or(ty);
        let ty = self.declared(stage, spec, ty);
        broken.ty = ty.clone();
        if self.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return broken;
        }
        let mut reads: Vec<usize> = args
            .iter()
            .flat_map(|(_, argument)| match argument {
                Argument::Expr(expr) => lower::columns_read(expr),
                Argument::Index(_) => Vec::new(),
            })
            .collect();
        reads.sort_unstable();
        reads.dedup();
        let plan = StagePlan {
            name: stage.name.text.clone(),
            kind: spec.signature.name.to_owned(),
            column,
            ty: ty.clone(),
            args,
            texts: Written(texts),
            endpoint,
            options,
            reads,
            when: None,
            turns: Vec::new(),
            sends,
            class: spec.class,
            calls: spec.calls,
            line: self.line(stage.span),
        };
        Checked { ty, plan: Some(plan) }
    }

    /// What is started must be known before the run; says so of a command that is not.
    fn command_is_known(
        &mut self,
        spec: &StageSpec,
        param: &Param,
        span: Span,
        given: &Typed,
    ) -> bool {
        let command = spec.calls == EndpointUse::Program && param.kind == Kind::String;
        if !command || given.is_poison() || given.value().is_some() {
            return true;
        }
        let (kind, name) = (spec.signature.name, param.name);
        let message = format!("the {name} of `{kind}` must be known before the run");
        self.report(Diagnostic::error(codes::NOT_CONSTANT, span, message).help(format!(
            "it comes first, a string or a param; what is computed for each record stands behind it: \
             {}",
            spec.signature.example
        )));
        false
    }

    /// The type of a stage's column where the program declares it. What a program of the machine
    /// answers with is known only so; of the others it is merely compared.
    fn declared(&mut self, stage: &ast::Stage, spec: &StageSpec, ty: Type) -> Type {
        let Some(written) = &stage.ty else { return ty };
        if spec.calls.leaves() {
            let web = spec.calls == EndpointUse::Http;
            return self.answer(written, if web { "a server" } else { "a program" });
        }
        let declared = self.ty(written);
        if !fits(&ty, &declared) || !fits(&declared, &ty) {
            let kind = spec.signature.name;
            let help = if spec.calls == EndpointUse::Generate {
                format!(
                    "the type of an answer is that of its prompt: `prompt p(...) -> {declared}`"
                )
            } else {
                format!("leave the type out, or write `{ty}`")
            };
            let message = format!("expected {declared}, found {ty}");
            self.report(
                Diagnostic::error(codes::TYPE_MISMATCH, written.span, message)
                    .label(format!("`{kind}` makes {ty}"))
                    .help(help),
            );
        }
        ty
    }

    /// The endpoint of a stage, as far as it calls one.
    fn on(&mut self, stage: &ast::Stage, spec: &StageSpec) -> Option<usize> {
        let kind = spec.signature.name;
        match (&stage.on, spec.calls) {
            (Some(on), EndpointUse::None | EndpointUse::Program | EndpointUse::Http) => {
                self.no_endpoint(on, &format!("`{kind}`"));
                None
            }
            (Some(on), _) => {
                let EndpointRef(at) = self.endpoint_ref(on);
                at
            }
            (None, EndpointUse::Generate) => {
                let name = self.endpoints.first().map_or("llm", |plan| plan.name.as_str());
                let help = format!("write `{kind}(...) on {name}`");
                let message = format!("`{kind}` calls an endpoint, but none is given");
                self.report(
                    Diagnostic::error(codes::ENDPOINT_NEEDED, stage.value.span, message)
                        .fix(stage.value.span.after(), format!(" on {name}"))
                        .help(help),
                );
                None
            }
            (None, _) => None,
        }
    }

    fn no_endpoint(&mut self, on: &ast::Name, what: &str) {
        let calling: Vec<&str> = self
            .input
            .catalog
            .stages
            .iter()
            .filter(|spec| matches!(spec.calls, EndpointUse::Generate | EndpointUse::Embed))
            .map(|spec| spec.signature.name)
            .collect();
        let message = format!("{what} calls no endpoint");
        self.report(Diagnostic::error(codes::NO_ENDPOINT, on.span, message).help(format!(
            "remove `on {}`; endpoints are called by {}",
            on.text,
            crate::suggest::list(calling)
        )));
        self.used.insert(on.text.clone());
    }
}

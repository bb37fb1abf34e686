//! `join source on key == source.field`: the record of another source beside each row.

use super::Checker;
use super::body::{Body, Level, Open};
use super::fit::{optional, required};
use super::step::one_line;
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{BinaryOp, JoinPlan, RelationStep, SourcePlan};
use crate::span::Span;
use crate::types::Type;

impl<'a> Checker<'a> {
    pub(super) fn join_step(&mut self, join: &'a ast::Join, level: &mut Level, body: &mut Body) {
        if !self.relates_here("join", join.span, level) {
            return;
        }
        if body.relation.is_none() {
            body.begin_with_all(level);
        }
        (level.emitted, level.open) = (None, vec![Open::Flow]);
        let name = &join.source;
        self.free_name(name, "the record is a column with the name of its source", body);
        let found = self.joined(join, body);
        let record = found.as_ref().map_or(Type::Unknown, |plan| {
            let record = Type::Record(plan.source.record.clone());
            if join.left { optional(record) } else { record }
        });
        body.add(&name.text, name.text.clone(), name.span, record);
        if let Some(plan) = found {
            body.relate(RelationStep::Join(Box::new(plan)));
        }
    }

    fn joined(&mut self, join: &'a ast::Join, body: &Body) -> Option<JoinPlan> {
        let source = self.source_to_join(&join.source)?;
        let form = format!("write `join {0} on .key == {0}.field`", source.name);
        let wrong = |this: &mut Self, span: Span, message: String, help: String| {
            this.report(Diagnostic::error(codes::BAD_JOIN, span, message).help(help));
            None
        };
        if let "stdin" | "http" | "http_get" | "kafka" = source.kind.as_str() {
            let what = match source.kind.as_str() {
                "stdin" => "the standard input",
                "http" => "a service",
                "http_get" => "what a server has",
                _ => "a topic",
            };
            let message = format!("{what} cannot be joined");
            let help = "what is joined is read when the run begins; give it as a file".to_owned();
            return wrong(self, join.source.span, message, help);
        }
        let ExprKind::Binary(BinaryOp::Eq, key, other) = &join.on.kind else {
            let message = "a join compares a key with a field of the source by `==`".to_owned();
            return wrong(self, join.on.span, message, form);
        };
        let field = match &other.kind {
            ExprKind::Field(inner, field) if matches!(&inner.kind, ExprKind::Name(name) if *name == source.name) => {
                field
            }
            _ => {
                let message = format!("on the right of `==` stands a field of `{}`", source.name);
                return wrong(self, other.span, message, form);
            }
        };
        let Some((at, found)) = source.record.field(&field.text) else {
            let names = source.record.fields.iter().map(|field| field.name.as_str());
            let help = crate::suggest::did_you_mean(&field.text, names).unwrap_or(form);
            let message = format!("{} has no field `{}`", source.record.name, field.text);
            return wrong(self, field.span, message, help);
        };
        self.slots = 0;
        let typed = self.expr(key, &body.scope(), Some(&found.ty));
        if typed.is_poison() {
            return None;
        }
        if required(&typed.ty) != required(&found.ty) {
            let message = format!("the key is {}, and `{}` is {}", typed.ty, field.text, found.ty);
            return wrong(self, join.on.span, message, "both sides have one type".to_owned());
        }
        let text = one_line(self.input.sources.text(join.span));
        let line = self.line(join.span);
        Some(JoinPlan { on: typed.expr, field: at, left: join.left, text, line, source })
    }

    fn source_to_join(&mut self, name: &ast::Name) -> Option<SourcePlan> {
        if let Some(found) = self.streams.get(&name.text) {
            self.used.insert(name.text.clone());
            return found.clone();
        }
        let known: Vec<String> = self.streams.keys().cloned().collect();
        let declare = format!("source {}: Type from csv(\"file.csv\")", name.text);
        self.wrong_reference(name, "source", &known, &declare);
        None
    }
}

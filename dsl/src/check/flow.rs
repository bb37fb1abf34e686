//! A flow: its steps in order, each over the columns before it.

use std::collections::BTreeSet;

use super::{Checker, Place, Scope};
use crate::ast::{self, Step};
use crate::catalog::EndpointUse;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::lower;
use crate::plan::{Column, FilterPlan, Node, SchedulePlan, SourcePlan, columns_of};
use crate::span::Span;

/// A checked flow before its nodes are put in order.
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) summary: Option<String>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) columns: Vec<Column>,
    pub(crate) schedule: SchedulePlan,
    /// Place of its `slo` block.
    pub(crate) slo: Option<Span>,
}

impl<'a> Checker<'a> {
    pub(crate) fn flow(&mut self, file: u32, flow: &'a ast::Flow) -> Option<Draft> {
        let source = self.source_of(flow);
        let record = source.as_ref().map(|source| source.record.clone());
        let own = record.as_ref().map_or(0, |record| record.fields.len());
        let mut columns: Vec<Column> =
            record.map(|record| columns_of(&record.fields)).unwrap_or_default();
        let mut nodes: Vec<Node> = source.clone().map(Node::Source).into_iter().collect();
        let key = source.as_ref().and_then(|source| source.key);
        let mut poisoned = flow.poisoned.clone();
        if source.is_none() {
            // Nothing is known of the record; `.field` of anything is let pass.
            poisoned.push("*".to_owned());
        }
        let mut stages: Vec<(&ast::Stage, EndpointUse)> = Vec::new();
        let mut emitted: Option<Span> = None;
        let mut read: BTreeSet<usize> = BTreeSet::new();
        for step in &flow.steps {
            let scope = Scope {
                columns: &columns,
                own,
                place: Place::Record,
                poisoned: &poisoned,
                ..Scope::constant()
            };
            match step {
                Step::From(..) => {}
                Step::Where(written) => {
                    if let Some(before) = emitted {
                        let message = "a `where` after an `emit`";
                        self.report(
                            Diagnostic::error(codes::WHERE_AFTER_EMIT, written.span, message)
                                .also(before, "records have left the flow here")
                                .help("move it up, or write the condition at the emits: `emit ... into sink if condition`"),
                        );
                    }
                    self.slots = 0;
                    let typed = self.condition(written, &scope);
                    read.extend(lower::columns_read(&typed.expr));
                    if !typed.is_poison() {
                        let text = one_line(self.input.sources.text(written.span));
                        nodes.push(Node::Filter(FilterPlan { predicate: typed.expr, text }));
                    }
                }
                Step::Stage(stage) => {
                    let name = &stage.name.text;
                    let field = columns[..own].iter().any(|column| column.name == *name);
                    if let Some((other, _)) =
                        stages.iter().find(|(other, _)| other.name.text == *name)
                    {
                        let message = format!("there is a stage `{name}` already");
                        self.report(
                            Diagnostic::error(codes::COLUMN_TAKEN, stage.name.span, message)
                                .also(other.name.span, "here"),
                        );
                    } else if field {
                        let message = format!("the record has a field `{name}` already");
                        self.report(
                            Diagnostic::error(codes::COLUMN_TAKEN, stage.name.span, message)
                                .help("a stage adds a column; give it a name of its own"),
                        );
                    }
                    let checked = self.stage(stage, columns.len(), &scope);
                    let calls = checked.plan.as_ref().map_or(EndpointUse::None, |plan| {
                        read.extend(&plan.reads);
                        if plan.endpoint.is_some() { plan.calls } else { EndpointUse::None }
                    });
                    stages.push((stage, calls));
                    columns.push(Column { name: name.clone(), ty: checked.ty });
                    nodes.extend(checked.plan.map(Node::Stage));
                }
                Step::Emit(emit) => {
                    emitted.get_or_insert(emit.span);
                    if let Some(plan) = self.emit(emit, &scope, key) {
                        for expr in plan.values.iter().chain(&plan.condition) {
                            read.extend(lower::columns_read(expr));
                        }
                        nodes.push(Node::Emit(plan));
                    }
                }
            }
        }
        if emitted.is_none() && !flow.broken {
            let message = format!("flow `{}` emits nothing", flow.name.text);
            self.report(
                Diagnostic::error(codes::NO_EMIT, flow.name.span, message)
                    .help("end it by `emit Type { field: value } into sink`"),
            );
        }
        let fields = Scope {
            columns: &columns[..own],
            own,
            place: Place::Record,
            poisoned: &poisoned,
            ..Scope::constant()
        };
        let block = self.names.schedule(file);
        let schedule = self.schedule(block, &fields, flow.name.span);
        if !self.failed() {
            for (at, (stage, calls)) in stages.iter().enumerate() {
                if *calls != EndpointUse::None && !read.contains(&(own + at)) {
                    let message =
                        format!("nothing reads `{}`, but each record pays for it", stage.name.text);
                    self.report(
                        Diagnostic::warning(codes::UNUSED_CALL, stage.name.span, message)
                            .help("remove the stage, or emit its result"),
                    );
                }
            }
        }
        source.as_ref()?;
        Some(Draft {
            name: flow.name.text.clone(),
            summary: self.summary(flow.name.span),
            nodes,
            columns,
            schedule,
            slo: self.names.slo(file).map(|slo| slo.span),
        })
    }

    fn source_of(&mut self, flow: &'a ast::Flow) -> Option<SourcePlan> {
        let mut from = flow.steps.iter().enumerate().filter_map(|(at, step)| match step {
            Step::From(name, block) => Some((at, name, block)),
            _ => None,
        });
        let Some((at, name, block)) = from.next() else {
            if !flow.broken {
                let message = format!("flow `{}` has no source", flow.name.text);
                self.report(
                    Diagnostic::error(codes::NO_SOURCE, flow.name.span, message)
                        .help("start it by `from source`"),
                );
            }
            return None;
        };
        if let Some((_, second, _)) = from.next() {
            let message = "a flow has one source";
            self.report(Diagnostic::error(codes::NO_SOURCE, second.span, message));
        }
        if at > 0 {
            let message = "`from` is the first step of a flow";
            self.report(Diagnostic::error(codes::MISPLACED, name.span, message));
        }
        self.options(block, &[], "`from`");
        if let Some(found) = self.streams.get(&name.text) {
            self.used.insert(name.text.clone());
            return found.clone();
        }
        let known: Vec<String> = self.streams.keys().cloned().collect();
        let declare = format!("source {}: Type from csv(\"file.csv\")", name.text);
        self.wrong_reference(name, "source", &known, &declare);
        None
    }

    /// First line of the doc comment above the declaration that `name` stands in.
    pub(crate) fn summary(&self, name: Span) -> Option<String> {
        let file = self.input.sources.files.get(name.file as usize)?;
        let before = &file.text[..name.start as usize];
        let above = before.rsplit_once('\n').map_or("", |(above, _)| above);
        let mut first = None;
        for line in above.lines().rev() {
            let Some(doc) = line.trim().strip_prefix("///") else { break };
            first = Some(doc.trim().to_owned());
        }
        first.filter(|line| !line.is_empty())
    }
}

/// Text with its line ends and indentation made single blanks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

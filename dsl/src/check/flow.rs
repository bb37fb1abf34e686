//! A flow: its source, its steps, and what can be said of the whole.

use super::body::{Body, Level, Open};
use super::feed::not_deleted;
use super::{Checker, Place, Scope};
use crate::ast::{self, Step};
use crate::catalog::EndpointUse;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{Column, Node, SchedulePlan, SourcePlan, columns_of};
use crate::span::Span;
use crate::types::Type;

/// Steps that are checked, those of loops once a round; and columns of a record, since each may be
/// one.
const MAX_CHECKED: usize = 2_000;

/// A checked flow before its nodes are put in order.
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) summary: Option<String>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) columns: Vec<Column>,
    pub(crate) schedule: SchedulePlan,
    /// Place of its `slo` block.
    pub(crate) slo: Option<Span>,
    /// Places of its `measure` blocks.
    pub(crate) measures: Vec<Span>,
}

impl<'a> Checker<'a> {
    pub(crate) fn flow(&mut self, file: u32, flow: &'a ast::Flow) -> Option<Draft> {
        let source = self.source_of(flow);
        let mut body = begun(source.as_ref(), flow);
        self.stages = stages_of(&flow.steps);
        let mut level = Level { open: vec![Open::Flow], ..Level::default() };
        level.guard = source.as_ref().and_then(|source| source.changes).map(not_deleted);
        self.steps(&flow.steps, &mut level, &mut body);
        if body.left == 0 {
            self.too_many_steps(flow.name.span, MAX_CHECKED);
        } else if !flow.broken {
            self.all_emit(flow, &level);
        }
        self.stages.clear();
        body.end_relation();
        let fields = Scope {
            columns: &body.columns[..body.own],
            own: body.own,
            place: Place::Record,
            poisoned: &body.poisoned,
            ..Scope::constant()
        };
        let block = self.names.schedule(file);
        let schedule = self.schedule(block, &fields, flow.name.span);
        self.names_differ(&body);
        if !self.failed() {
            self.warn_unread(&body);
        }
        source.as_ref()?;
        let Body { mut columns, measured, mut nodes, own, .. } = body;
        for (column, (name, _)) in columns.iter_mut().zip(&measured).skip(own) {
            column.name.clone_from(name);
        }
        for node in &mut nodes {
            if let Node::Stage(stage) = node {
                stage.name.clone_from(&columns[stage.column].name);
            }
        }
        Some(Draft {
            name: flow.name.text.clone(),
            summary: self.summary(flow.name.span),
            nodes,
            columns,
            schedule,
            slo: self.names.slo(file).map(|slo| slo.span),
            measures: self.names.measures(file),
        })
    }

    /// Every path through the flow comes to an `emit`.
    fn all_emit(&mut self, flow: &ast::Flow, level: &Level) {
        let nothing = || {
            let message = format!("flow `{}` emits nothing", flow.name.text);
            Diagnostic::error(codes::NO_EMIT, flow.name.span, message)
                .help("end it by `emit Type { field: value } into sink`")
        };
        if level.emitted.is_none() && !level.open.is_empty() {
            self.report(nothing());
            return;
        }
        for open in &level.open {
            let diagnostic = match open {
                Open::Flow => nothing(),
                Open::Arm(span) => {
                    let message = "the records of this arm come to no `emit`";
                    Diagnostic::error(codes::NO_EMIT, *span, message).help(
                        "emit them in the arm or after the route; `where false` in it says that they are left out",
                    )
                }
            };
            self.report(diagnostic);
        }
    }

    /// Stages of different arms and rounds are told apart in the figures.
    fn names_differ(&mut self, body: &Body) {
        let mut known = std::collections::BTreeMap::new();
        for (name, span) in body.measured.iter().skip(body.own) {
            let Some(before) = known.insert(name, *span).filter(|before| before != span) else {
                continue;
            };
            // Names in sight of each other were reported where the second stands.
            let both = self.diagnostics.iter().any(|found| {
                found.code == codes::COLUMN_TAKEN && found.labels.iter().any(|it| it.span == *span)
            });
            if !both {
                let message = format!("there is a stage `{name}` already");
                self.report(
                    Diagnostic::error(codes::COLUMN_TAKEN, *span, message)
                        .also(before, "here")
                        .help("the figures of a run tell stages by name; give it another"),
                );
            }
        }
    }

    fn warn_unread(&mut self, body: &Body) {
        let mut told: Vec<Span> = Vec::new();
        for made in body.made.iter().filter(|made| made.calls != EndpointUse::None) {
            let span = made.name.span;
            // A stage of a loop has a column each round, and is read if one of them is.
            let mut same = body.made.iter().filter(|other| other.name.span == span);
            if told.contains(&span) || same.any(|other| body.read.contains(&other.column)) {
                continue;
            }
            told.push(span);
            let name = &made.name.text;
            let message = format!("nothing reads `{name}`, but each record pays for it");
            self.report(
                Diagnostic::warning(codes::UNUSED_CALL, span, message)
                    .help("remove the stage, or emit its result"),
            );
        }
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
            let found = found.clone();
            if let Some(source) = &found {
                self.see(name.span, &Type::Record(source.record.clone()));
            }
            return found;
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

/// Names that the steps give, those of arms and loops among them.
fn stages_of(steps: &[Step]) -> Vec<ast::Name> {
    let mut names = Vec::new();
    for step in steps {
        match step {
            Step::Stage(stage) => names.push(stage.name.clone()),
            Step::Route(route) => {
                names.extend(route.arms.iter().flat_map(|arm| stages_of(&arm.steps)));
            }
            Step::Loop(repeat) => names.extend(stages_of(&repeat.steps)),
            _ => {}
        }
    }
    names
}

/// What is known of a flow before its first step.
fn begun(source: Option<&SourcePlan>, flow: &ast::Flow) -> Body {
    let columns = source.map(|source| columns_of(&source.record.fields)).unwrap_or_default();
    let mut poisoned = flow.poisoned.clone();
    if source.is_none() {
        // Nothing is known of the record; `.field` of anything is let pass.
        poisoned.push("*".to_owned());
    }
    Body {
        own: columns.len(),
        measured: columns.iter().map(|it| (it.name.clone(), flow.name.span)).collect(),
        columns,
        nodes: source.cloned().map(Node::Source).into_iter().collect(),
        key: source.and_then(|source| source.key),
        poisoned,
        made: Vec::new(),
        read: std::collections::BTreeSet::new(),
        hidden: Vec::new(),
        pending: Vec::new(),
        left: MAX_CHECKED,
        relation: None,
        began: None,
        conditions: Vec::new(),
        feed: source.filter(|source| source.changes.is_some()).and_then(|source| source.key),
    }
}

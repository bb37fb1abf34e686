//! Names in the steps of a flow: what each gives a name to, and what it reads.

use super::SymbolKind;
use super::walk::{Around, Walk};
use crate::ast::{self, ExprKind, Step};

impl<'a> Walk<'a> {
    pub(super) fn announce_steps(&mut self, flow: &'a str, steps: &'a [Step]) {
        for step in steps {
            match step {
                Step::Stage(stage) => {
                    self.columns.insert((flow, &stage.name.text));
                }
                Step::Carry(carry) => {
                    self.columns.insert((flow, &carry.name.text));
                }
                Step::Route(route) => {
                    route.arms.iter().for_each(|arm| self.announce_steps(flow, &arm.steps));
                }
                Step::Loop(repeat) => self.announce_steps(flow, &repeat.steps),
                Step::Group(group) => {
                    let keys = group.keys.iter().filter_map(|key| key.name.as_ref());
                    let names = keys.chain(group.aggregates.entries.iter().map(|it| &it.key));
                    let start = group.span.start;
                    self.grouped.extend(names.map(|name| ((flow, name.text.as_str()), start)));
                }
                Step::FlatMap(name, _) => {
                    self.columns.insert((flow, &name.text));
                }
                Step::From(..)
                | Step::Where(_)
                | Step::Emit(_)
                | Step::Dedup(_)
                | Step::Join(_) => {}
            }
        }
    }

    pub(super) fn steps(&mut self, steps: &'a [Step], around: Around<'a>) {
        for step in steps {
            match step {
                Step::From(name, block) => {
                    self.reference(SymbolKind::Source, name);
                    self.block(block, around);
                }
                Step::Where(condition) => self.expr(condition, around),
                Step::Stage(stage) => {
                    self.note(SymbolKind::Column, around.flow, &stage.name, true);
                    self.expr(&stage.value, around);
                    stage.on.iter().for_each(|on| self.reference(SymbolKind::Endpoint, on));
                    self.block(&stage.block, around);
                }
                Step::Emit(emit) => self.emit(emit, around),
                Step::Group(group) => self.group(group, around),
                Step::FlatMap(name, list) => {
                    self.note(SymbolKind::Column, around.flow, name, true);
                    self.expr(list, around);
                }
                Step::Join(join) => {
                    self.reference(SymbolKind::Source, &join.source);
                    self.expr(&join.on, around);
                }
                Step::Dedup(dedup) => dedup.keys.iter().for_each(|key| self.expr(key, around)),
                Step::Route(route) => {
                    self.expr(&route.subject, around);
                    for arm in &route.arms {
                        arm.pattern.iter().for_each(|it| self.pattern(it, route.subject.span));
                        self.steps(&arm.steps, around);
                    }
                }
                Step::Loop(repeat) => {
                    self.steps(&repeat.steps, around);
                    repeat.until.iter().for_each(|it| self.expr(it, around));
                }
                Step::Carry(carry) => {
                    self.note(SymbolKind::Column, around.flow, &carry.name, true);
                    carry.ty.iter().for_each(|ty| self.ty(ty));
                    self.expr(&carry.value, around);
                }
            }
        }
    }

    fn group(&mut self, group: &'a ast::Group, around: Around<'a>) {
        for key in &group.keys {
            key.name.iter().for_each(|it| self.note(SymbolKind::Column, around.flow, it, true));
            self.expr(&key.value, around);
        }
        for entry in &group.aggregates.entries {
            self.note(SymbolKind::Column, around.flow, &entry.key, true);
            self.expr(&entry.value, around);
        }
    }

    fn emit(&mut self, emit: &'a ast::Emit, around: Around<'a>) {
        self.reference(SymbolKind::Sink, &emit.sink);
        emit.condition.iter().for_each(|condition| self.expr(condition, around));
        let Some(record) = &emit.record else { return };
        if let ExprKind::Record(None, block) = &record.kind {
            // Without a name it is the record of the sink.
            let ty = self.sinks.get(emit.sink.text.as_str()).copied();
            self.record(ty, block, around);
        } else {
            self.expr(record, around);
        }
    }
}

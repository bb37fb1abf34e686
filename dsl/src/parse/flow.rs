//! Readers of the steps of a flow.

use pest::iterators::Pair;

use super::{Reader, Rule, children};
use crate::ast::{self, Step};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// Steps of a flow; the checks on them compare each with each.
const MAX_STEPS: usize = 1_000;

impl Reader<'_> {
    pub(super) fn flow(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Flow> {
        let mut parts = children(pair);
        let name = self.value_name(&parts.next()?, "a flow");
        let mut flow = ast::Flow { name, steps: Vec::new(), broken: false, poisoned: Vec::new() };
        let mut left = MAX_STEPS;
        flow.steps = self.steps(parts, &mut flow, &mut left);
        Some(flow)
    }

    /// The steps of a body. `flow` hears of what could not be read, wherever it stands.
    fn steps<'i>(
        &mut self,
        parts: impl Iterator<Item = Pair<'i, Rule>>,
        flow: &mut ast::Flow,
        left: &mut usize,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        for part in parts {
            if *left == 0 {
                if !flow.broken {
                    let message = format!("a flow may have {MAX_STEPS} steps");
                    self.report(Diagnostic::error(codes::TOO_LARGE, flow.name.span, message));
                }
                flow.broken = true;
                break;
            }
            *left -= 1;
            if part.as_rule() == Rule::bad_step
                && self.within_line(self.span(&part).start)
                && let Some(last) = steps.last_mut()
            {
                cut_short(last);
            }
            steps.extend(self.step(part, flow, left));
        }
        steps
    }

    fn step(
        &mut self,
        pair: Pair<'_, Rule>,
        flow: &mut ast::Flow,
        left: &mut usize,
    ) -> Option<Step> {
        match pair.as_rule() {
            Rule::from_step => {
                let mut parts = children(pair);
                let name = self.word(&parts.next()?);
                let block = self.block_or_empty(parts.next(), name.span);
                Some(Step::From(name, block))
            }
            Rule::filter => children(pair).next().map(|it| Step::Where(self.expression(it))),
            Rule::stage => self.stage(pair).map(Step::Stage),
            Rule::emit => self.emit(pair).map(Step::Emit),
            Rule::route => self.route(pair, flow, left).map(Step::Route),
            Rule::repeat => self.repeat(pair, flow, left).map(Step::Loop),
            Rule::carry => self.carry(pair).map(Step::Carry),
            Rule::group => self.group(pair).map(Step::Group),
            Rule::flat_map => {
                let mut parts = children(pair);
                let name = self.value_name(&parts.next()?, "a column");
                Some(Step::FlatMap(name, self.expression(parts.next()?)))
            }
            Rule::join => self.join(pair).map(Step::Join),
            Rule::dedup => {
                let span = self.trimmed(&pair);
                let keys = children(pair).map(|key| self.expression(key)).collect();
                Some(Step::Dedup(ast::Dedup { keys, span }))
            }
            Rule::bad_step => {
                flow.broken = true;
                poison(&pair, flow);
                self.bad_step(&pair);
                let is_group = super::recover::first_word(pair.as_str()) == "group";
                is_group.then(|| Step::Group(super::relate::unread_group(self.trimmed(&pair))))
            }
            _ => {
                flow.broken = true;
                poison(&pair, flow);
                self.unsupported(&pair);
                None
            }
        }
    }

    fn route(
        &mut self,
        pair: Pair<'_, Rule>,
        flow: &mut ast::Flow,
        left: &mut usize,
    ) -> Option<ast::Route> {
        let span = self.first(&pair, "route");
        let whole = pair.clone();
        let mut parts = children(pair);
        let subject = self.expression(parts.next()?);
        let mut route = ast::Route { subject, arms: Vec::new(), broken: false, span };
        for part in parts {
            if part.as_rule() == Rule::bad_arm {
                // What an arm leaves behind it depends on what all others do.
                if !route.broken {
                    poison(&whole, flow);
                }
                route.broken = true;
                flow.broken = true;
                self.bad_arm(&part);
            } else {
                route.arms.extend(self.arm(part, flow, left));
            }
        }
        Some(route)
    }

    fn arm(
        &mut self,
        pair: Pair<'_, Rule>,
        flow: &mut ast::Flow,
        left: &mut usize,
    ) -> Option<ast::Arm> {
        let mut parts = children(pair).peekable();
        let head = parts.next()?;
        let span = self.trimmed(&head);
        let pattern = self.arm_head(head);
        if let Some(arrow) = parts.next_if(|part| part.as_rule() == Rule::odd_arrow) {
            self.odd_arrow(&arrow);
        }
        Some(ast::Arm { pattern, steps: self.steps(parts, flow, left), span })
    }

    fn repeat(
        &mut self,
        pair: Pair<'_, Rule>,
        flow: &mut ast::Flow,
        left: &mut usize,
    ) -> Option<ast::Loop> {
        let span = self.first(&pair, "loop");
        let mut parts = children(pair).peekable();
        let count = parts.next()?;
        let count = ast::Name { text: count.as_str().to_owned(), span: self.trimmed(&count) };
        let until = parts.next_if(|part| part.as_rule() == Rule::expr);
        let until = until.map(|condition| self.expression(condition));
        Some(ast::Loop { count, until, steps: self.steps(parts, flow, left), span })
    }

    fn carry(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Carry> {
        let span = self.trimmed(&pair);
        let mut parts = children(pair);
        let name = self.value_name(&parts.next()?, "a carried value");
        let mut ty = None;
        for part in parts {
            if part.as_rule() == Rule::of_type {
                ty = children(part).next().map(|ty| self.ty(ty));
            } else {
                return Some(ast::Carry { name, ty, value: self.expression(part), span });
            }
        }
        None
    }

    fn group(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Group> {
        let start = self.span(&pair);
        let (mut keys, mut window, mut block) = (Vec::new(), None, None);
        for part in children(pair) {
            match part.as_rule() {
                Rule::group_key => keys.extend(self.group_key(part)),
                Rule::leaf => window = Some(self.leaf_call(part)?),
                _ => block = Some(part),
            }
        }
        let aggregates = self.block_or_empty(block, start);
        let before = self.text.get(start.start as usize..aggregates.span.start as usize);
        let length = before.unwrap_or_default().trim_end().len() as u32;
        let span = Span { end: start.start + length, ..start };
        Some(ast::Group { keys, window, aggregates, span })
    }

    fn join(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Join> {
        let span = self.trimmed(&pair);
        let mut parts = children(pair).peekable();
        let left = parts.next_if(|part| part.as_rule() == Rule::left_word).is_some();
        let source = self.word(&parts.next()?);
        let on = self.expression(parts.next()?);
        Some(ast::Join { left, source, on, span })
    }

    fn group_key(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Key> {
        let (mut name, mut value) = (None, None);
        for part in children(pair) {
            match part.as_rule() {
                Rule::key => name = Some(self.word(&part)),
                Rule::expr => value = Some(self.expression(part)),
                _ => {}
            }
        }
        Some(ast::Key { name, value: value? })
    }

    /// The word that a step begins with.
    fn first(&self, pair: &Pair<'_, Rule>, word: &str) -> Span {
        let start = self.span(pair);
        Span { end: start.start + word.len() as u32, ..start }
    }

    fn stage(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Stage> {
        let span = self.trimmed(&pair);
        let mut parts = children(pair);
        let name = self.value_name(&parts.next()?, "a stage");
        let mut ty = None;
        let mut value = parts.next()?;
        if value.as_rule() == Rule::of_type {
            ty = children(value).next().map(|ty| self.ty(ty));
            value = parts.next()?;
        }
        let value = self.expression(value);
        let mut on = None;
        let mut block = None;
        for part in parts {
            match part.as_rule() {
                Rule::on => on = self.endpoint_of(part),
                Rule::odd_with => self.odd_with(&part),
                _ => block = Some(part),
            }
        }
        let block = self.block_or_empty(block, value.span);
        Some(ast::Stage { name, ty, value, on, block, span })
    }

    fn emit(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Emit> {
        let span = self.trimmed(&pair);
        let mut record = None;
        let mut sink = None;
        let mut condition = None;
        for part in children(pair) {
            match part.as_rule() {
                Rule::name => sink = Some(self.word(&part)),
                Rule::odd_into => self.odd_into(&part),
                Rule::condition => {
                    condition = children(part).next().map(|inner| self.expression(inner));
                }
                _ => record = Some(self.primary(part)),
            }
        }
        Some(ast::Emit { record, sink: sink?, condition, span })
    }

    fn unsupported(&mut self, pair: &Pair<'_, Rule>) {
        let word = pair.as_str().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
        let start = self.span(pair);
        let span = Span { end: start.start + word.len() as u32, ..start };
        self.report(
            Diagnostic::error(
                codes::NOT_SUPPORTED,
                span,
                format!("`{word}` is not supported yet by this version"),
            )
            .help(super::recover::STEPS),
        );
    }
}

/// Takes out of a step what was read of it before a piece in its line that cannot be read: it is not
/// what was meant.
fn cut_short(step: &mut Step) {
    match step {
        Step::Where(value) | Step::FlatMap(_, value) => value.kind = ast::ExprKind::Bad,
        Step::Stage(stage) => {
            stage.value.kind = ast::ExprKind::Bad;
            stage.on = None;
            stage.block.entries.clear();
        }
        Step::Carry(carry) => carry.value.kind = ast::ExprKind::Bad,
        _ => {}
    }
}

/// Names that a piece which could not be read may have declared.
fn poison(pair: &Pair<'_, Rule>, flow: &mut ast::Flow) {
    for line in pair.as_str().lines() {
        let words = ["stage", "carry", "flat_map", "let", "var", "const", "val", "map"];
        // Arms may stand in one line.
        for part in line.split(['{', '}']) {
            flow.poisoned.extend(super::recover::declared_name(part.trim(), &words));
        }
        let first = super::recover::first_word(line.trim());
        // Another name of a source or import.
        if first == "as" {
            flow.poisoned.extend(super::recover::declared_name(line.trim(), &["as"]));
        }
        // Which word of a broken join is the source is not known.
        if matches!(first, "join" | "left" | "right" | "inner" | "outer" | "full" | "cross") {
            let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').skip(1);
            flow.poisoned.extend(words.take_while(|word| *word != "on").map(str::to_owned));
        }
        // `name = value`, where the word before the name was forgotten.
        if let Some((name, rest)) = line.split_once('=')
            && !rest.starts_with('=')
            && super::recover::first_word(name.trim()) == name.trim()
        {
            flow.poisoned.push(name.trim().to_owned());
        }
    }
}

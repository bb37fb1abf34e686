//! Reader of `measure to ... every ... { ... }`.

use pest::iterators::Pair;

use super::{Reader, Rule, children};
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// How an entry of the block looks.
const FORM: &str = "an entry is a figure, as in `throughput` or `latency.p99 by node`";

impl Reader<'_> {
    pub(super) fn measure(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Measure> {
        let start = self.span(&pair);
        let span = Span { end: start.start + "measure".len() as u32, ..start };
        let (mut to, mut every, mut figures) = (None, None, Vec::<ast::Figure>::new());
        let mut last = None;
        for part in children(pair) {
            match part.as_rule() {
                Rule::leaf => to = self.leaf_call(part),
                Rule::expr => every = Some(self.expression(part)),
                Rule::metric => {
                    self.apart(&mut last, &part);
                    if let Some(figure) = self.figure(part) {
                        self.figure_once(&figure, &figures);
                        figures.push(figure);
                    }
                }
                Rule::bad_entry if self.called_figure(&part, &mut figures) => last = None,
                _ => {
                    last = None;
                    self.bad_entry(&part, FORM);
                }
            }
        }
        Some(ast::Measure { to: to?, every, figures, span })
    }

    /// Says so of a figure, or of what it is taken apart by, that is given twice.
    fn figure_once(&mut self, figure: &ast::Figure, others: &[ast::Figure]) {
        let words = |figure: &ast::Figure| {
            let mut by: Vec<String> = figure.by.iter().map(|by| by.text.clone()).collect();
            by.sort();
            (figure.name.text.clone(), by)
        };
        let twice = |name: &ast::Name, before: Span| {
            Diagnostic::error(codes::TWICE, name.span, format!("`{}` is given twice", name.text))
                .also(before, "first given here")
        };
        if let Some(before) = others.iter().find(|other| words(other) == words(figure)) {
            self.report(twice(&figure.name, before.name.span));
        }
        for (at, by) in figure.by.iter().enumerate() {
            if let Some(before) = figure.by[..at].iter().find(|other| other.text == by.text) {
                self.report(twice(by, before.span));
            }
        }
    }

    /// `p99(latency)`, which is read as a figure `p99` and a piece behind it; whether it is.
    fn called_figure(&mut self, part: &Pair<'_, Rule>, figures: &mut [ast::Figure]) -> bool {
        let span = self.trimmed(part);
        let text = part.as_str().trim_end();
        let inner = text.strip_prefix('(').and_then(|it| it.strip_suffix(')')).map(str::trim);
        let before = figures.last().filter(|it| it.name.span.end == span.start && it.by.is_empty());
        let (Some(family), Some(before)) = (inner, before) else { return false };
        if super::recover::first_word(family) != family || family.is_empty() {
            return false;
        }
        let meant = format!("{family}.{}", before.name.text);
        let at = before.name.span.to(span);
        if let Some(last) = figures.last_mut() {
            last.name.text.clone_from(&meant);
        }
        self.report(
            Diagnostic::error(codes::UNEXPECTED, at, "a statistic stands behind its figure")
                .help(format!("write `{meant}`"))
                .fix(at, meant),
        );
        true
    }

    fn figure(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Figure> {
        let mut words = children(pair).map(|part| self.word(&part));
        let name = words.next()?;
        Some(ast::Figure { name, by: words.collect() })
    }
}

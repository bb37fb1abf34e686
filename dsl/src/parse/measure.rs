//! Reader of `measure to ... every ... { ... }`.

use pest::iterators::Pair;

use super::{Reader, Rule, children};
use crate::ast;
use crate::span::Span;

/// How an entry of the block looks.
const FORM: &str = "an entry is a figure, as in `throughput` or `latency.p99 by node`";

impl Reader<'_> {
    pub(super) fn measure(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Measure> {
        let start = self.span(&pair);
        let span = Span { end: start.start + "measure".len() as u32, ..start };
        let (mut to, mut every, mut figures) = (None, None, Vec::new());
        for part in children(pair) {
            match part.as_rule() {
                Rule::leaf => to = self.leaf_call(part),
                Rule::expr => every = Some(self.expression(part)),
                Rule::metric => figures.extend(self.figure(part)),
                _ => self.bad_entry(&part, FORM),
            }
        }
        Some(ast::Measure { to: to?, every, figures, span })
    }

    fn figure(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Figure> {
        let mut words = children(pair).map(|part| self.word(&part));
        let name = words.next()?;
        Some(ast::Figure { name, by: words.collect() })
    }
}

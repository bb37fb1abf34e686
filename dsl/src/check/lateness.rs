//! `lateness` of a window: which records are too late is decided while the source is read.

use super::Checker;
use super::body::Body;
use super::early::{Early, READ_IN_ORDER};
use super::step::one_line;
use super::window::Window;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{Node, WatermarkPlan};

impl Checker<'_> {
    /// Let the source say which records are too late for `window`, if it has a bound.
    pub(super) fn lateness(&mut self, window: &Window, body: &mut Body) {
        let Some((lateness, span)) = window.lateness else { return };
        let early = Early::of(&body.nodes, self.input.catalog);
        let Some(Node::Source(source)) = body.nodes.first_mut() else { return };
        let wrong = if body.relation.is_some() {
            Some((
                "`lateness` is of the records of a source, and these are rows of a step over all of them",
                "put the bound at the first `group` of the flow, or leave it out",
            ))
        } else if body.feed.is_some() {
            Some((
                "a record of a source with `changes` is never late",
                "leave `lateness` out: an update takes the place of the version before, whenever it comes",
            ))
        } else if !READ_IN_ORDER.contains(&source.kind.as_str()) {
            Some((
                "which records are late is known only of a source that is the same each time it is read",
                "leave `lateness` out, or read the records from a file",
            ))
        } else if !early.knows(&window.at.expr) {
            Some((
                "which records are late is decided when they are read, and this time is not known then",
                "go by a field, or by a `stage` with a plain expression over fields",
            ))
        } else {
            None
        };
        if let Some((message, help)) = wrong {
            self.report(Diagnostic::error(codes::BAD_WINDOW, span, message).help(help));
            return;
        }
        let (before, at) = (early.steps, window.at.expr.clone());
        let text = one_line(self.input.sources.text(span));
        source.watermark = Some(Box::new(WatermarkPlan { before, at, lateness, text }));
    }
}

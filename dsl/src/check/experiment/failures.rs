//! Nodes that differ: slower ones, and ones that are lost on the way.

use crate::ast::{self, ExprKind};
use crate::check::{Checker, Scope};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::experiment::{MAX_NODES, NodeFailure};
use crate::types::{Type, Value};

/// How a failure is written.
const FORM: &str = "failures: [node(2, at: 5s), node(3, at: 8s, for: 10s)]";

impl Checker<'_> {
    /// `[1.0, 0.5]`.
    pub(super) fn speeds(&mut self, written: &ast::Expr) -> Option<Vec<f64>> {
        let items = self.items("`speeds`", written, "speeds: [1.0, 0.5]")?;
        let speeds: Vec<f64> =
            items.iter().filter_map(|item| self.positive("a speed", item)).collect();
        (speeds.len() == items.len()).then_some(speeds)
    }

    /// `[node(2, at: 5s, for: 10s)]`.
    pub(super) fn failures(&mut self, written: &ast::Expr) -> Option<Vec<NodeFailure>> {
        // No failure is a point of a sweep as well.
        if matches!(&written.kind, ExprKind::List(items) if items.is_empty()) {
            return Some(Vec::new());
        }
        let items = self.items("`failures`", written, FORM)?;
        let found: Vec<NodeFailure> =
            items.iter().filter_map(|item| self.node_failure(item)).collect();
        (found.len() == items.len()).then_some(found)
    }

    fn items<'e>(
        &mut self,
        what: &str,
        written: &'e ast::Expr,
        form: &str,
    ) -> Option<&'e [ast::Expr]> {
        match &written.kind {
            ExprKind::List(items) if !items.is_empty() && items.len() <= MAX_NODES as usize => {
                Some(items)
            }
            ExprKind::List(items) if !items.is_empty() => {
                let message = format!("{what} may have {MAX_NODES} entries");
                self.report(Diagnostic::error(codes::TOO_LARGE, written.span, message));
                None
            }
            _ => {
                self.not_a_list(what, written, form);
                None
            }
        }
    }

    fn node_failure(&mut self, written: &ast::Expr) -> Option<NodeFailure> {
        let call = match &written.kind {
            ExprKind::Call(call) if call.name.text == "node" => call,
            ExprKind::Bad => return None,
            _ => {
                let message = "a failure is the loss of a node";
                self.report(
                    Diagnostic::error(codes::BAD_OPTION, written.span, message)
                        .help(format!("as in `{FORM}`")),
                );
                return None;
            }
        };
        let args = self.optional_args(call, &["number", "at", "for"])?;
        let (Some(number), Some(at)) = (args[0], args[1]) else {
            let missing: Vec<&str> = ["number", "at"]
                .into_iter()
                .zip(&args)
                .filter(|(_, given)| given.is_none())
                .map(|(name, _)| name)
                .collect();
            self.missing(call, &missing);
            return None;
        };
        let value = self.constant(number, &Scope::constant(), &Type::Int)?;
        let node = match value {
            Value::Int(n) => u32::try_from(n).ok().filter(|n| *n < MAX_NODES),
            _ => None,
        };
        if node.is_none() {
            let message = format!("nodes are numbered from 0 to {}", MAX_NODES - 1);
            self.report(Diagnostic::error(codes::BAD_OPTION, number.span, message));
        }
        let at_ns = self.time_from("at", at, 0);
        let for_ns = match args[2] {
            Some(time) => Some(self.time_from("for", time, 1)?),
            None => None,
        };
        Some(NodeFailure { node: node?, at_ns: at_ns?, for_ns })
    }
}

//! Calls of what there is not: what is called so elsewhere, and what was probably meant.

use super::foreign::{Instead, instead_of};
use super::names::Decl;
use super::{Checker, Place, Scope};
use crate::aggregates::find_aggregate;
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::functions::{self, FUNCTIONS};
use crate::suggest::did_you_mean;

impl Checker<'_> {
    pub(crate) fn unknown_call(&mut self, call: &ast::Call, scope: &Scope<'_>) {
        let name = call.name.text.as_str();
        // An aggregate may be of a group that could not be read.
        let of_group = scope.poisoned.iter().any(|it| it == "*") && find_aggregate(name).is_some();
        if self.names.is_poisoned(name) || of_group || self.full() {
            return;
        }
        let span = call.name.span;
        if let Some((declared, decl)) = self.names.values.get(name).copied() {
            let message = format!("`{name}` is {}, it cannot be called", decl.kind());
            self.report(
                Diagnostic::error(codes::WRONG_DECLARATION, span, message)
                    .also(declared, "declared here"),
            );
            return;
        }
        let in_test = scope.place == Place::Outcome;
        if in_test && (find_aggregate(name).is_some() || matches!(name, "all" | "any" | "every")) {
            let message = format!("a test has no `{name}` of all rows");
            let help = "it looks at single rows, `out[0].n == 1`, at their number, `out.count == 2`, and \
                        at lists of values, `out.n == [1, 2]`; totals are made by a flow with a `group`";
            self.report(Diagnostic::error(codes::UNKNOWN_CALL, span, message).help(help));
            return;
        }
        if let Some(aggregate) = find_aggregate(name) {
            let text = super::step::one_line(self.input.sources.text(call.span));
            let message = format!("`{name}` is an aggregate: it is of many records, not of one");
            let help = format!(
                "write it in a group, as in `group {{ n: {text} }}` or `group by key {{ n: {text} }}`: \
                 {}",
                aggregate.doc
            );
            self.report(Diagnostic::error(codes::UNKNOWN_CALL, span, message).help(help));
            return;
        }
        let stages = self.input.catalog.stages.iter().map(|spec| spec.signature.name);
        let declared = self.names.values.iter().filter_map(|(name, (_, decl))| {
            matches!(decl, Decl::Fn(_) | Decl::Prompt(_)).then_some(*name)
        });
        let known = stages.chain(declared).chain(FUNCTIONS.iter().map(|spec| spec.name));
        let message = format!("`{name}` is neither a stage nor a function");
        let diagnostic = Diagnostic::error(codes::UNKNOWN_CALL, span, message);
        self.report(match instead_of(name).map(Instead::name) {
            Some(Ok(meant)) => {
                let spec = functions::find(meant);
                let form = spec.map_or_else(String::new, |spec| format!(": {}", spec.signature));
                let fits = spec.is_some_and(|spec| spec.takes.len() == call.args.len());
                let diagnostic = diagnostic.help(format!("write `{meant}`{form}"));
                if fits && meant != "slice" && meant != "hash" {
                    diagnostic.fix(span, meant)
                } else {
                    diagnostic
                }
            }
            Some(Err(help)) => diagnostic.help(help),
            None => diagnostic.help(did_you_mean(name, known).unwrap_or_else(|| {
                "`sage-flow list stages` shows the stages, `sage-flow list functions` the functions"
                    .to_owned()
            })),
        });
    }
}

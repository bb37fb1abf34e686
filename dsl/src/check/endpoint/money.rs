//! What an endpoint may be asked for in a minute, and what that costs.

use crate::ast::{self, ExprKind};
use crate::check::{Checker, Scope};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::EndpointPlan;
use crate::types::{Type, Value};

impl Checker<'_> {
    /// `limits: { requests: 3000/min, tokens: 600_000/min }`.
    pub(super) fn limits(&mut self, written: &ast::Expr, plan: &mut EndpointPlan) {
        let form = "as in `limits: { requests: 3000/min, tokens: 600_000/min }`";
        for entry in self.inner(written, "limits", &["requests", "tokens"], form) {
            let value = self.constant(&entry.value, &Scope::setting(), &Type::Rate);
            let Some(rate) = value.as_ref().and_then(Value::as_float) else { continue };
            if rate <= 0.0 {
                let message = "a limit is more than 0";
                self.report(Diagnostic::error(codes::BAD_OPTION, entry.value.span, message));
            } else if entry.key.text == "requests" {
                plan.requests_per_s = Some(rate);
            } else {
                plan.tokens_per_s = Some(rate);
            }
        }
    }

    /// `price: { input: 0.15/Mtok, output: 0.60/Mtok }`.
    pub(super) fn price(&mut self, written: &ast::Expr, plan: &mut EndpointPlan) {
        let form = "as in `price: { input: 0.15/Mtok, output: 0.60/Mtok }`";
        for entry in self.inner(written, "price", &["input", "output"], form) {
            let span = entry.value.span;
            // Anything with another unit would pass for a number or be refused without a reason.
            if let ExprKind::Literal(
                Value::Tokens(_) | Value::Percent(_) | Value::Rate(_) | Value::Duration(_),
            ) = entry.value.kind
            {
                let message = "a price is an amount for a million tokens";
                self.report(Diagnostic::error(codes::BAD_OPTION, span, message).help(form));
                continue;
            }
            let value = self.constant(&entry.value, &Scope::setting(), &Type::Float);
            let Some(price) = value.as_ref().and_then(Value::as_float) else { continue };
            if price < 0.0 {
                let message = "a price is not negative";
                self.report(Diagnostic::error(codes::BAD_OPTION, span, message));
            } else if entry.key.text == "input" {
                plan.price_input_per_mtok = Some(price);
            } else {
                plan.price_output_per_mtok = Some(price);
            }
        }
    }
}

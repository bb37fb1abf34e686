//! `k == a or b`: a value that stands where a condition is due.

use super::{Checker, Scope};
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::BinaryOp;
use crate::types::{Type, Value};

impl Checker<'_> {
    /// `k == a or b`, where `b` is a variant and no condition; whether it has been reported.
    pub(super) fn half_condition(
        &mut self,
        op: BinaryOp,
        left: &ast::Expr,
        right: &ast::Expr,
        scope: &Scope<'_>,
    ) -> bool {
        let ExprKind::Binary(sign @ (BinaryOp::Eq | BinaryOp::Ne), value, one) = &left.kind else {
            return false;
        };
        let constant = |expr: &ast::Expr| {
            matches!(
                &expr.kind,
                ExprKind::Name(_)
                    | ExprKind::Literal(Value::String(_) | Value::Int(_) | Value::Float(_))
            )
        };
        if !constant(one) || !constant(right) {
            return false;
        }
        let ty = self.expr(value, scope, None).ty;
        let other = self.expr(right, scope, Some(&ty)).ty;
        if ty == Type::Bool || other == Type::Bool || other == Type::Unknown {
            return false;
        }
        let text = |expr: &ast::Expr| self.input.sources.text(expr.span).to_owned();
        let (value, one, two) = (text(value), text(one), text(right));
        let among = format!("{value} in [{one}, {two}]");
        let meant = if *sign == BinaryOp::Eq { among } else { format!("not ({among})") };
        let whole = left.span.to(right.span);
        let message = format!("`{two}` alone is no condition");
        let diagnostic = Diagnostic::error(codes::NOT_BOOL, right.span, message)
            .help(format!("write `{meant}`"));
        let sure = op == BinaryOp::Or && *sign == BinaryOp::Eq;
        self.report(if sure { diagnostic.fix(whole, meant) } else { diagnostic });
        true
    }
}

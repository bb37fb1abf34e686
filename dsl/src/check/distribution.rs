//! Distributions of times: `lognormal(20ms, 0.5)` and its kind, constants only.

use super::names::Decl;
use super::{Checker, Scope};
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::suggest::{self, did_you_mean};
use crate::types::{Type, Value};

/// Distributions and their parameters.
const DISTRIBUTIONS: &[(&str, &[&str])] = &[
    ("constant", &["value"]),
    ("uniform", &["low", "high"]),
    ("exponential", &["mean"]),
    ("lognormal", &["mean", "cv"]),
];

impl Checker<'_> {
    /// A distribution, or a plain duration.
    pub(crate) fn distribution(&mut self, written: &ast::Expr, scope: &Scope<'_>) -> Option<Value> {
        let ExprKind::Call(call) = &written.kind else { return self.part(written, scope, "time") };
        let name = call.name.text.as_str();
        if matches!(self.names.values.get(name), Some((_, Decl::Fn(_)))) {
            return self.part(written, scope, "time");
        }
        let Some((_, params)) = DISTRIBUTIONS.iter().find(|(known, _)| *known == name) else {
            let known = DISTRIBUTIONS.iter().map(|(known, _)| *known);
            let help = did_you_mean(name, known.clone())
                .unwrap_or_else(|| format!("there are {}", suggest::list(known)));
            let message = format!("unknown distribution `{name}`");
            self.report(Diagnostic::error(codes::UNKNOWN_LEAF, call.name.span, message).help(help));
            return None;
        };
        let args = self.match_args(call, params)?;
        let mut values = Vec::new();
        for (arg, param) in args.iter().zip(*params) {
            values.push(((*param).to_owned(), self.part(arg, scope, param)?));
        }
        if let [(_, Value::Duration(low)), (_, Value::Duration(high))] = values.as_slice()
            && low > high
        {
            let message = "`high` is not below `low`";
            self.report(Diagnostic::error(codes::BAD_OPTION, args[1].span, message));
            return None;
        }
        Some(Value::Call { name: name.to_owned(), args: values })
    }

    /// A time, or the share `cv`; neither is negative.
    fn part(&mut self, written: &ast::Expr, scope: &Scope<'_>, name: &str) -> Option<Value> {
        let ty = if name == "cv" { Type::Float } else { Type::Duration };
        let value = self.constant(written, scope, &ty)?;
        let negative = match &value {
            Value::Duration(nanos) => *nanos < 0,
            Value::Float(share) => *share < 0.0,
            _ => false,
        };
        if negative {
            let message = format!("`{name}` is not negative");
            self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
        }
        (!negative).then_some(value)
    }
}

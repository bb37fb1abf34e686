//! How records arrive: `batch`, `poisson(20/s)`, `constant(20/s)`, `burst(50, every: 10s)`,
//! `trace("times.txt")`.

use crate::ast::{self, ExprKind};
use crate::check::{Checker, Scope};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::experiment::Arrivals;
use crate::path;
use crate::plan::UnaryOp;
use crate::suggest::did_you_mean;
use crate::types::{Type, Value};

const FORMS: &[(&str, &str)] = &[
    ("batch", "batch"),
    ("constant", "constant(20/s)"),
    ("poisson", "poisson(20/s)"),
    ("burst", "burst(50, every: 10s)"),
    ("trace", "trace(\"times.txt\")"),
];

/// Most records of one burst.
const MAX_BURST: u64 = 1_000_000_000;

impl Checker<'_> {
    pub(super) fn arrivals(&mut self, written: &ast::Expr) -> Option<Arrivals> {
        let (name, call) = match &written.kind {
            ExprKind::Bad => return None,
            ExprKind::Name(name) => (name.as_str(), None),
            ExprKind::Call(call) => (call.name.text.as_str(), Some(call)),
            _ => ("", None),
        };
        match (name, call) {
            ("batch", None) => Some(Arrivals::Batch),
            ("batch", Some(call)) => {
                self.too_many(call, 0, written.span);
                None
            }
            ("constant", Some(call)) => self.rate(call).map(|per_s| Arrivals::Constant { per_s }),
            ("poisson", Some(call)) => self.rate(call).map(|per_s| Arrivals::Poisson { per_s }),
            ("burst", Some(call)) => {
                let args = self.match_args(call, &["size", "every"])?;
                let size = self.whole("size", args[0], 1, MAX_BURST);
                let every_ns = self.time_from("every", args[1], 1);
                Some(Arrivals::Burst { size: size?, every_ns: every_ns? })
            }
            ("trace", Some(call)) => {
                let args = self.match_args(call, &["path"])?;
                let file = args[0];
                if self.bare_path(file) {
                    return None;
                }
                let text = self.text_setting(file)?;
                let path = path::resolve(self.input.sources.path(file.span), &text);
                Some(Arrivals::Trace { path })
            }
            _ => {
                let form = FORMS.iter().find(|(known, _)| *known == name);
                let help = match form {
                    Some((_, form)) => format!("write `{form}`"),
                    None => did_you_mean(name, FORMS.iter().map(|(name, _)| *name)).unwrap_or_else(
                        || {
                            let forms = FORMS.iter().map(|(_, form)| *form);
                            format!("write one of {}", crate::suggest::list(forms))
                        },
                    ),
                };
                let message = if name.is_empty() {
                    "`arrivals` does not take this value".to_owned()
                } else if form.is_some() {
                    format!("`{name}` says how many arrive")
                } else {
                    format!("`arrivals` does not take `{name}`")
                };
                self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message).help(help));
                None
            }
        }
    }

    fn rate(&mut self, call: &ast::Call) -> Option<f64> {
        let written = self.match_args(call, &["rate"])?[0];
        if matches!(written.kind, ExprKind::Unary(UnaryOp::Neg, _)) {
            self.no_rate(written);
            return None;
        }
        let Value::Rate(per_s) = self.constant(written, &Scope::constant(), &Type::Rate)? else {
            return None;
        };
        let good = per_s > 0.0 && per_s.is_finite();
        if !good {
            self.no_rate(written);
        }
        good.then_some(per_s)
    }

    fn no_rate(&mut self, written: &ast::Expr) {
        let message = "a rate of arrivals is above 0";
        self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
    }
}

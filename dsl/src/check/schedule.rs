//! The `schedule` block: settings of the scheduling operator.

use super::{Checker, Scope};
use crate::ast::{self, ExprKind};
use crate::catalog;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{Expr, SchedulePlan};
use crate::span::Span;
use crate::suggest::{self, did_you_mean};
use crate::types::{Type, Value};

/// Options of the block.
pub(crate) const SCHEDULE_OPTIONS: &[&str] =
    &["policy", "slots", "priority", "fair", "due", "affinity", "queue", "deadline", "morsel"];

/// Most tasks that a worker executes at once; the command line has the same bound.
pub(crate) const MAX_SLOTS: u32 = 4096;
/// Most tasks that wait, and most records of one task: what they take is memory.
pub(crate) const MAX_QUEUE: u32 = 10_000_000;

/// Options that the language has and this version does not.
const LATER: &[&str] = &["aging", "shard"];

impl<'a> Checker<'a> {
    /// Settings for a flow; `scope` is its record, for `priority`.
    pub(crate) fn schedule(
        &mut self,
        block: Option<&'a ast::Block>,
        scope: &Scope<'_>,
        near: Span,
    ) -> SchedulePlan {
        let mut plan = SchedulePlan {
            drops: Vec::new(),
            policy: "load_aware".to_owned(),
            policy_args: Vec::new(),
            slots: 8,
            priority: None,
            fair: None,
            due: None,
            affinity: None,
            queue: 10_000,
            deadline_ns: None,
            morsel: 0,
        };
        let span = block.map_or(near, |block| block.span);
        let mut policy = None;
        for entry in block.map_or(&[][..], |block| block.entries.as_slice()) {
            let value = &entry.value;
            match entry.key.text.as_str() {
                "policy" => policy = Some(value),
                "slots" => {
                    plan.slots = self.count("slots", value, 1, MAX_SLOTS).unwrap_or(plan.slots);
                }
                "queue" => {
                    plan.queue = self.count("queue", value, 1, MAX_QUEUE).unwrap_or(plan.queue);
                }
                "morsel" => {
                    plan.morsel = self.count("morsel", value, 0, MAX_QUEUE).unwrap_or(plan.morsel);
                }
                "deadline" => {
                    let deadline = self.constant(value, &Scope::constant(), &Type::Duration);
                    plan.deadline_ns = deadline.as_ref().and_then(Value::as_duration_ns);
                    if plan.deadline_ns.is_some_and(|nanos| nanos <= 0) {
                        let message = "`deadline` is longer than 0";
                        self.report(Diagnostic::error(codes::BAD_OPTION, value.span, message));
                    }
                }
                "priority" => plan.priority = self.of_record(value, scope, &Type::Int),
                "due" => plan.due = self.due(value, scope),
                "fair" => plan.fair = self.shared(value, scope),
                "affinity" => plan.affinity = self.shared(value, scope),
                name if LATER.contains(&name) => {
                    let message = format!("`{name}` is not supported yet by this version");
                    self.report(Diagnostic::error(codes::NOT_SUPPORTED, entry.key.span, message));
                }
                _ => self.unknown_option(&entry.key, SCHEDULE_OPTIONS, "`schedule`"),
            }
        }
        if let Some(written) = policy {
            if let Some((name, args)) = self.policy(written) {
                plan.policy = name;
                plan.policy_args = args;
            }
        } else {
            let found = catalog::find(self.input.catalog.policies, &plan.policy);
            for param in found.map_or(&[][..], |signature| signature.params) {
                let value = self.default(param, span);
                plan.policy_args.extend(value.map(|value| (param.name.to_owned(), value)));
            }
        }
        plan
    }

    fn of_record(&mut self, written: &ast::Expr, scope: &Scope<'_>, ty: &Type) -> Option<Expr> {
        self.slots = 0;
        let typed = self.want(written, scope, ty);
        (!typed.is_poison()).then_some(typed.expr)
    }

    fn due(&mut self, written: &ast::Expr, scope: &Scope<'_>) -> Option<Expr> {
        let due = self.of_record(written, scope, &Type::Duration)?;
        if matches!(due, Expr::Literal(Value::Duration(nanos)) if nanos <= 0) {
            let message = "`due` is a time after the arrival, longer than 0";
            self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
        }
        Some(due)
    }

    /// What records may have in common: a value that can be told to be equal to another.
    fn shared(&mut self, written: &ast::Expr, scope: &Scope<'_>) -> Option<Expr> {
        self.slots = 0;
        let typed = self.expr(written, scope, None);
        if typed.is_poison() {
            return None;
        }
        let inner = super::fit::required(&typed.ty);
        if matches!(inner, Type::String | Type::Int | Type::Bool | Type::Enum(_)) {
            return Some(typed.expr);
        }
        let message = format!(
            "records are told apart by a string, an int, a bool or an enum, found {}",
            typed.ty
        );
        self.report(
            Diagnostic::error(codes::TYPE_MISMATCH, written.span, message)
                .help("as in `fair: .tenant`"),
        );
        None
    }

    pub(crate) fn policy(&mut self, written: &ast::Expr) -> Option<(String, Vec<(String, Value)>)> {
        let call = match &written.kind {
            ExprKind::Call(call) => call.clone(),
            // A param may hold the name, so that experiments can set it.
            ExprKind::Name(text) if !self.names.values.contains_key(text.as_str()) => ast::Call {
                name: ast::Name { text: text.clone(), span: written.span },
                args: Vec::new(),
                span: written.span,
            },
            _ => {
                if let Value::String(text) =
                    self.constant(written, &Scope::constant(), &Type::Unknown)?
                {
                    ast::Call {
                        name: ast::Name { text, span: written.span },
                        args: Vec::new(),
                        span: written.span,
                    }
                } else {
                    let message = "the name of a policy is needed here";
                    self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
                    return None;
                }
            }
        };
        let known = self.input.catalog.policies;
        let Some(signature) = catalog::find(known, &call.name.text) else {
            let names = || known.iter().map(|signature| signature.name);
            let help = did_you_mean(&call.name.text, names())
                .unwrap_or_else(|| format!("there are {}", suggest::list(names())));
            let message = format!("unknown policy `{}`", call.name.text);
            self.report(Diagnostic::error(codes::UNKNOWN_LEAF, call.name.span, message).help(help));
            return None;
        };
        let (args, _) = self.settings(&call, signature, &[], false)?;
        Some((signature.name.to_owned(), args))
    }
}

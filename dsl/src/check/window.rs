//! `window tumbling(size, by: at)` and `window sliding(size, every: step, by: at)`, each with
//! `lateness: bound`.

use super::fit::required;
use super::typed::Typed;
use super::{Checker, Scope};
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::types::{Type, Value};

/// Windows that one record may lie in.
const MOST_WINDOWS: i64 = 1_000;

/// Nanoseconds of the unit of a time that is an int.
const MILLISECOND: i64 = 1_000_000;

const FORMS: &str =
    "write `window tumbling(1min, by: .at)` or `window sliding(10min, every: 1min, by: .at)`";

/// A checked window.
pub(super) struct Window {
    pub(super) at: Typed,
    /// Of begin and end.
    pub(super) ty: Type,
    pub(super) size: i64,
    pub(super) every: i64,
    /// How far behind the newest a record may be, and where that is written.
    pub(super) lateness: Option<(i64, Span)>,
}

impl Checker<'_> {
    pub(super) fn window(&mut self, call: &ast::Call, scope: &Scope<'_>) -> Option<Window> {
        let wrong = |this: &mut Self, span: Span, message: String, help: &str| {
            this.report(Diagnostic::error(codes::BAD_WINDOW, span, message).help(help));
            None
        };
        let sliding = match call.name.text.as_str() {
            "tumbling" => false,
            "sliding" | "hopping" => true,
            other => {
                let message = format!("there are no windows `{other}`");
                return wrong(self, call.name.span, message, FORMS);
            }
        };
        let (mut size, mut every, mut by, mut lateness) = (None, None, None, None);
        for (at, arg) in call.args.iter().enumerate() {
            let name = arg.name.as_ref().map(|name| name.text.as_str());
            let place = match (name, at) {
                (None | Some("size"), 0) => &mut size,
                (Some("size"), _) => &mut size,
                (Some("every"), _) if sliding => &mut every,
                (Some("by"), _) => &mut by,
                (Some("lateness"), _) => &mut lateness,
                (None, 1 | 2) => {
                    let message = "of a window only the length has no name".to_owned();
                    return wrong(self, arg.value.span, message, FORMS);
                }
                _ => {
                    let message = format!("`{}` has no such argument", call.name.text);
                    return wrong(self, arg.value.span, message, FORMS);
                }
            };
            *place = Some(&arg.value);
        }
        let (Some(size), Some(by)) = (size, by) else {
            let message = "a window needs its length and the time it goes by".to_owned();
            return wrong(self, call.span, message, FORMS);
        };
        self.slots = 0;
        let at = self.expr(by, scope, None);
        let unit = match required(&at.ty) {
            Type::Time | Type::Duration => 1,
            Type::Int => MILLISECOND,
            Type::Unknown => return None,
            other => {
                let message = format!("a window goes by a time, found {other}");
                let help = "a time is of type `time` or `duration`, or an int of milliseconds";
                return wrong(self, by.span, message, help);
            }
        };
        let size_ns = self.length(size)?;
        let every_ns = match every {
            Some(every) => self.length(every)?,
            None if sliding => {
                let message = "a window that slides needs `every`".to_owned();
                let help = "write `window sliding(10min, every: 1min, by: .at)`; windows that do not \
                            overlap are `window tumbling(10min, by: .at)`";
                return wrong(self, call.span, message, help);
            }
            None => size_ns,
        };
        if every_ns > size_ns || size_ns / every_ns > MOST_WINDOWS {
            let message = format!(
                "`every` is at most as long as a window, and no shorter than its {MOST_WINDOWS}th part"
            );
            return wrong(self, every.unwrap_or(size).span, message, FORMS);
        }
        let late_ns = match lateness {
            Some(lateness) => Some((self.length(lateness)?, lateness.span)),
            None => None,
        };
        let bound_ns = late_ns.map_or(0, |(ns, _)| ns);
        if size_ns % unit != 0 || every_ns % unit != 0 || bound_ns % unit != 0 {
            let message = "the time is in milliseconds, and so are windows".to_owned();
            return wrong(self, call.span, message, "use whole milliseconds");
        }
        let ty = required(&at.ty).clone();
        let lateness = late_ns.map(|(ns, span)| (ns / unit, span));
        Some(Window { at, ty, size: size_ns / unit, every: every_ns / unit, lateness })
    }

    /// Nanoseconds of a constant duration.
    fn length(&mut self, written: &ast::Expr) -> Option<i64> {
        let typed = self.want(written, &Scope::constant(), &Type::Duration);
        if typed.is_poison() {
            return None;
        }
        let length = typed.value().and_then(Value::as_duration_ns).filter(|ns| *ns > 0);
        if length.is_none() {
            let message = "a length of time is a positive duration here";
            let diagnostic = Diagnostic::error(codes::BAD_WINDOW, written.span, message);
            self.report(diagnostic.help("a literal such as `1min`, or a param"));
        }
        length
    }
}

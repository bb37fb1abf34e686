//! Names that every arm of a route defines: after the route they are one.
//!
//! The column that takes the value of the arm that ran is made when something mentions the name, so
//! that a flow whose arms emit for themselves has none. Until then the name is pending.

use super::Checker;
use super::body::{Body, Hidden, Level, either};
use super::fit::{convert, unify};
use super::mention::mentions;
use super::typed::Typed;
use crate::ast::{self, Step};
use crate::span::Span;
use crate::suggest;
use crate::types::Type;

/// A name with its value, whichever arm ran.
#[derive(Debug, Clone)]
pub(super) struct Merge {
    pub(super) name: String,
    pub(super) value: Typed,
    /// Where the first arm defines it.
    pub(super) span: Span,
}

/// What came of an arm.
pub(super) struct Ended<'a> {
    /// As in `when simple`.
    pub(super) head: String,
    /// True where the record takes the arm.
    pub(super) condition: Option<Typed>,
    /// Names in sight at its end.
    pub(super) defines: Vec<Merge>,
    /// Names of all its stages, those of routes and loops in it included.
    pub(super) declares: Vec<&'a str>,
    /// None of its records is left.
    pub(super) dropped: bool,
}

impl<'a> Checker<'a> {
    /// Makes the columns of pending names that `step` mentions.
    pub(super) fn merge_mentioned(&mut self, step: &'a Step, level: &Level, body: &mut Body) {
        let (wanted, pending): (Vec<Merge>, Vec<Merge>) =
            std::mem::take(&mut body.pending).into_iter().partition(|it| mentions(step, &it.name));
        body.pending = pending;
        for Merge { name, value, span } in wanted {
            let line = self.line(span);
            body.map((&name, name.clone()), value, (span, line), level);
        }
    }

    /// After a route: names that all arms define are pending, others are hidden.
    pub(super) fn after_route(&mut self, route: &ast::Route, ended: &[Ended<'a>], body: &mut Body) {
        let mut names: Vec<&str> = Vec::new();
        for name in ended.iter().flat_map(|arm| &arm.declares) {
            if !names.contains(name) {
                names.push(name);
            }
        }
        let left: Vec<&Ended<'_>> = ended.iter().filter(|arm| !arm.dropped).collect();
        for name in names {
            let found: Vec<&Merge> = left
                .iter()
                .filter_map(|arm| arm.defines.iter().find(|merge| merge.name == name))
                .collect();
            if !found.is_empty() && found.len() == left.len() {
                match self.merged(route, &left, &found) {
                    Ok(merge) => {
                        body.pending.push(merge);
                        continue;
                    }
                    Err(types) => {
                        body.hidden.push(differs(name, &left, &types));
                        continue;
                    }
                }
            }
            let heads = ended.iter().filter(|arm| arm.declares.contains(&name));
            body.hidden.push(only_in(name, heads.map(|arm| arm.head.as_str())));
        }
    }

    /// The value of a name that all arms define, or its types.
    fn merged(
        &mut self,
        route: &ast::Route,
        arms: &[&Ended<'_>],
        found: &[&Merge],
    ) -> Result<Merge, Vec<Type>> {
        let types = || found.iter().map(|merge| merge.value.ty.clone()).collect::<Vec<_>>();
        let ty = found.iter().try_fold(Type::Unknown, |ty, merge| unify(&ty, &merge.value.ty));
        let ty = ty.ok_or_else(types)?;
        let values = found.iter().map(|merge| {
            let value = convert(merge.value.clone(), &ty);
            Typed { ty: ty.clone(), ..value }
        });
        let mut sides = arms.iter().zip(values).rev();
        // The last arm is what remains, since the arms cover everything.
        let Some((_, last)) = sides.next() else { return Err(types()) };
        let value = sides.fold(last, |rest, (arm, value)| match &arm.condition {
            Some(condition) => either(condition, value, rest),
            None => value,
        });
        let value = if self.bounded(route.span, value.shape) { value } else { Typed::poison() };
        Ok(Merge { name: found[0].name.clone(), value, span: found[0].span })
    }
}

/// A name that some arms define.
pub(super) fn only_in<'h>(name: &str, heads: impl Iterator<Item = &'h str>) -> Hidden {
    let heads: Vec<&str> = heads.collect();
    let arms = if heads.len() == 1 { "arm" } else { "arms" };
    Hidden {
        name: name.to_owned(),
        message: format!("`{name}` is defined only in the {arms} {}", suggest::list(heads)),
        help: format!(
            "use it inside of the {arms}, or define `{name}` in every arm of the route, with one type"
        ),
    }
}

fn differs(name: &str, arms: &[&Ended<'_>], types: &[Type]) -> Hidden {
    let each: Vec<String> =
        arms.iter().zip(types).map(|(arm, ty)| format!("{ty} in `{}`", arm.head)).collect();
    Hidden {
        name: name.to_owned(),
        message: format!("`{name}` has different types in the arms of the route"),
        help: format!("it is {}; make it one type, or use it inside of the arms", each.join(", ")),
    }
}

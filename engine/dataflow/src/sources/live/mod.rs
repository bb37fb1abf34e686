//! Sources that are looked at again while a run goes on: a watched folder, a file that is read
//! again. What they give are changes, for the field that `changes:` of the source names.
//!
//! [`changes`] tells what is another record than before, [`log`] keeps what was told, so that a run
//! that goes on is told the same, and [`stamp`] saves looks at what has not changed. Whoever only
//! wants to know what is there, such as a join or the twin, looks once.

mod changes;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzzing;
mod log;
mod looking;
mod stamp;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sage_dsl::catalog::{Kind, Param};
use sage_dsl::plan::{SourcePlan, lookup};
use sage_dsl::types::{Type, Value};

use self::changes::{Changes, INSERT, WORDS};
use self::log::Log;
use self::looking::Looking;
use super::{Source, broken, text};
use crate::error::DataflowError;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::fuzzing::{change_feed, change_log};
pub(crate) use self::log::Needs;

/// Parameter of a folder.
pub(super) const WATCH: Param = Param {
    name: "watch",
    kind: Kind::Duration,
    default: Some("null"),
    doc: "look again so often, and give what has changed; the source then needs `changes:`",
};
/// Parameter of a file.
pub(super) const REREAD: Param = Param {
    name: "reread",
    kind: Kind::Duration,
    default: Some("null"),
    doc: "read it again so often if it has changed, and give what is another record than before; the \
          source then needs `changes:`",
};
/// Parameter of both.
pub(super) const UNTIL_IDLE: Param = Param {
    name: "until_idle",
    kind: Kind::Duration,
    default: Some("null"),
    doc: "the source ends when nothing has changed for so long; without it or `rounds`, never",
};
/// Parameter of both.
pub(super) const ROUNDS: Param = Param {
    name: "rounds",
    kind: Kind::Count(1, 1_000_000_000_000),
    default: Some("null"),
    doc: "the source ends after so many looks",
};

/// Shorter times between two looks are taken for this one.
const SHORTEST: Duration = Duration::from_millis(10);

/// How a source is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rhythm {
    every: Duration,
    until_idle: Option<Duration>,
    rounds: Option<u64>,
}

/// Where a run keeps what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) out: PathBuf,
    pub(crate) generation: u32,
    pub(crate) needs: Needs,
}

/// Time between two looks at a source that is looked at again.
fn every(plan: &SourcePlan) -> Option<Duration> {
    let given = |name: &str| lookup(&plan.args, name).and_then(Value::as_duration_ns);
    let every = given(WATCH.name).or_else(|| given(REREAD.name))?;
    Some(Duration::from_nanos(every.unsigned_abs()).max(SHORTEST))
}

/// Whether a source is looked at again while a run goes on.
pub fn is_watched(plan: &SourcePlan) -> bool {
    every(plan).is_some()
}

/// Whether a source goes on until somebody stops the run.
pub fn is_endless(plan: &SourcePlan) -> bool {
    let given = |name: &str| lookup(&plan.args, name).is_some_and(|value| *value != Value::Null);
    is_watched(plan) && !given(UNTIL_IDLE.name) && !given(ROUNDS.name)
}

/// The same source for one look: what is there is inserted.
pub(super) fn once(plan: &SourcePlan) -> Result<Option<SourcePlan>, DataflowError> {
    if every(plan).is_none() {
        for name in [UNTIL_IDLE.name, ROUNDS.name] {
            if lookup(&plan.args, name).is_some_and(|value| *value != Value::Null) {
                let again = if plan.kind == "dir" { WATCH.name } else { REREAD.name };
                let message =
                    format!("`{name}` is of a source that is looked at again; add `{again}: 2s`");
                return Err(broken(plan, message));
            }
        }
        return Ok(None);
    }
    let Some(op) = plan.changes else {
        let message = "what is looked at again changes; add a field such as `op: string` to the type, \
                       and name it by `{ changes: \"op\" }` behind the source";
        return Err(broken(plan, message));
    };
    let mut plan = plan.clone();
    if let Some(field) = plan.record.fields.get_mut(op) {
        if let Type::Enum(it) = &field.ty
            && let Some(word) = WORDS.iter().find(|word| !it.variants.iter().any(|it| it == *word))
        {
            let message = format!(
                "`{}` has to say `{word}`, too: an enum with {} and {word}",
                field.name,
                WORDS.iter().filter(|it| *it != word).copied().collect::<Vec<_>>().join(", ")
            );
            return Err(broken(&plan, message));
        }
        field.default = Some(Value::String(INSERT.to_owned()));
    }
    Ok(Some(plan))
}

/// Open a source that is looked at again, if this is one, for a run that keeps what it is told.
pub(super) fn open(
    plan: &SourcePlan,
    place: &Place,
) -> Result<Option<Box<dyn Source>>, DataflowError> {
    let (Some(every), Some(inner)) = (every(plan), once(plan)?) else { return Ok(None) };
    let (Some(key), Some(op)) = (inner.key, inner.changes) else { return Ok(None) };
    let time = |name: &str| lookup(&plan.args, name).and_then(Value::as_duration_ns);
    let rounds = lookup(&plan.args, ROUNDS.name).and_then(Value::as_int);
    let rhythm = Rhythm {
        every,
        until_idle: time(UNTIL_IDLE.name).map(|ns| Duration::from_nanos(ns.unsigned_abs())),
        rounds: rounds.and_then(|n| u64::try_from(n).ok()),
    };
    let path = Path::new(text(plan, "path").unwrap_or_default()).to_owned();
    let log = Log::begin(&place.out, place.generation, place.needs)?;
    let changes = Changes::new(inner.record.clone(), key, op);
    Ok(Some(Box::new(Looking::new(inner, path, rhythm, changes, log))))
}

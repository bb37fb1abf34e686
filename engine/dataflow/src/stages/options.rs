//! Options of the stages that call an endpoint: the ones they share, and what is wrong with a
//! value that has the right type.

use sage_core::endpoint::{CacheMode, Lane};
use sage_dsl::catalog::{Kind, Param};
use sage_dsl::plan::{StagePlan, lookup};
use sage_dsl::types::Value;

use crate::error::DataflowError;

/// Most items in one call.
pub(super) const MOST_ITEMS: i64 = 2_048;

/// `batch_tokens`.
pub(super) const BATCH_TOKENS: Param = Param {
    name: "batch_tokens",
    kind: Kind::Tokens,
    default: Some("null"),
    doc: "most tokens of the texts in one call, as estimated; a longer text goes alone",
};

/// `lane`.
pub(super) const LANE: Param = Param {
    name: "lane",
    kind: Kind::Word(&["control", "normal", "batch"]),
    default: Some("normal"),
    doc: "how urgent its calls are among those that wait at the gateway",
};

/// `cache`.
pub(super) const CACHE: Param = Param {
    name: "cache",
    kind: Kind::Word(&["run", "content", "off"]),
    default: Some("run"),
    doc: "answers used again for free: those of the same record in this run, of all equal calls, none",
};

/// How a stage makes its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Calling {
    pub(super) batch: usize,
    pub(super) batch_tokens: Option<u64>,
    pub(super) linger_ns: u64,
    pub(super) timeout_ns: u64,
    pub(super) lane: Lane,
    pub(super) cache: CacheMode,
}

/// An option of `stage` that cannot be meant.
pub(super) fn wrong(stage: &StagePlan, what: impl std::fmt::Display) -> DataflowError {
    DataflowError::Plan(format!("stage `{}` (line {}): {what}", stage.name, stage.line))
}

/// A whole number between `least` and `most`.
pub(super) fn count(
    stage: &StagePlan,
    name: &str,
    least: i64,
    most: i64,
    otherwise: i64,
) -> Result<i64, DataflowError> {
    let given = lookup(&stage.options, name).and_then(Value::as_int).unwrap_or(otherwise);
    if (least..=most).contains(&given) {
        return Ok(given);
    }
    Err(wrong(stage, format!("`{name}: {given}`: expected {least} to {most}")))
}

/// The options that every stage with an endpoint has.
pub(super) fn calling(stage: &StagePlan) -> Result<Calling, DataflowError> {
    let option = |name: &str| lookup(&stage.options, name);
    let duration = |name: &str, otherwise: i64| {
        let ns = option(name).and_then(Value::as_duration_ns).unwrap_or(otherwise);
        u64::try_from(ns).map_err(|_| wrong(stage, format!("`{name}` must not be negative")))
    };
    let timeout_ns = duration("timeout", 60_000_000_000)?;
    let linger_ns = duration("linger", 0)?;
    if timeout_ns == 0 {
        return Err(wrong(stage, "`timeout` must be above 0"));
    }
    if linger_ns >= timeout_ns {
        return Err(wrong(stage, "`linger` must be shorter than `timeout`, it is part of it"));
    }
    let batch_tokens = match option("batch_tokens") {
        None | Some(Value::Null) => None,
        Some(_) => Some(count(stage, "batch_tokens", 1, i64::MAX, 1)? as u64),
    };
    let word = |name: &str| option(name).and_then(Value::as_str);
    Ok(Calling {
        batch: count(stage, "batch", 1, MOST_ITEMS, 1)? as usize,
        batch_tokens,
        linger_ns,
        timeout_ns,
        lane: word("lane").and_then(Lane::parse).unwrap_or_default(),
        cache: word("cache").and_then(CacheMode::parse).unwrap_or_default(),
    })
}

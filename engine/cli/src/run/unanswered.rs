//! Requests that were inside when their process ended. Their clients have gone and nobody asks them
//! a second time, so they are settled as dead before the run goes on.

use std::path::Path;

use sage_dataflow::commit::{self, Commit};
use sage_dataflow::{DataflowError, is_served};
use sage_dsl::plan::Plan;
use serde_json::Value;

use crate::regular;

/// Put the run in `out` back to what it has committed. Of a service `came` requests had come, as far
/// as was reported; how many of them were lost is told, too, and nothing of what is no service.
pub(super) fn recover(
    plan: &Plan,
    out: &Path,
    came: u64,
) -> Result<(Commit, Option<u64>), DataflowError> {
    if !is_served(plan) {
        return Ok((commit::recover(out)?, None));
    }
    let committed = commit::read(out)?.outcomes.total();
    let whole = commit::recover_service(out, came)?;
    let lost = whole.outcomes.total().saturating_sub(committed);
    Ok((whole, Some(lost)))
}

/// The same when another command goes on with the run.
pub(super) fn recover_earlier(plan: &Plan, out: &Path) -> Result<Commit, DataflowError> {
    // The end of the command before, if it lived to tell of it.
    let metrics =
        regular::read(&out.join("metrics.json"), regular::DESCRIPTION).unwrap_or_default();
    let metrics: Value = serde_json::from_slice(&metrics).unwrap_or_default();
    let came = metrics["tasks_in"].as_u64().unwrap_or(0);
    Ok(recover(plan, out, came)?.0)
}

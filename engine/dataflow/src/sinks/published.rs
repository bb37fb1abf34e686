//! What became of the rows of a sink that sends them on: delivered, or kept for a run that goes on.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use sage_dsl::plan::SinkPlan;

use super::{PARTS, http_post, kafka, part_of};
use crate::commit::Commit;
use crate::error::DataflowError;
use crate::kafka::mark::delivered;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Where they go.
    pub place: String,
    /// Rows that it has.
    pub delivered: u64,
    /// Rows that are committed, and of which it is not known that it has them.
    pub kept: u64,
}

/// Of a sink of the run in `out`; `None` for one that does not send its rows on.
pub fn published(
    out: &Path,
    plan: &SinkPlan,
    commit: &Commit,
) -> Result<Option<Published>, DataflowError> {
    let place = match http_post::url(plan) {
        Some(url) => url,
        None => match kafka::topic(plan) {
            Some(topic) => format!("topic {topic}"),
            None => return Ok(None),
        },
    };
    let mut all = Published { place, delivered: 0, kept: 0 };
    let prefix = format!("{PARTS}/{}.", part_of(plan));
    for (part, extent) in commit.files.iter().filter(|(part, _)| part.starts_with(&prefix)) {
        let at = delivered(out, part);
        let rows = if at >= extent.length { extent.rows } else { rows(&out.join(part), at)? };
        all.delivered += rows;
        all.kept += extent.rows.saturating_sub(rows);
    }
    Ok(Some(all))
}

/// Rows in the first `length` bytes of a part.
fn rows(path: &Path, length: u64) -> Result<u64, DataflowError> {
    let failed = |reason| DataflowError::File { action: "read", path: path.to_owned(), reason };
    if length == 0 {
        return Ok(0);
    }
    let mut reader = BufReader::new(File::open(path).map_err(failed)?.take(length));
    let mut rows = 0;
    loop {
        let bytes = reader.fill_buf().map_err(failed)?;
        let read = bytes.len();
        if read == 0 {
            return Ok(rows);
        }
        rows += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        reader.consume(read);
    }
}

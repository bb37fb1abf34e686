//! Where answers that were paid for are kept.

use std::path::PathBuf;

use sage_core::endpoint::CacheMode;
use sage_dsl::plan::{Plan, lookup};
use sage_dsl::types::Value;
use sage_llm::journal::{CONTENT_BYTES, Journal, JournalConfig, Kind, RUN_BYTES, default_folder};

use crate::exit::{usage, usage_of};

/// The run's journal, in its folder.
pub(crate) const JOURNAL: &str = "journal";

/// Where answers are kept.
pub(crate) struct Kept {
    /// Those of this run, for another attempt at it.
    pub(crate) journal: Option<Journal>,
    /// Those of `cache: content`, if a plan has it.
    pub(crate) content: Option<Journal>,
}

/// Their folders.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// Of the run's journal; `None` keeps nothing for another attempt.
    pub(crate) journal: Option<PathBuf>,
    /// Of the cache by content; `None` is the user's.
    pub(crate) content: Option<PathBuf>,
}

impl Kept {
    /// Open the run's journal, and the cache if one of the plans asks for it.
    pub(crate) fn open(plans: &[&Plan], places: Places) -> anyhow::Result<Kept> {
        let open = |path: PathBuf, max_bytes, kind| {
            Journal::open(JournalConfig { path, max_bytes, kind }).map_err(usage_of)
        };
        let journal = places.journal.map(|path| open(path, RUN_BYTES, Kind::Run)).transpose()?;
        let wanted = plans.iter().flat_map(|plan| plan.stages()).any(|stage| {
            lookup(&stage.options, "cache").and_then(Value::as_str)
                == Some(CacheMode::Content.as_str())
        });
        let content = match (wanted, places.content.or_else(default_folder)) {
            (false, _) => None,
            (true, Some(folder)) => Some(open(folder, CONTENT_BYTES, Kind::Content)?),
            (true, None) => {
                return Err(usage("`cache: content` needs a place: set SAGE_CACHE_DIR, or HOME"));
            }
        };
        Ok(Kept { journal, content })
    }
}

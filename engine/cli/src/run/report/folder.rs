//! The run's output folder: what an earlier run left is cleared, half lines are cut.

use std::path::{Component, Path};

use anyhow::Context;
use sage_dataflow::sinks::file_name;
use sage_dsl::plan::Plan;

use crate::exit::usage;

/// Files every run writes.
pub(crate) const OWN_FILES: [&str; 8] = [
    "metrics.json",
    "summary.txt",
    "setup.json",
    "plan.json",
    sage_dataflow::TASKS,
    sage_dataflow::DECISIONS,
    sage_dataflow::TIMELINE,
    sage_dataflow::DEAD_LETTERS,
];

/// Make the output folder and clear what an earlier run left in it; tells whether there was one.
pub(crate) fn prepare(out: &Path) -> anyhow::Result<bool> {
    let failed = |error| usage(format!("--out {}: {error}", out.display()));
    let earlier = std::fs::read(out.join("plan.json")).ok();
    let earlier = earlier.and_then(|plan| serde_json::from_slice::<Plan>(&plan).ok());
    let sinks = earlier.iter().flat_map(|plan| plan.sinks.iter().filter_map(file_name));
    let own = OWN_FILES.iter().map(|name| (*name).to_owned());
    // A plan that somebody else wrote must not name files outside of the folder.
    let within = |name: &String| {
        Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
    };
    for name in sinks.chain(own).filter(within) {
        match std::fs::remove_file(out.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
    }
    for folder in [sage_dataflow::sinks::parts_folder(out), out.join("index")] {
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(failed)?;
        }
    }
    std::fs::create_dir_all(sage_dataflow::sinks::parts_folder(out)).map_err(failed)?;
    Ok(earlier.is_some())
}

/// A killed worker may leave half a line at the end of a table.
pub(super) fn cut_half_line(path: &Path) -> anyhow::Result<()> {
    let Ok(text) = std::fs::read(path) else { return Ok(()) };
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        std::fs::write(path, &text[..whole])
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}

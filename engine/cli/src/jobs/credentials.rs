//! A place for what opens a run: beside the records of jobs, in a folder for the user alone.

use std::path::PathBuf;

use anyhow::Context;

use super::place;

/// Name of the folder.
const FOLDER: &str = "credentials";

/// A path for a file that does not exist yet, in a folder that is the user's alone.
pub(crate) fn credentials_file() -> anyhow::Result<PathBuf> {
    let folder = place::folder()?.with_file_name(FOLDER);
    place::make(&folder).with_context(|| format!("`{}`", folder.display()))?;
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(folder.join(name))
}

//! Where the state directory is, and that it is the user's alone.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::exit::usage;

/// What to do about a place that cannot be used.
pub(super) const ELSEWHERE: &str = "set SAGE_STATE_DIR to a folder you may write to";

/// The folder of the jobs: `$SAGE_STATE_DIR`, else `$XDG_STATE_HOME/sage-flow`, else
/// `~/.local/state/sage-flow`, and `jobs` in it.
pub(super) fn folder() -> anyhow::Result<PathBuf> {
    let root = state().ok_or_else(|| {
        usage("there is no place for the state of jobs: set SAGE_STATE_DIR or HOME")
    })?;
    Ok(std::path::absolute(root)?.join("jobs"))
}

/// The folder of what is kept between runs, if there is a place for it.
pub(crate) fn state() -> Option<PathBuf> {
    folder_of(|name| std::env::var_os(name))
}

fn folder_of(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // The XDG specification has relative paths ignored.
    let state = || set("XDG_STATE_HOME").filter(|path| path.is_absolute());
    set("SAGE_STATE_DIR")
        .or_else(|| state().map(|path| path.join("sage-flow")))
        .or_else(|| set("HOME").map(|home| home.join(".local/state/sage-flow")))
}

/// Make the folder, with all above it that is missing, for the user alone.
///
/// What is said there names processes to be ended, so a folder of somebody else is refused.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    check(folder)?;
    let mode = fs::symlink_metadata(folder)?.mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Whether the folder is one, and the user's.
pub(super) fn check(folder: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() {
        return Err(io::Error::other("it is no folder"));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_where_the_variables_say() {
        let with = |pairs: &'static [(&str, &str)]| {
            folder_of(move |name| {
                let pair = pairs.iter().find(|(variable, _)| *variable == name)?;
                Some(OsString::from(pair.1))
            })
        };
        let expect = |pairs, path: &str| assert_eq!(with(pairs), Some(PathBuf::from(path)));
        expect(&[("SAGE_STATE_DIR", "/a"), ("XDG_STATE_HOME", "/b"), ("HOME", "/c")], "/a");
        expect(&[("XDG_STATE_HOME", "/b"), ("HOME", "/c")], "/b/sage-flow");
        expect(&[("XDG_STATE_HOME", "b"), ("HOME", "/c")], "/c/.local/state/sage-flow");
        expect(&[("SAGE_STATE_DIR", ""), ("HOME", "/c")], "/c/.local/state/sage-flow");
        assert_eq!(with(&[]), None);
    }

    #[test]
    fn the_folder_is_the_users_alone() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("state/jobs");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        make(&folder).unwrap();
        assert_eq!((mode(&folder), mode(folder.parent().unwrap())), (0o700, 0o700));
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        make(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        fs::remove_dir(&folder).unwrap();
        std::os::unix::fs::symlink(outer.path(), &folder).unwrap();
        assert!(make(&folder).unwrap_err().to_string().contains("no folder"));
    }
}

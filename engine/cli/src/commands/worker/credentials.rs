//! What a worker shows to be let in: lines of `NAME=VALUE`, or the environment.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;
use sage_cluster::{Join, Secret, Tls};

use crate::exit::usage;

/// Longest text that is read.
const MOST_BYTES: u64 = 1 << 20;

/// Values by name. It has no `Debug`: they are secrets.
pub(super) struct Credentials(BTreeMap<String, String>);

impl Credentials {
    /// Of the environment.
    pub(super) fn of_environment() -> Self {
        let own = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| is_ours(name))?;
            Some((name, value.into_string().ok()?))
        });
        Self(own.collect())
    }

    /// Of a file that is the user's alone, or of the standard input for `-`, up to an empty line.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        if path.as_os_str() == "-" {
            // Not to its end: who hands them over may keep it open, to be told when this one ends.
            return Self::parse(std::io::stdin().lock()).context("--credentials -");
        }
        let shown = path.display();
        let file = File::open(path).map_err(|error| {
            usage(format!("--credentials {shown}: {error}; `run --launcher join` says where it is"))
        })?;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            return Err(usage(format!(
                "--credentials {shown}: others than its owner may read it; `chmod 600 {shown}`"
            )));
        }
        Self::parse(BufReader::new(file)).with_context(|| format!("--credentials {shown}"))
    }

    /// The error does not repeat what it is about.
    fn parse(text: impl BufRead) -> anyhow::Result<Self> {
        let mut values = BTreeMap::new();
        for (number, line) in text.take(MOST_BYTES).lines().enumerate() {
            let line = line?;
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once('=').with_context(|| {
                format!("line {} is not NAME=VALUE; take the file from the run anew", number + 1)
            })?;
            values.insert(name.to_owned(), value.to_owned());
        }
        Ok(Self(values))
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// All of them, for another process.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }
}

fn is_ours(name: &str) -> bool {
    name == Secret::VARIABLE || name == Tls::VARIABLE || Join::is_place(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_ends_at_an_empty_line() {
        let text = "A=1\nB=x=y\r\n\nC=3\n";
        let read = Credentials::parse(text.as_bytes()).unwrap();
        assert_eq!(read.get("A").as_deref(), Some("1"));
        assert_eq!(read.get("B").as_deref(), Some("x=y"));
        assert_eq!(read.get("C"), None);
    }

    #[test]
    fn a_damaged_line_is_named_and_not_repeated() {
        let error = Credentials::parse("A=1\nhidden\n".as_bytes()).err().unwrap();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert!(!format!("{error:?}").contains("hidden"));
    }
}

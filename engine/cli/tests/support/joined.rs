//! Workers that join a run by themselves, each over a [`Strait`] of its own.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests; each test file uses its own part"
)]

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::strait::Strait;
use super::support::workers_of;

/// What a run of `--launcher join` says when it waits: address and file of credentials.
pub fn invitation(said: &str) -> Option<(&str, &str)> {
    let (_, invitation) = said.split_once("worker --join ")?;
    let (address, rest) = invitation.split_once(" --credentials ")?;
    let (credentials, _) = rest.split_once('\n')?;
    Some((address, credentials))
}

/// Workers of one run; ended when dropped.
pub struct Joined {
    workers: Vec<(Child, Strait)>,
}

impl Joined {
    /// So many, for the run that has said so in `folder`.
    pub fn start(folder: &Path, workers: u64, (address, credentials): (&str, &str)) -> Self {
        let join = |_| {
            let strait = Strait::of_control(address.parse().unwrap());
            let mut command = Command::new(env!("CARGO_BIN_EXE_sage-flow"));
            command.args(["worker", "--join", &strait.address.to_string()]);
            command.args(["--credentials", credentials]).current_dir(folder);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            (command.spawn().unwrap(), strait)
        };
        Joined { workers: (0..workers).map(join).collect() }
    }

    /// Process numbers of those that are at work, or about to be.
    pub fn pids(&self) -> Vec<u32> {
        self.workers.iter().flat_map(|(keeper, _)| workers_of(keeper.id())).collect()
    }

    /// The process of a worker, by its number in the run.
    pub fn worker(&self, index: usize) -> Option<u32> {
        let is = |(_, strait): &&(Child, Strait)| strait.index() == Some(index);
        let (keeper, _) = self.workers.iter().find(is)?;
        workers_of(keeper.id()).first().copied()
    }

    pub fn straits(&self) -> Vec<Strait> {
        self.workers.iter().map(|(_, strait)| strait.clone()).collect()
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        for (keeper, strait) in &mut self.workers {
            strait.heal();
            // Its worker ends with it.
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
    }
}

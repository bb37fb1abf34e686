//! The process that a keeper keeps.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context;

use super::super::WorkerArguments;
use super::super::credentials::Credentials;
use super::{JOINED, KEPT};
use crate::jobs::{Life, Process};

/// So many looks in a row at a process that is stopped, and the run has given it up: that takes a
/// silence of 1.5 s. Looks are counted, and not time, since this process may have been stopped, too.
const STOPPED: u32 = 125;

/// See the module.
pub(super) struct Kept {
    child: Child,
    process: Option<Process>,
    joined: Arc<AtomicBool>,
    stopped: u32,
}

/// What became of it.
pub(super) enum Seen {
    Alive,
    Ended(ExitStatus),
    /// It is stopped, and has been for so long that no run waits for it.
    Forgotten,
}

impl Kept {
    pub(super) fn start(
        arguments: &WorkerArguments,
        credentials: &Credentials,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["worker", "--once", "--join", &arguments.join]);
        let files = &arguments.files;
        for (option, file) in [
            ("--tls-authority", &files.tls_authority),
            ("--tls-certificate", &files.tls_certificate),
            ("--tls-key", &files.tls_key),
        ] {
            if let Some(file) = file {
                command.arg(option).arg(file);
            }
        }
        command.envs(credentials.iter()).env(KEPT, std::process::id().to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("the worker could not be started")?;
        let joined = Arc::new(AtomicBool::new(false));
        if let Some(said) = child.stdout.take() {
            let joined = Arc::clone(&joined);
            // To its end: a process that prints must not wait for a reader.
            thread::Builder::new().name("joined".into()).spawn(move || {
                for line in BufReader::new(said).lines().map_while(Result::ok) {
                    joined.fetch_or(line == JOINED, Ordering::Relaxed);
                }
            })?;
        }
        let process = Process::of(child.id());
        Ok(Kept { child, process, joined, stopped: 0 })
    }

    /// Whether it is or was part of a run.
    pub(super) fn has_joined(&self) -> bool {
        self.joined.load(Ordering::Relaxed)
    }

    pub(super) fn look(&mut self) -> anyhow::Result<Seen> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(Seen::Ended(status));
        }
        let stopped = self.process.is_some_and(|process| process.life() == Life::Stopped);
        self.stopped = if stopped { self.stopped + 1 } else { 0 };
        Ok(if self.stopped == STOPPED { Seen::Forgotten } else { Seen::Alive })
    }

    /// The run finds it gone at once, and goes on without it.
    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

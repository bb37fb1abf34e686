//! Keeps a process that works for a run, and sends another when the run goes on without it.
//!
//! A run that has lost one worker needs all others anew: a dataflow cannot go on with a part of its
//! processes. Workers that the run started are started by it again; one that was started by hand has
//! this process to do so.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::WorkerArguments;
use super::credentials::Credentials;
use super::work::EXIT_NOBODY;
use crate::exit::Exit;

/// A run that was there, and does not answer for so long, is over.
const GONE: Duration = Duration::from_secs(5);
/// A run that was never there is waited for.
const EARLY: Duration = Duration::from_secs(60);
/// Pause before the next try.
const PAUSE: Duration = Duration::from_millis(200);
/// How often signals are looked for.
const LOOK: Duration = Duration::from_millis(20);

/// Said to a worker that somebody keeps.
pub(super) const KEPT: &str = "SAGE_FLOW_KEPT_BY";

pub(super) fn keep(arguments: &WorkerArguments, credentials: &Credentials) -> anyhow::Result<Exit> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let (mut since, mut patience) = (Instant::now(), EARLY);
    let mut done = false;
    loop {
        let mut child = start(arguments, credentials)?;
        let Some(status) = wait(&mut child, &stop)? else {
            // The run finds it gone at once, and goes on without it.
            child.kill()?;
            child.wait()?;
            return Ok(Exit::Interrupted);
        };
        match status.code() {
            // The run may have lost another one at the very end, and need all of them once more.
            Some(0) => done = true,
            Some(EXIT_NOBODY) if done => return Ok(Exit::Complete),
            Some(EXIT_NOBODY) if since.elapsed() < patience => {}
            Some(EXIT_NOBODY) => {
                let join = &arguments.join;
                anyhow::bail!("there is no run at {join} (any more); the worker ends");
            }
            // It has said why; it would be the same again.
            Some(code @ 1..=3) => std::process::exit(code),
            _ => {
                eprintln!("the worker {}; it joins again", ended(status));
                (since, patience) = (Instant::now(), GONE);
                done = false;
            }
        }
        thread::sleep(PAUSE);
    }
}

fn start(arguments: &WorkerArguments, credentials: &Credentials) -> anyhow::Result<Child> {
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
    command.stdin(Stdio::null()).spawn().context("the worker could not be started")
}

/// Its end, or `None` if this process is asked to end first.
fn wait(child: &mut Child, stop: &AtomicBool) -> anyhow::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(75), _) => "has lost the run".to_owned(),
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

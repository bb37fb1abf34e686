//! Keeps a process that works for a run, and sends another when the run goes on without it.
//!
//! A run that has lost one worker needs all others anew: a dataflow cannot go on with a part of its
//! processes. Workers that the run started are started by it again; one that was started by hand has
//! this process to do so.
//!
//! A stop that is asked for by a signal is the run's business while the worker is part of one: the
//! supervisor has been asked as well, and drains. So the first signal means that no other process
//! is sent, and the second ends the one there is.

mod asked;
mod child;

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use self::asked::Asked;
use self::child::{Kept, Seen};
use super::WorkerArguments;
use super::credentials::Credentials;
use super::work::{EXIT_NOBODY, EXIT_UNKNOWN};
use crate::exit::Exit;

/// A run that was there, and does not answer for so long, is over.
const GONE: Duration = Duration::from_secs(5);
/// A run that was never there is waited for.
const EARLY: Duration = Duration::from_secs(60);
/// Pause before the next try.
const PAUSE: Duration = Duration::from_millis(200);
/// How often signals are looked for.
const LOOK: Duration = Duration::from_millis(20);
/// Who is not part of a run after so long is told why that may be.
const LONG: Duration = Duration::from_secs(10);

/// Said to a worker that somebody keeps.
pub(super) const KEPT: &str = "SAGE_FLOW_KEPT_BY";
/// What such a worker says when it is part of the run.
pub(super) const JOINED: &str = "joined";

pub(super) fn keep(arguments: &WorkerArguments, credentials: &Credentials) -> anyhow::Result<Exit> {
    let mut asked = Asked::listen()?;
    let join = &arguments.join;
    let (mut since, mut patience) = (Instant::now(), EARLY);
    let (mut done, mut early, mut explained) = (false, true, false);
    // Of what the wait is for, what was said last.
    let mut told = None;
    loop {
        let mut child = Kept::start(arguments, credentials)?;
        let began = Instant::now();
        let status = loop {
            match child.look()? {
                Seen::Ended(status) => break status,
                Seen::Forgotten => {
                    say("the worker was stopped, and the run goes on without it");
                    child.end()?;
                }
                Seen::Alive => {}
            }
            // A second signal does not wait for the run, and who is part of none waits for nothing.
            let asked = asked.times();
            if asked > 1 || asked == 1 && !child.has_joined() {
                child.end()?;
                return Ok(Exit::Interrupted);
            }
            if !explained && !child.has_joined() && began.elapsed() > LONG {
                explained = true;
                say(&format!(
                    "the run at {join} has not begun, or has all its workers; this one waits until it \
                     is needed"
                ));
            }
            thread::sleep(LOOK);
        };
        early &= !child.has_joined();
        match status.code() {
            Some(0) if asked.times() > 0 => return Ok(Exit::Complete),
            _ if asked.times() > 0 => return Ok(Exit::Interrupted),
            // The run may have lost another one at the very end, and need all of them once more.
            Some(0) => done = true,
            Some(EXIT_NOBODY | EXIT_UNKNOWN) if done => return Ok(Exit::Complete),
            Some(code @ (EXIT_NOBODY | EXIT_UNKNOWN)) if since.elapsed() < patience => {
                if early && told.replace(code) != Some(code) {
                    let most = patience.as_secs();
                    let what = match code {
                        EXIT_UNKNOWN => "the host of that name is not known",
                        _ => "nobody is there",
                    };
                    say(&format!("--join {join}: {what} yet; the worker waits up to {most} s"));
                }
            }
            Some(EXIT_UNKNOWN) => {
                anyhow::bail!(
                    "--join {join}: the name of the host could not be resolved for {} s; correct \
                     it, or give the address of the host",
                    patience.as_secs()
                );
            }
            Some(EXIT_NOBODY) => {
                anyhow::bail!("there is no run at {join} (any more); the worker ends");
            }
            // It has said why; it would be the same again.
            Some(code @ 1..=3) => std::process::exit(code),
            _ => {
                say(&format!("the worker {}; it joins again", ended(status)));
                (since, patience) = (Instant::now(), GONE);
                done = false;
            }
        }
        thread::sleep(PAUSE);
    }
}

/// The terminal may be gone, and that is no reason to end.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(75), _) => "has lost the run".to_owned(),
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

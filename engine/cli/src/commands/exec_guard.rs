//! `exec-guard`, which workers start for themselves: ends the programs of a worker that is gone.
//!
//! It is this binary, so that it is wherever workers are. See `sage_exec::guard`.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use crate::exit::Exit;

/// The name of the verb.
const VERB: &str = "exec-guard";

/// How a worker starts it.
pub(super) fn command() -> anyhow::Result<Command> {
    // A name stays right when the file is replaced while the run goes on, where there is one.
    let own = std::path::Path::new("/proc/self/exe");
    let mut command =
        if own.exists() { Command::new(own) } else { Command::new(std::env::current_exe()?) };
    command.arg0("sage-flow").arg(VERB);
    Ok(command)
}

pub(super) fn exec_guard() -> anyhow::Result<Exit> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    // Whoever sends these to all processes of a run still wants the programs to be ended.
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::default())?;
    }
    sage_exec::guard(std::io::stdin().lock());
    Ok(Exit::Complete)
}

//! Workers that are started by hand, or by something that this program does not know.
//!
//! It starts nothing. It writes down what such workers need, for the user's eyes only, says once
//! where that is, and leaves the rest to whoever runs `sage-flow worker --join`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};

use super::{Exit, Launcher, LauncherEntry, WorkerProcess};
use crate::worker::Join;

pub(super) const ENTRY: LauncherEntry = LauncherEntry {
    name: "join",
    summary: "starts nothing: workers join by `sage-flow worker --join`, started by you",
};

/// What is said when the file is there: the address of the control port, and the file.
pub type JoinHook = Box<dyn Fn(SocketAddr, &Path) + Send>;

/// Waits for workers to join; its file of credentials is removed with it.
///
/// One launcher serves all generations of a run, with one secret and one control port: workers join
/// again with what they were given first.
pub struct JoinLauncher {
    path: PathBuf,
    announce: JoinHook,
    /// Its lock says, until this process ends, that the file is in use.
    written: Option<File>,
}

impl JoinLauncher {
    /// With a file at `path` that must not exist yet.
    pub fn new(path: PathBuf, announce: JoinHook) -> Self {
        Self { path, announce, written: None }
    }

    fn write(&mut self, env: &[(String, String)]) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path)?;
        // Where there are no locks, nobody can tell; that is no reason not to run.
        let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
        let file = self.written.insert(file);
        for (name, value) in env.iter().filter(|(name, _)| !Join::is_place(name)) {
            writeln!(file, "{name}={value}")?;
        }
        file.sync_all()
    }
}

impl Launcher for JoinLauncher {
    fn launch(
        &mut self,
        _index: usize,
        join: SocketAddr,
        env: &[(String, String)],
    ) -> io::Result<Box<dyn WorkerProcess>> {
        if self.written.is_none() {
            self.write(env)?;
            (self.announce)(join, &self.path);
        }
        Ok(Box::new(Joined::default()))
    }
}

impl Drop for JoinLauncher {
    fn drop(&mut self) {
        if self.written.is_some() {
            // Without the run it opens nothing.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A process of which only its connection is known.
#[derive(Default)]
struct Joined {
    ended: Mutex<bool>,
    changed: Condvar,
}

impl WorkerProcess for Joined {
    fn wait(&self) -> io::Result<Exit> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_while(ended, |ended| !*ended));
        Ok(Exit::Unknown)
    }

    /// The process itself is out of reach. Its connection is closed meanwhile, which ends it.
    fn kill(&self) -> io::Result<()> {
        self.disconnected();
        Ok(())
    }

    fn disconnected(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

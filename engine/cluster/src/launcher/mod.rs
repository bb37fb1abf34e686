//! Launchers: how a worker process comes to be. One file each; the supervisor needs only this.

pub(crate) mod compose;
pub(crate) mod hosts;
pub(crate) mod join;
pub(crate) mod k8s;
pub(crate) mod local;
pub(crate) mod manifest;
pub(crate) mod slurm;
pub(crate) mod ssh;
mod tail;

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// A launcher, for lists and help.
#[derive(Debug, Clone, Copy)]
pub struct LauncherEntry {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
}

/// All launchers, by name.
pub const LAUNCHERS: &[LauncherEntry] =
    &[compose::ENTRY, join::ENTRY, k8s::ENTRY, local::ENTRY, slurm::ENTRY, ssh::ENTRY];

/// Starts worker processes somewhere: on this host, over ssh, by a batch system.
pub trait Launcher {
    /// Starts worker `index`, which is to dial `join`. `env` must reach its environment: it carries
    /// the secret, so it belongs neither on a command line nor in a log.
    fn launch(
        &mut self,
        index: usize,
        join: SocketAddr,
        env: &[(String, String)],
    ) -> io::Result<Box<dyn WorkerProcess>>;
}

/// A worker process that was started. One thread waits while another may kill.
pub trait WorkerProcess: Send + Sync {
    /// Blocks until the process has ended and reaps it.
    fn wait(&self) -> io::Result<Exit>;

    /// Ends the process at once; it is no error if it has ended already.
    fn kill(&self) -> io::Result<()>;

    /// Its control connection has ended. For launchers that see nothing else of a process: its
    /// [`WorkerProcess::wait`] may return now.
    fn disconnected(&self) {}

    /// The number of the process, if it is one of this host.
    fn id(&self) -> Option<u32> {
        None
    }

    /// The host it is on, if that is another one and known.
    fn host(&self) -> Option<&str> {
        None
    }

    /// The last lines of its standard error, where the launcher can see them.
    fn last_stderr(&self) -> String {
        String::new()
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It has ended, but the launcher could not learn how.
    Unknown,
}

impl Exit {
    /// Whether the process returned 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(9) => f.write_str("was killed by signal 9 (SIGKILL; out of memory?)"),
            Self::Signal(signal) => write!(f, "was killed by signal {signal}"),
            Self::Unknown => f.write_str("ended in an unknown way"),
        }
    }
}

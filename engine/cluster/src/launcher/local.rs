//! Worker processes on this host.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::tail::Tail;
use super::{Exit, Launcher, LauncherEntry, WorkerProcess};

/// For lists and help.
pub(super) const ENTRY: LauncherEntry =
    LauncherEntry { name: "local", summary: "worker processes on this host (the default)" };

/// Called for each line a worker writes to its standard error, with the worker's index.
pub type StderrHook = Arc<dyn Fn(usize, &str) + Send + Sync>;

/// Runs `PROGRAM [ARGUMENTS] worker --join ADDRESS` once for each worker.
///
/// Worker 0 hosts the standard streams a pipeline may read and write: it inherits stdout, and stdin
/// if asked. The others read and write nothing. Standard error of all is captured.
///
/// Workers get a process group of their own, so that Ctrl-C in a terminal reaches the supervisor
/// alone, which then asks them to drain. A worker that inherits stdin stays in the terminal's
/// foreground group, since a background process may not read the terminal; for its sake the worker
/// binary ignores SIGINT as well.
#[derive(Clone, Default)]
pub struct LocalLauncher {
    /// The program; by default the one that is running.
    pub program: Option<PathBuf>,
    /// Arguments in front of `worker --join ADDRESS`.
    pub arguments: Vec<OsString>,
    /// Variables the workers do not inherit: keys that only the supervisor needs.
    pub without: Vec<String>,
    /// Whether worker 0 reads the supervisor's standard input.
    pub inherit_stdin: bool,
    /// Sees each line of the workers' standard error, in a thread of its own for each worker.
    pub on_stderr: Option<StderrHook>,
}

impl Launcher for LocalLauncher {
    fn launch(
        &mut self,
        index: usize,
        join: SocketAddr,
        env: &[(String, String)],
    ) -> io::Result<Box<dyn WorkerProcess>> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => std::env::current_exe()?,
        };
        let mut command = Command::new(program);
        command.args(&self.arguments).args(["worker", "--join", &join.to_string()]);
        for name in &self.without {
            command.env_remove(name);
        }
        command.envs(env.iter().map(|(name, value)| (name, value)));
        command.stderr(Stdio::piped());
        command.stdout(if index == 0 { Stdio::inherit() } else { Stdio::null() });
        if index == 0 && self.inherit_stdin {
            command.stdin(Stdio::inherit());
        } else {
            command.stdin(Stdio::null()).process_group(0);
        }
        Ok(Box::new(LocalProcess::follow(command.spawn()?, index, self.on_stderr.clone())?))
    }
}

/// A child of this process whose standard error is followed.
pub(super) struct LocalProcess {
    pid: Pid,
    child: Mutex<Child>,
    tail: Arc<Tail>,
}

impl LocalProcess {
    /// Takes over a child; its standard error must be a pipe to be seen.
    pub(super) fn follow(
        mut child: Child,
        index: usize,
        hook: Option<StderrHook>,
    ) -> io::Result<Self> {
        let stderr = child.stderr.take();
        let pid = Pid::from_child(&child);
        let process = Self { pid, child: Mutex::new(child), tail: Arc::default() };
        if let Some(stderr) = stderr {
            let tail = Arc::clone(&process.tail);
            let follow = move || {
                tail.follow(stderr, |line| {
                    if let Some(hook) = &hook {
                        hook(index, line);
                    }
                });
            };
            let started = thread::Builder::new().name(format!("stderr-{index}")).spawn(follow);
            if let Err(error) = started {
                process.kill()?;
                process.wait()?;
                return Err(error);
            }
        }
        Ok(process)
    }
}

impl WorkerProcess for LocalProcess {
    fn wait(&self) -> io::Result<Exit> {
        // Waits without the lock and without reaping, then reaps under the lock. So a kill never
        // waits for the child, and never hits another process that got the same number.
        loop {
            match waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                // Reaped already: another thread waited, too, and left the status in the child.
                Ok(_) | Err(rustix::io::Errno::CHILD) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.wait().map(exit)
    }

    fn kill(&self) -> io::Result<()> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).kill()
    }

    fn id(&self) -> Option<u32> {
        u32::try_from(self.pid.as_raw_nonzero().get()).ok()
    }

    fn last_stderr(&self) -> String {
        self.tail.text(Duration::from_millis(20))
    }
}

fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unknown,
    }
}

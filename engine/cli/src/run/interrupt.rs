//! Ctrl-C and SIGTERM: the first asks for a graceful stop, the second ends the run at once. A closed
//! terminal (SIGHUP) asks for a graceful stop, however often it is said: the shell says it, too.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Exit;

/// Counts interrupts; clones count the same ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupts(Arc<Heard>);

#[derive(Debug, Default)]
struct Heard {
    count: AtomicUsize,
    /// Whether the second ends the process.
    last: AtomicBool,
    /// Whether the first does.
    first: AtomicBool,
}

/// Whether a signal is ignored, as who started this process has said.
pub(crate) fn ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Which of the standard streams are a terminal, while there is one.
#[derive(Debug, Clone, Copy)]
struct Terminal {
    out: bool,
    err: bool,
}

impl Terminal {
    fn now() -> Self {
        Terminal { out: std::io::stdout().is_terminal(), err: std::io::stderr().is_terminal() }
    }

    /// The terminal is gone, and printing to it would fail: print nowhere.
    fn leave(self) {
        let Ok(nowhere) = OpenOptions::new().write(true).open("/dev/null") else { return };
        if self.out {
            let _ = rustix::stdio::dup2_stdout(&nowhere);
        }
        if self.err {
            let _ = rustix::stdio::dup2_stderr(&nowhere);
        }
    }
}

/// See [`Interrupts::starting`].
pub(crate) struct Starting<'i>(&'i Interrupts);

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        self.0.0.first.store(false, Ordering::Relaxed);
    }
}

/// The one that listens, once somebody asked.
static HEARD: Mutex<Option<Interrupts>> = Mutex::new(None);

impl Interrupts {
    /// Listen from now on. A process listens once, however many runs it makes: a signal is for the
    /// user's command and not for one of its runs, so those that come later hear of it, too.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let mut heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(interrupts) = &*heard {
            return Ok(interrupts.clone());
        }
        let interrupts = Interrupts::default();
        let heard_now = Arc::clone(&interrupts.0);
        let mut wanted = vec![SIGINT, SIGTERM];
        // `nohup` has it ignored, and that is to stay so.
        if !ignored(SIGHUP) {
            wanted.push(SIGHUP);
        }
        let mut signals = Signals::new(wanted)?;
        let terminal = Terminal::now();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                if signal == SIGHUP {
                    terminal.leave();
                    heard_now.count.fetch_max(1, Ordering::Relaxed);
                    continue;
                }
                let before = heard_now.count.fetch_add(1, Ordering::Relaxed);
                if heard_now.first.load(Ordering::Relaxed) {
                    eprintln!("interrupted before the run began");
                    std::process::exit(i32::from(Exit::Interrupted.code()));
                }
                if before > 0 && heard_now.last.load(Ordering::Relaxed) {
                    crate::jobs::cut_off(Exit::Interrupted);
                    std::process::exit(i32::from(Exit::Interrupted.code()));
                }
            }
        })?;
        *heard = Some(interrupts.clone());
        Ok(interrupts)
    }

    /// Interrupts so far.
    pub(crate) fn count(&self) -> usize {
        self.0.count.load(Ordering::Relaxed)
    }

    /// As long as the answer lives the first interrupt ends the process on the spot, if `alone`:
    /// while files are read that may be long, and nothing was started yet that has to be stopped.
    pub(crate) fn starting(&self, alone: bool) -> Starting<'_> {
        self.0.first.store(alone, Ordering::Relaxed);
        Starting(self)
    }

    /// Whether the second interrupt ends the process on the spot, for work that looks at interrupts
    /// only now and then and leaves nothing to be tidied up.
    pub(crate) fn second_is_last(&self, last: bool) {
        self.0.last.store(last, Ordering::Relaxed);
    }
}

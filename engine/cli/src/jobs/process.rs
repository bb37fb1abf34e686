//! Processes by number and time of start, and the machine that they are numbered on.
//!
//! The system gives a number away again once its process is gone. So a number alone is never
//! trusted: the start must match, and a signal goes through a file descriptor of the process, which
//! cannot come to mean another one between the look and the signal.

use std::fs;
use std::io;

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal, test_kill_process,
};
use serde::{Deserialize, Serialize};

/// A process of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Clock ticks from the start of the machine to that of the process.
    pub(crate) start: u64,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Life {
    Running,
    /// Held by SIGSTOP, a debugger or Ctrl-Z.
    Stopped,
    /// Gone, or only waiting for its parent to collect its exit code.
    Ended,
}

impl Life {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Life::Running => "running",
            Life::Stopped => "stopped",
            Life::Ended => "ended",
        }
    }
}

impl Process {
    /// The process of that number, if there is one.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Stat::of(pid).map(|stat| Process { pid, start: stat.start })
    }

    pub(crate) fn life(self) -> Life {
        match Stat::of(self.pid) {
            Some(stat) if stat.start == self.start => match stat.state {
                'Z' | 'X' | 'x' => Life::Ended,
                'T' | 't' => Life::Stopped,
                _ => Life::Running,
            },
            _ => Life::Ended,
        }
    }

    /// Send a signal, if it is still this process; false if it has ended.
    pub(crate) fn signal(self, signal: Signal) -> io::Result<bool> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(false);
        };
        let held = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(held) => Some(held),
            Err(Errno::SRCH) => return Ok(false),
            // Before Linux 5.3: what is left is a moment between the look and the signal.
            Err(Errno::NOSYS) => None,
            Err(error) => return Err(error.into()),
        };
        if self.life() == Life::Ended {
            return Ok(false);
        }
        let sent = match &held {
            Some(held) => pidfd_send_signal(held, signal),
            None => test_kill_process(pid).and_then(|()| kill_process(pid, signal)),
        };
        match sent {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The fields of `/proc/PID/stat` that are needed.
struct Stat {
    state: char,
    start: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name of the program, in parentheses, may hold anything, so counting begins behind it.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?.chars().next()?;
        // Field 22 of proc(5); `state` is field 3.
        let start = fields.nth(18)?.parse().ok()?;
        Some(Stat { state, start })
    }
}

/// Where process numbers mean something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) host: String,
    /// Of this start of the machine.
    pub(super) boot: String,
    /// The namespace of process numbers: a container has its own.
    pub(super) pids: String,
}

/// Where a job is, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its process numbers are those of here.
    Here,
    /// This machine was started again since: all its processes are gone.
    Before,
    /// On another host or in another container that shares the state directory: its processes
    /// cannot be seen.
    Elsewhere,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let pids = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Machine {
            host: read("/proc/sys/kernel/hostname"),
            boot: read("/proc/sys/kernel/random/boot_id"),
            pids: pids.to_string_lossy().into_owned(),
        }
    }

    /// Where a job of `self` is for somebody on `here`.
    pub(crate) fn seen_from(&self, here: &Machine) -> Place {
        match (self.boot == here.boot, self.host == here.host) {
            (true, _) if self.pids == here.pids => Place::Here,
            (false, true) => Place::Before,
            _ => Place::Elsewhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_number_that_was_given_anew_is_another_process() {
        let own = Process::of(std::process::id()).unwrap();
        assert_eq!(own.life(), Life::Running);
        let earlier = Process { start: own.start - 1, ..own };
        assert_eq!(earlier.life(), Life::Ended);
        // The kill would end this test.
        assert!(!earlier.signal(Signal::KILL).unwrap());
        assert!(!Process { pid: 0, start: 0 }.signal(Signal::KILL).unwrap());
        assert!(!Process { pid: u32::MAX, start: 0 }.signal(Signal::KILL).unwrap());
    }

    #[test]
    fn a_process_can_be_held_and_ended() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let process = Process::of(child.id()).unwrap();
        assert!(process.signal(Signal::STOP).unwrap());
        while process.life() == Life::Running {
            std::thread::yield_now();
        }
        assert_eq!(process.life(), Life::Stopped);
        assert!(process.signal(Signal::KILL).unwrap());
        while process.life() != Life::Ended {
            std::thread::yield_now();
        }
        // Not collected yet, and ended all the same.
        assert!(!process.signal(Signal::TERM).unwrap());
        child.wait().unwrap();
        assert_eq!(process.life(), Life::Ended);
    }

    #[test]
    fn the_name_of_a_program_may_hold_anything() {
        let rest = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        for name in ["x", "a b) S 1 (", ")))", ""] {
            let stat = Stat::parse(&format!("12 ({name}) R {rest}")).unwrap();
            assert_eq!((stat.state, stat.start), ('R', 4711));
        }
        for broken in
            ["", "12", "12 (x)", "12 (x) R 1 2", "12 (x) R 1 2 3 4 5 6 7 8 9 a b c d e f g h i j k"]
        {
            assert!(Stat::parse(broken).is_none(), "{broken}");
        }
    }

    #[test]
    fn machines_are_told_apart() {
        let machine = |host: &str, boot: &str, pids: &str| Machine {
            host: host.into(),
            boot: boot.into(),
            pids: pids.into(),
        };
        let here = machine("a", "1", "p");
        assert_eq!(here.seen_from(&here), Place::Here);
        assert_eq!(machine("renamed", "1", "p").seen_from(&here), Place::Here);
        assert_eq!(machine("a", "0", "p").seen_from(&here), Place::Before);
        assert_eq!(machine("b", "7", "p").seen_from(&here), Place::Elsewhere);
        assert_eq!(machine("a", "1", "container").seen_from(&here), Place::Elsewhere);
    }
}

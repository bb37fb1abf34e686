//! Ends the programs of a worker that is gone.
//!
//! A worker that is killed can end nobody any more, and a program that is busy does not notice that
//! its input has ended. So each worker has a process beside it, the guard, which knows the process
//! groups of all programs and waits for the end of its input. That comes however the worker ends,
//! and then the guard kills what is left. It is in a process group of its own, or a signal to the
//! group of the worker would end it first.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

/// The worker's end.
pub(crate) struct Guard {
    /// How it is started; without one there is none.
    command: Option<Command>,
    running: Option<(Child, ChildStdin)>,
    groups: BTreeSet<i32>,
}

impl Guard {
    pub(crate) fn new(command: Option<Command>) -> Self {
        Guard { command, running: None, groups: BTreeSet::new() }
    }

    /// Start it, if it does not run. To be called before a program is started, so that nearly no
    /// time is left in which nobody knows of the program.
    pub(crate) fn ready(&mut self) -> io::Result<()> {
        if let Some((child, _)) = &mut self.running
            && child.try_wait()?.is_none()
        {
            return Ok(());
        }
        self.running = None;
        let Some(command) = &mut self.command else { return Ok(()) };
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let mut input = child.stdin.take().ok_or_else(|| io::Error::other("it has no pipe"))?;
        let known: String = self.groups.iter().map(|group| format!("+{group}\n")).collect();
        input.write_all(known.as_bytes())?;
        self.running = Some((child, input));
        Ok(())
    }

    /// A program has started.
    pub(crate) fn add(&mut self, group: Pid) -> io::Result<()> {
        let group = group.as_raw_nonzero().get();
        self.groups.insert(group);
        if self.tell(&format!("+{group}\n")).is_ok() {
            return Ok(());
        }
        // It was killed. The next one is told of all.
        self.running = None;
        self.ready()
    }

    /// A program has ended, and its number may be given to another process.
    pub(crate) fn remove(&mut self, group: Pid) {
        let group = group.as_raw_nonzero().get();
        self.groups.remove(&group);
        if self.tell(&format!("-{group}\n")).is_err() {
            self.running = None;
        }
    }

    fn tell(&mut self, line: &str) -> io::Result<()> {
        match &mut self.running {
            Some((_, input)) => input.write_all(line.as_bytes()),
            None => Ok(()),
        }
    }
}

/// The business of the guard: hear of programs until the worker is gone, and kill what is left.
pub fn guard(input: impl BufRead) {
    for group in left(input).into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// The groups that were not taken back when the input ended.
fn left(input: impl BufRead) -> BTreeSet<i32> {
    let mut groups = BTreeSet::new();
    for line in input.lines() {
        let Ok(line) = line else { break };
        let number = |text: &str| text.parse::<i32>().ok().filter(|it| *it > 1);
        if let Some(group) = line.strip_prefix('+').and_then(number) {
            groups.insert(group);
        } else if let Some(group) = line.strip_prefix('-').and_then(number) {
            groups.remove(&group);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_taken_back_is_left_and_nothing_else() {
        let numbers = |text: &str| -> Vec<i32> { left(text.as_bytes()).into_iter().collect() };
        assert_eq!(numbers("+7\n+9\n-7\n+11\n-11\n+11\n"), [9, 11]);
        // Killing group 0 would end the guard itself, and group 1 everybody.
        assert_eq!(numbers("+0\n+1\n+-5\n+x\n\n-\n+99999999999\n+8\n"), [8]);
        assert_eq!(numbers(""), [0; 0]);
    }

    #[test]
    fn one_that_was_killed_is_replaced_and_the_next_one_told_of_all() {
        let folder = tempfile::tempdir().unwrap();
        let heard = folder.path().join("heard");
        let mut command = Command::new("sh");
        // What it hears, a line at a time, so that the last one is there when it is killed.
        command.args(["-c", "while read -r line; do echo \"$line\" >> \"$0\"; done"]).arg(&heard);
        let mut guard = Guard::new(Some(command));
        guard.ready().unwrap();
        let group = |number| Pid::from_raw(number).unwrap();
        for number in [1 << 22, (1 << 22) + 1] {
            guard.add(group(number)).unwrap();
        }
        guard.remove(group(1 << 22));
        let lines = || std::fs::read_to_string(&heard).unwrap_or_default();
        let wait_for = |wanted: &str| {
            while lines() != wanted {
                std::thread::yield_now();
            }
        };
        wait_for("+4194304\n+4194305\n-4194304\n");
        let (child, _) = guard.running.as_mut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        guard.ready().unwrap();
        wait_for("+4194304\n+4194305\n-4194304\n+4194305\n");
    }
}

//! Runs the built binary the way a user does, in a folder of its own.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests; each test file uses its own part"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

/// Where the state of jobs is, in the folder of the test.
pub const STATE: &str = ".state";

/// A folder with files, and the binary to run in it.
pub struct Sage {
    pub folder: Arc<tempfile::TempDir>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    stdin: Option<String>,
}

/// What a command did.
pub struct Done {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub out: PathBuf,
    /// Keeps the folder until its files have been looked at.
    folder: Arc<tempfile::TempDir>,
}

impl Sage {
    pub fn new() -> Self {
        Sage {
            folder: Arc::new(tempfile::tempdir().unwrap()),
            arguments: Vec::new(),
            environment: Vec::new(),
            stdin: None,
        }
    }

    /// Another command in the same folder.
    pub fn again(&self) -> Self {
        Sage { folder: Arc::clone(&self.folder), ..Sage::new() }
    }

    pub fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    /// Words of a command line; quotes are not understood.
    pub fn args(mut self, arguments: &str) -> Self {
        self.arguments.extend(arguments.split_whitespace().map(str::to_owned));
        self
    }

    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sage-flow"));
        command.args(&self.arguments).current_dir(self.folder.path());
        command.env_remove("SAGE_LLM_URL").env("NO_COLOR", "1");
        // No test writes into the home of who runs it, nor hears of other runs.
        command.env("SAGE_STATE_DIR", self.folder.path().join(STATE)).env_remove("SAGE_FLOW_JOB");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Run to the end.
    pub fn go(&self) -> Done {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        if let Some(text) = &self.stdin {
            use std::io::Write;
            // A program that does not read its input closes the pipe.
            let _ = child.stdin.as_mut().unwrap().write_all(text.as_bytes());
        }
        drop(child.stdin.take());
        self.done(child.wait_with_output().unwrap())
    }

    /// Start, to be disturbed.
    pub fn start(&self) -> Child {
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    pub fn done(&self, output: Output) -> Done {
        Done {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            out: self.folder.path().join("out"),
            folder: Arc::clone(&self.folder),
        }
    }
}

impl Done {
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "`{part}` is not in\n{}", self.stderr);
        self
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.out.join(name)).unwrap()
    }

    pub fn metrics(&self) -> serde_json::Value {
        serde_json::from_str(&self.read("metrics.json")).unwrap()
    }

    pub fn lines(&self, name: &str) -> Vec<String> {
        let mut lines: Vec<String> = self.read(name).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

/// Another command in the same folder.
pub fn again(first: &Sage, arguments: &str) -> Sage {
    let mut sage = Sage::new();
    sage.folder = Arc::clone(&first.folder);
    sage.args(arguments)
}

/// Process numbers of the workers of supervisor `pid`.
pub fn workers_of(pid: u32) -> Vec<u32> {
    let mut workers = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let stat = std::fs::read_to_string(Path::new("/proc").join(child.to_string()).join("stat"));
        let Ok(stat) = stat else { continue };
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        if parent == Some(&pid.to_string()) {
            workers.push(child);
        }
    }
    workers
}

/// The process of a worker, by its number.
pub fn worker(supervisor: u32, index: usize) -> u32 {
    let wanted = format!("SAGE_FLOW_WORKER_INDEX={index}");
    let is = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    let mut found = None;
    wait_until(|| {
        found = workers_of(supervisor).into_iter().find(is);
        found.is_some()
    });
    found.unwrap()
}

/// Whether a process has ended. One whose parent is gone may stay in the table for a while, until
/// somebody collects its exit code; it runs no more.
pub fn ended(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_none_or(|rest| matches!(rest.trim_start().chars().next(), None | Some('Z' | 'X')))
}

pub fn send(signal: &str, pid: u32) {
    Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
}

/// Wait until `ready`, for at most ten seconds.
#[track_caller]
pub fn wait_until(mut ready: impl FnMut() -> bool) {
    for _ in 0..500 {
        if ready() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("it did not come to that within ten seconds");
}

/// Numbers that look drawn.
pub struct Draw(pub u64);

impl Draw {
    pub fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

pub const SLEEPY: &str = r#"sage 1
type Task { id: string @key }
source tasks: Task from generate(count: 2000)
sink outs: Task to jsonl("outs.jsonl")
flow sleepy {
  from tasks
  stage nap = sleep(30ms)
  emit Task { id: .id } into outs
}
schedule { policy: fifo, slots: 4 }
"#;

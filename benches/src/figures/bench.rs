//! Starting the programs that are measured.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::process;

/// First argument that turns `figures` into one of its tools.
pub(super) const TOOL: &str = "tool";

/// Where things are and how much is to be done.
pub(super) struct Bench {
    pub(super) sage: PathBuf,
    pub(super) rounds: usize,
    pub(super) quick: bool,
    scratch: tempfile::TempDir,
}

/// A program that ran to its end.
pub(super) struct Ran {
    /// Exit code; -1 when a signal ended it.
    pub(super) code: i32,
    /// Seconds from start to exit.
    pub(super) wall_s: f64,
    /// Processor seconds of the program and all its descendants.
    pub(super) cpu_s: f64,
    /// What it reported: `metrics.json`, or a tool's line.
    pub(super) report: Value,
}

impl Ran {
    /// A number of the report, found by a path such as `/nodes/0/cpu_s`.
    pub(super) fn number(&self, pointer: &str) -> anyhow::Result<f64> {
        number(&self.report, pointer)
    }
}

pub(super) fn number(report: &Value, pointer: &str) -> anyhow::Result<f64> {
    let found = report.pointer(pointer).and_then(Value::as_f64);
    found.with_context(|| format!("the report has no number at `{pointer}`"))
}

impl Bench {
    pub(super) fn new(sage: Option<PathBuf>, rounds: usize, quick: bool) -> anyhow::Result<Self> {
        let beside = || -> anyhow::Result<PathBuf> {
            Ok(std::env::current_exe()?.with_file_name("sage-flow"))
        };
        let sage = sage.map_or_else(beside, Ok)?;
        if !sage.is_file() {
            bail!(
                "there is no `{}`: build it with `cargo build --release`, or name one with --sage",
                sage.display()
            );
        }
        let rounds = if quick { 1 } else { rounds.max(1) };
        Ok(Bench { sage, rounds, quick, scratch: tempfile::tempdir()? })
    }

    /// A tenth of `full` in a quick run.
    pub(super) fn amount(&self, full: u64) -> u64 {
        if self.quick { full / 10 } else { full }
    }

    /// A place for a file that is gone when the bench ends.
    pub(super) fn scratch(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// One of the bench's own programs.
    pub(super) fn own(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    }

    /// A program of the `pipelines` folder.
    pub(super) fn pipeline(name: &str) -> PathBuf {
        Self::own("../pipelines").join(name)
    }

    fn tool_command(name: &str) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(TOOL).arg(name);
        Ok(command)
    }

    /// Run a tool to its end; its last line of output is the report.
    pub(super) fn tool(name: &str, args: &[&str]) -> anyhow::Result<Ran> {
        let mut command = Self::tool_command(name)?;
        let (mut ran, output) = run(command.args(args).stdin(Stdio::null()))?;
        if ran.code != 0 {
            bail!("`{name}` ended with exit code {}", ran.code);
        }
        let last = output.lines().last().unwrap_or("null");
        ran.report = serde_json::from_str(last).unwrap_or_default();
        Ok(ran)
    }

    /// A `sage-flow run` that was not started yet, and its output folder.
    pub(super) fn sage_command(&self, program: &Path, args: &[&str]) -> (Command, PathBuf) {
        let out = self.scratch("run");
        let mut command = Command::new(&self.sage);
        command.arg("run").arg(program).args(args).arg("--quiet").arg("--out").arg(&out);
        (command, out)
    }

    /// Run a pipeline to its end.
    pub(super) fn sage(&self, program: &Path, args: &[&str]) -> anyhow::Result<Ran> {
        let (mut command, out) = self.sage_command(program, args);
        // What an earlier run left is not to be mistaken for this one's.
        let _ = std::fs::remove_dir_all(&out);
        let (mut ran, _) = run(command.stdin(Stdio::null()))?;
        let metrics = out.join("metrics.json");
        let text = std::fs::read_to_string(&metrics).with_context(|| {
            format!("sage-flow ended with exit code {} and no metrics", ran.code)
        })?;
        ran.report = serde_json::from_str(&text)?;
        Ok(ran)
    }
}

impl Bench {
    /// What the twin predicts of such a run: its `metrics.json`.
    pub(super) fn simulated(
        &self,
        program: &Path,
        args: &[&str],
        tasks: u64,
    ) -> anyhow::Result<Value> {
        let mut command = Command::new(&self.sage);
        let tasks = tasks.to_string();
        command.arg("simulate").arg(program).args(args).args(["--json", "--tasks", &tasks]);
        let (ran, output) = run(command.stdin(Stdio::null()))?;
        if ran.code != 0 {
            bail!("`simulate` ended with exit code {}", ran.code);
        }
        Ok(serde_json::from_str(&output)?)
    }
}

/// A verb that serves until it is killed; it is, when this is dropped.
pub(super) struct Server {
    child: Child,
    pub(super) url: String,
}

impl Bench {
    /// Start `sage-flow` with `args`; its first line of output says where it listens.
    pub(super) fn serve(&self, args: &[&str]) -> anyhow::Result<Server> {
        let mut command = Command::new(&self.sage);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let output = child.stdout.take().context("its output is a pipe")?;
        let mut server = Server { child, url: String::new() };
        BufReader::new(output).read_line(&mut server.url)?;
        server.url.truncate(server.url.trim_end().len());
        anyhow::ensure!(server.url.starts_with("http"), "`{}` did not start", args.join(" "));
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines of a file.
pub(super) fn lines(path: &Path) -> anyhow::Result<usize> {
    let bytes = std::fs::read(path).with_context(|| format!("`{}`", path.display()))?;
    Ok(bytes.iter().filter(|byte| **byte == b'\n').count())
}

/// Run a command to its end. Its processor time is what the ended children of this process used
/// meanwhile, so nothing else may end at the same time.
pub(super) fn run(command: &mut Command) -> anyhow::Result<(Ran, String)> {
    let before = process::ended_children_cpu_s();
    let began = Instant::now();
    let output = command.stderr(Stdio::inherit()).output()?;
    let ran = Ran {
        code: output.status.code().unwrap_or(-1),
        wall_s: began.elapsed().as_secs_f64(),
        cpu_s: process::ended_children_cpu_s() - before,
        report: Value::Null,
    };
    Ok((ran, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// A stub endpoint that runs beside what is measured.
pub(super) struct Stub {
    child: Child,
    lines: BufReader<ChildStdout>,
    pub(super) url: String,
}

impl Stub {
    pub(super) fn start(args: &[&str]) -> anyhow::Result<Self> {
        let mut command = Bench::tool_command("stub_endpoint")?;
        command.arg("--until-stdin-ends").args(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().context("the stub's output is a pipe")?;
        let mut lines = BufReader::new(output);
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let said: Value = serde_json::from_str(&line).context("the stub did not start")?;
        let address = said["listening"].as_str().unwrap_or_default();
        Ok(Stub { child, lines, url: format!("http://{address}") })
    }

    /// End it and hear what it saw.
    pub(super) fn stop(mut self) -> anyhow::Result<Value> {
        drop(self.child.stdin.take());
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        self.child.wait()?;
        Ok(serde_json::from_str(&line)?)
    }
}

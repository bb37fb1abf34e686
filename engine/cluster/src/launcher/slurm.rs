//! Worker processes as the tasks of one step of a Slurm job: one `srun` for all of them.
//!
//! One step and not one a worker, because a step is started by the controller, which does not like
//! being asked sixty times at once. `srun` passes its environment on, so the secret is on no command
//! line; each task takes its index from `SLURM_PROCID`. What a single task returned, `srun` tells
//! only in words; where those are not understood, all workers end with the step.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::local::{LocalProcess, StderrHook};
use super::ssh::quoted;
use super::tail::{Tail, lines};
use super::{Exit, Launcher, LauncherEntry, WorkerProcess};

/// For lists and help.
pub(super) const ENTRY: LauncherEntry =
    LauncherEntry { name: "slurm", summary: "tasks of one step of a Slurm job, by srun" };

/// The variable that holds a worker's index; here each task sets it for itself.
const INDEX: &str = "SAGE_FLOW_WORKER_INDEX";

/// How long a dying step may take to say why.
const PATIENCE: Duration = Duration::from_millis(20);

/// Is told a command line.
pub type AnnounceHook = Box<dyn Fn(&str) + Send>;

/// Runs all workers by one `srun`.
pub struct SlurmLauncher {
    /// How many there are.
    pub workers: usize,
    /// The program; at the same path on all nodes.
    pub program: PathBuf,
    /// Further options of srun, one word each.
    pub options: Vec<String>,
    /// Variables the workers do not inherit: keys that only the supervisor needs.
    pub without: Vec<String>,
    /// Sees each line of the workers' standard error; of srun's own as one of worker 0.
    pub on_stderr: Option<StderrHook>,
    /// Is told the command line when it is run.
    pub announce: Option<AnnounceHook>,
    step: Option<Arc<Step>>,
}

impl SlurmLauncher {
    /// For so many workers.
    pub fn new(workers: usize, program: PathBuf) -> Self {
        Self {
            workers,
            program,
            options: Vec::new(),
            without: Vec::new(),
            on_stderr: None,
            announce: None,
            step: None,
        }
    }

    /// What is run, word by word.
    pub fn command(&self, join: SocketAddr) -> Vec<OsString> {
        let mut words: Vec<OsString> =
            vec!["srun".into(), format!("--ntasks={}", self.workers).into()];
        let fixed = ["--label", "--export=ALL", "--input=none", "--kill-on-bad-exit=0"];
        words.extend(fixed.map(OsString::from));
        words.extend(self.options.iter().map(OsString::from));
        let task = format!("{INDEX}=$SLURM_PROCID exec \"$0\" \"$@\"");
        words.extend(["sh".into(), "-c".into(), task.into()]);
        words.push(self.program.clone().into());
        words.extend(["worker".into(), "--join".into(), join.to_string().into()]);
        words
    }

    fn start(&self, join: SocketAddr, env: &[(String, String)]) -> io::Result<Arc<Step>> {
        let words = self.command(join);
        if let Some(announce) = &self.announce {
            let words = words.iter().map(|word| shown(&word.to_string_lossy()));
            announce(&words.collect::<Vec<_>>().join(" "));
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        for name in &self.without {
            command.env_remove(name);
        }
        // Those of the batch script say the same of other steps.
        command.env_remove("SLURM_LABELIO").env_remove("SLURM_EXPORT_ENV");
        let own = env.iter().filter(|(name, _)| name != INDEX);
        command.envs(own.map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        let child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::other(
                "there is no program `srun` on this host; start the run on a login node of a Slurm \
                 cluster, or in a job of one",
            ),
            _ => error,
        })?;
        Step::follow(child, self.workers, self.on_stderr.clone())
    }
}

impl Launcher for SlurmLauncher {
    fn launch(
        &mut self,
        index: usize,
        join: SocketAddr,
        env: &[(String, String)],
    ) -> io::Result<Box<dyn WorkerProcess>> {
        let step = match self.step.take() {
            Some(step) => step,
            None => self.start(join, env)?,
        };
        self.step = Some(Arc::clone(&step));
        Ok(Box::new(SlurmTask { index, step }))
    }
}

/// A word as a shell takes it.
fn shown(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { quoted(word) }
}

/// The step with all workers.
struct Step {
    process: LocalProcess,
    tasks: Tasks,
}

/// What is known of its tasks.
struct Tasks {
    /// Their last words.
    tails: Vec<Tail>,
    /// Those of srun itself.
    own: Tail,
    exits: Mutex<Vec<Option<Exit>>>,
    changed: Condvar,
}

impl Step {
    /// Takes over srun.
    fn follow(mut child: Child, tasks: usize, hook: Option<StderrHook>) -> io::Result<Arc<Self>> {
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let tasks = Tasks {
            tails: (0..tasks).map(|_| Tail::default()).collect(),
            own: Tail::default(),
            exits: Mutex::new(vec![None; tasks]),
            changed: Condvar::new(),
        };
        let step = Arc::new(Self { process: LocalProcess::follow(child, 0, None)?, tasks });
        let started = step.threads(stdout, stderr, hook);
        if let Err(error) = started {
            step.process.kill()?;
            step.process.wait()?;
            return Err(error);
        }
        Ok(step)
    }

    fn threads(
        self: &Arc<Self>,
        stdout: Option<ChildStdout>,
        stderr: Option<ChildStderr>,
        hook: Option<StderrHook>,
    ) -> io::Result<()> {
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
        };
        let step = Arc::clone(self);
        let errors = move || {
            if let Some(stderr) = stderr {
                lines(stderr, |line| step.tasks.hear(line, hook.as_ref()));
            }
            step.tasks.end(step.process.wait().unwrap_or(Exit::Unknown));
        };
        spawn("step", Box::new(errors))?;
        // What task 0 writes is the run's standard output; the others write nothing.
        let count = self.tasks.tails.len();
        let rows = move || {
            if let Some(stdout) = stdout {
                lines(stdout, |line| {
                    let (_, text) = label(line, count);
                    // A reader that has gone wants no more.
                    let _ = writeln!(io::stdout(), "{text}");
                });
            }
        };
        spawn("stdout", Box::new(rows))
    }
}

impl Tasks {
    /// A line of the standard error.
    fn hear(&self, line: &str, hook: Option<&StderrHook>) {
        let (task, text) = label(line, self.tails.len());
        if let Some(hook) = hook {
            hook(task.unwrap_or(0), text);
        }
        let Some(task) = task else {
            self.own.push(text);
            if let Some((tasks, exit)) = ended(text) {
                self.update(|exits| {
                    for (task, known) in exits.iter_mut().enumerate() {
                        if tasks.iter().any(|range| range.contains(&task)) {
                            known.get_or_insert(exit);
                        }
                    }
                });
            }
            return;
        };
        self.tails[task].push(text);
    }

    /// The step has ended, and with it every task of which nothing else is known.
    fn end(&self, exit: Exit) {
        self.tails.iter().for_each(Tail::end);
        self.own.end();
        self.update(|exits| {
            for known in exits.iter_mut().filter(|known| known.is_none()) {
                *known = Some(exit);
            }
        });
    }

    fn update(&self, change: impl FnOnce(&mut Vec<Option<Exit>>)) {
        change(&mut self.exits.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    fn wait(&self, task: usize) -> Exit {
        let exits = self.exits.lock().unwrap_or_else(PoisonError::into_inner);
        let exits = self.changed.wait_while(exits, |exits| exits[task].is_none());
        exits.unwrap_or_else(PoisonError::into_inner)[task].unwrap_or(Exit::Unknown)
    }
}

/// What srun says of tasks that ended badly: `srun: error: node1: tasks 0,2-3: Killed`.
fn ended(line: &str) -> Option<(Vec<RangeInclusive<usize>>, Exit)> {
    let rest = line.strip_prefix("srun: error: ")?;
    let (_, rest) = rest.split_once(": task")?;
    let (numbers, how) = rest.trim_start_matches('s').split_once(": ")?;
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    let tasks = numbers.split(',').map(range).collect::<Option<Vec<_>>>()?;
    let code = |how: &str| how.strip_prefix("Exited with exit code ")?.trim().parse().ok();
    let exit = match how.trim() {
        "Killed" => Exit::Signal(9),
        "Terminated" => Exit::Signal(15),
        "Aborted" => Exit::Signal(6),
        "Segmentation fault" => Exit::Signal(11),
        "Out Of Memory" => Exit::Signal(9),
        how => Exit::Code(code(how)?),
    };
    Some((tasks, exit))
}

/// The task that `srun --label` says a line is of, and the line without that.
fn label(line: &str, tasks: usize) -> (Option<usize>, &str) {
    let labelled = line.trim_start().split_once(": ").and_then(|(number, text)| {
        let task = number.parse::<usize>().ok().filter(|task| *task < tasks)?;
        Some((task, text))
    });
    match labelled {
        Some((task, text)) => (Some(task), text),
        None => (None, line),
    }
}

struct SlurmTask {
    index: usize,
    step: Arc<Step>,
}

impl WorkerProcess for SlurmTask {
    fn wait(&self) -> io::Result<Exit> {
        Ok(self.step.tasks.wait(self.index))
    }

    /// Ends the step. A worker that srun leaves behind ends when its control connection does.
    fn kill(&self) -> io::Result<()> {
        self.step.process.kill()
    }

    fn id(&self) -> Option<u32> {
        self.step.process.id()
    }

    fn last_stderr(&self) -> String {
        let said = self.step.tasks.tails[self.index].text(PATIENCE);
        let own = self.step.tasks.own.text(Duration::ZERO);
        [said, own].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_on_the_command_line_and_options_come_before_the_program() {
        let mut launcher = SlurmLauncher::new(3, "/opt/sage flow".into());
        launcher.options = vec!["--partition=gpu".into(), "--time=10".into()];
        let words = launcher.command("10.0.0.1:99".parse().unwrap());
        let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
        assert_eq!(words[..2], ["srun", "--ntasks=3"]);
        assert_eq!(
            words[6..],
            [
                "--partition=gpu",
                "--time=10",
                "sh",
                "-c",
                "SAGE_FLOW_WORKER_INDEX=$SLURM_PROCID exec \"$0\" \"$@\"",
                "/opt/sage flow",
                "worker",
                "--join",
                "10.0.0.1:99",
            ]
        );
    }

    #[test]
    fn what_srun_says_of_a_task_is_its_exit() {
        for (line, tasks, exit) in [
            ("srun: error: n1: task 1: Killed", vec![1..=1], Exit::Signal(9)),
            (
                "srun: error: n1: tasks 0,2-4: Exited with exit code 75",
                vec![0..=0, 2..=4],
                Exit::Code(75),
            ),
        ] {
            assert_eq!(ended(line), Some((tasks, exit)), "{line}");
        }
        for line in ["srun: error: n1: task x: Killed", "srun: error: no", "task 1: Killed"] {
            assert_eq!(ended(line), None, "{line}");
        }
    }

    #[test]
    fn labels_are_read_and_other_lines_are_left_alone() {
        assert_eq!(label("1: error: x", 2), (Some(1), "error: x"));
        assert_eq!(label(" 3: ", 12), (Some(3), ""));
        assert_eq!(label("7: x", 2), (None, "7: x"));
        assert_eq!(label("srun: error: no node", 2), (None, "srun: error: no node"));
    }
}

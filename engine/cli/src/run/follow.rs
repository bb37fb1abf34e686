//! Following the workers of one job until they are done, one is lost, or the user has had enough.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use sage_cluster::{Cluster, ClusterEvent, Lost};
use sage_dataflow::commit::Outcomes;
use sage_dataflow::{Progress, RunClock, WorkerOutcome};

use super::gate::{Gate, Ticket};
use super::interrupt::Interrupts;
use super::job::{Order, Usage, Word};
use super::launch::Place;
use super::loss::{Gone, Restart};
use super::progress::Display;
use super::vanished::{self, Vanishing};
use crate::jobs::Watch;

/// Between two looks at interrupts.
const LOOK: Duration = Duration::from_millis(50);
/// Between two looks at the gate.
const GATE: Duration = Duration::from_millis(5);

/// How the workers fared.
#[derive(Default)]
pub(crate) struct Course {
    pub(crate) progress: Progress,
    /// Of these workers.
    pub(crate) generation: u32,
    pub(crate) outcomes: Vec<WorkerOutcome>,
    /// By worker; as last said, if it was lost.
    pub(crate) usage: BTreeMap<usize, Usage>,
    /// Of workers of the sets before these.
    pub(crate) gone: Vec<Gone>,
    pub(crate) failure: Option<String>,
    /// What workers have warned of, which all of them may.
    pub(crate) warned: BTreeSet<String>,
    /// The worker that was lost first.
    pub(crate) lost: Option<Lost>,
    /// Whether that was before all were connected.
    pub(crate) never_began: bool,
    /// Where the workers ran.
    pub(crate) places: Vec<Place>,
    pub(crate) interrupted: bool,
    /// Whether tasks in flight had all the time they were to have, and did not end.
    pub(crate) outstayed: bool,
    /// When its records began to arrive, on the host's clock, if that was said.
    pub(crate) began_ns: Option<u64>,
    /// What was done before these workers began.
    pub(crate) earlier: Outcomes,
    /// Records that were done before this command.
    pub(crate) resumed: u64,
    /// Losses after which the run went on.
    pub(crate) restarts: Vec<Restart>,
}

/// The beginning of a job that does not begin at once.
pub(crate) struct Hold<'g> {
    /// Opens when all jobs are ready.
    pub(crate) gate: &'g Gate,
    /// What this job keeps it closed with.
    pub(crate) ticket: Ticket<'g>,
    /// The job's records begin to arrive so long after those of the first.
    pub(crate) start_ns: u64,
}

/// Follows the workers of one job.
pub(crate) struct Follower<'f> {
    pub(crate) cluster: &'f Cluster,
    /// The run's folder.
    pub(crate) out: &'f Path,
    pub(crate) interrupts: &'f Interrupts,
    pub(crate) display: &'f mut Display,
    pub(crate) workers: usize,
    /// Dataflow threads of each.
    pub(crate) threads: usize,
    /// Tasks of each at once.
    pub(crate) slots: u32,
    /// Whether the records are requests of clients.
    pub(crate) served: bool,
    /// After an interrupt or a failure, tasks in flight have this long to end.
    pub(crate) drain: Duration,
    /// Is told how far it is.
    pub(crate) watch: &'f Watch,
}

impl Follower<'_> {
    /// Follow them to the end.
    pub(crate) fn follow(&mut self, hold: Option<Hold<'_>>) -> Course {
        let mut course = Course::default();
        let mut wait = hold.map(|hold| Wait {
            ticket: Some(hold.ticket),
            ready: 0,
            gate: hold.gate,
            start_ns: hold.start_ns,
            late: false,
        });
        let mut finished = 0;
        // Since when tasks in flight are only waited for, after an interrupt or a failure.
        let mut drained: Option<Instant> = None;
        let mut vanishing = Vanishing::new(self.out);
        while finished < self.workers {
            match self.interrupts.count() {
                0 => {}
                1 if !course.interrupted => {
                    course.interrupted = true;
                    drained.get_or_insert_with(Instant::now);
                    let drain = humantime::format_duration(self.drain);
                    let what = if self.served {
                        format!("requests that are inside have {drain} to end, others are refused")
                    } else {
                        format!("tasks in flight have {drain} to end, queued ones stay pending")
                    };
                    self.display.say(&format!("stopping: {what} (again: stop at once)"));
                    self.cluster.drain();
                }
                1 => {}
                _ => {
                    course.interrupted = true;
                    break;
                }
            }
            if vanishing.is_over() {
                // Nothing that is in flight could be kept.
                course.failure = Some(vanished::sentence(self.out));
                break;
            }
            if course.failure.is_some() && drained.is_none() {
                drained = Some(Instant::now());
                let drain = humantime::format_duration(self.drain);
                self.display
                    .say(&format!("stopping after a failure: tasks in flight have {drain} to end"));
            }
            if drained.is_some_and(|since| since.elapsed() > self.drain) {
                let drain = humantime::format_duration(self.drain);
                course.outstayed = true;
                let left = format!("tasks in flight did not end within {drain} (--drain)");
                if course.interrupted {
                    self.display.say(&format!("{left}; they stay pending"));
                } else {
                    course.failure.get_or_insert(left);
                }
                break;
            }
            if let Some(waited) = &wait
                && let Some(opens_ns) = waited.opens_ns()
            {
                if let missing @ 1.. = waited.gate.missing() {
                    self.display.say(&format!(
                        "beginning without the {missing} other job(s) whose workers are not all there"
                    ));
                }
                course.began_ns = Some(opens_ns);
                wait = None;
                self.begin(opens_ns, &mut course);
            }
            let look = if wait.is_some() { GATE } else { LOOK };
            match self.cluster.events().recv_timeout(look) {
                Ok(ClusterEvent::Message { worker, bytes }) => {
                    self.hear(worker, &bytes, &mut course, wait.as_mut());
                }
                Ok(ClusterEvent::Finished { .. }) => finished += 1,
                Ok(ClusterEvent::Lost(lost)) => {
                    let settled = self.cluster.settle(lost);
                    course.lost = Some(settled.root);
                    break;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    course.failure.get_or_insert_with(|| "the control channel was lost".into());
                    break;
                }
            }
        }
        course
    }

    /// The first worker reads the source.
    fn begin(&self, at_ns: u64, course: &mut Course) {
        let said = serde_json::to_vec(&Order::Begin { at_ns })
            .map_err(anyhow::Error::from)
            .and_then(|order| Ok(self.cluster.send(0, &order)?));
        if let Err(error) = said {
            course.failure.get_or_insert(format!("the job could not be begun: {error:#}"));
            self.cluster.drain();
        }
    }

    fn hear(
        &mut self,
        worker: usize,
        bytes: &[u8],
        course: &mut Course,
        wait: Option<&mut Wait<'_>>,
    ) {
        match serde_json::from_slice(bytes) {
            Ok(Word::Ready) => {
                if let Some(wait) = wait {
                    wait.ready += 1;
                    if wait.ready >= self.workers * self.threads {
                        wait.late = wait.gate.opens_ns(RunClock::host_ns()).is_some();
                        wait.ticket = None;
                    }
                }
            }
            Ok(Word::Serving(url)) => self.display.say(&format!("serving {url}")),
            Ok(Word::Progress(progress)) => {
                self.display.update(&progress, self.slots);
                self.watch.count(&progress.counts);
                course.progress = progress;
            }
            Ok(Word::Warning(message)) => {
                if !course.warned.contains(&message) {
                    self.display.say(&format!("warning: {message}"));
                    course.warned.insert(message);
                }
            }
            Ok(Word::Failure(message)) => {
                // What is in flight may still end; nothing new begins.
                course.failure.get_or_insert(message);
                self.cluster.drain();
            }
            Ok(Word::Usage(usage)) => {
                course.usage.insert(worker, usage);
            }
            Ok(Word::Outcome { outcomes, usage }) => {
                if let Some(failure) = outcomes.iter().find_map(|outcome| outcome.failure.clone()) {
                    course.failure.get_or_insert(failure);
                }
                course.outcomes.extend(outcomes);
                course.usage.insert(worker, usage);
            }
            Err(error) => {
                course.failure.get_or_insert(format!("a worker said something strange: {error}"));
            }
        }
    }
}

/// A job that has not begun.
struct Wait<'g> {
    gate: &'g Gate,
    /// Until the job's workers are ready.
    ticket: Option<Ticket<'g>>,
    /// Threads of its workers that are.
    ready: usize,
    start_ns: u64,
    /// Whether they became so after the others had begun.
    late: bool,
}

impl Wait<'_> {
    /// When the job's records begin to arrive, once that is known and its workers are ready. Those
    /// that became so after the gate had opened begin at once.
    fn opens_ns(&self) -> Option<u64> {
        if self.ticket.is_some() {
            return None;
        }
        let now_ns = RunClock::host_ns();
        let opens_ns = self.gate.opens_ns(now_ns)?.saturating_add(self.start_ns);
        Some(if self.late { opens_ns.max(now_ns) } else { opens_ns })
    }
}

/// A loss with which the run ends, why, and whether another command can go on with it.
pub(crate) fn lost_message(lost: &Lost, host: Option<&str>, why: &str, goes_on: bool) -> String {
    let further = if goes_on { ", and the same command goes on from there" } else { "" };
    let stderr = lost.last_stderr.trim();
    let said = if stderr.is_empty() {
        String::new()
    } else {
        format!("\nits last words:\n{}", indent(stderr))
    };
    format!(
        "worker {}{} was lost: {}; the run ends ({why}); what is done is kept{further}{said}",
        lost.worker,
        host.map(|host| format!(" on {host}")).unwrap_or_default(),
        lost.cause
    )
}

/// A run whose figures could not be written: what it came to all the same, and how it goes on.
pub(crate) fn unreported(error: anyhow::Error, course: &Course) -> anyhow::Error {
    let counts = &course.progress.counts;
    let before = course
        .failure
        .as_ref()
        .map_or_else(String::new, |failure| format!("\nbefore that: {failure}"));
    error.context(format!(
        "the results could not be put together{before}\nrecords at the last report: in {} = ok {} + dead \
         {} + late {} + pending {}\nwhat was committed is kept, and the same command goes on from there \
         (if the disk is full, make room first)",
        counts.tasks_in, counts.tasks_ok, counts.tasks_dead, counts.tasks_late, counts.tasks_pending
    ))
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

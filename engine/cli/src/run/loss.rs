//! What is done about the loss of a worker: whether the run goes on, with how many workers, and what
//! is told of it.

use std::time::{Duration, Instant};

use clap::ValueEnum;
use sage_cluster::{EXIT_SSH, Exit, LossCause, Lost};
use serde_json::{Value, json};

use super::job::Usage;

/// What a run does when it loses a worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnLoss {
    /// Go on from the last commit, with a new worker in its place
    #[default]
    Respawn,
    /// Go on from the last commit, with one worker fewer
    Shrink,
    /// End the run; the same command goes on with it
    Fail,
}

/// So many restarts within [`WITHIN`]; a run that loses more is not helped by another.
const MOST: usize = 3;
const WITHIN: Duration = Duration::from_secs(60);

/// Characters of last words that are told of a loss after which the run goes on.
const LAST_WORDS: usize = 200;

/// A worker was lost and the run went on.
#[derive(Debug, Clone)]
pub(crate) struct Restart {
    /// The generation that began with it.
    pub(crate) generation: u32,
    pub(crate) worker: usize,
    pub(crate) cause: String,
    /// How long the worker had been silent when it was given up; one that ended was noticed at once.
    pub(crate) detection: Duration,
    /// When the loss was noticed.
    pub(crate) at: Instant,
    /// From there until the next workers were connected.
    pub(crate) took: Duration,
    pub(crate) workers: usize,
    /// Tasks that were done before the loss and not yet committed, or in flight: they run again. As
    /// last reported, up to 0.2 s before.
    pub(crate) again: u64,
    /// Requests that were lost with it, of a service.
    pub(crate) requests: Option<u64>,
}

impl Restart {
    /// Of a service these requests were lost, and none runs again.
    pub(crate) fn with(self, requests: Option<u64>) -> Self {
        let again = if requests.is_some() { 0 } else { self.again };
        Restart { again, requests, ..self }
    }

    /// For `metrics.json`.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "generation": self.generation,
            "worker": self.worker,
            "cause": self.cause,
            "detection_s": self.detection.as_secs_f64(),
            "restart_s": self.took.as_secs_f64(),
            "workers": self.workers,
            "tasks_again": self.again,
            "requests_lost": self.requests,
        })
    }
}

/// A worker of a set that was given up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gone {
    pub(crate) generation: u32,
    pub(crate) worker: usize,
    /// As last said.
    pub(crate) usage: Usage,
}

/// How it was lost, with what it said last: a crash says why.
pub(crate) fn cause(lost: &Lost) -> String {
    let lines = lost.last_stderr.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("note:"));
    let words: String = lines.collect::<Vec<_>>().join(" ").chars().take(LAST_WORDS).collect();
    if words.is_empty() { lost.cause.to_string() } else { format!("{} ({words})", lost.cause) }
}

/// How long a loss went unnoticed, as far as that is known.
pub(crate) fn detection(lost: &Lost) -> Duration {
    match lost.cause {
        LossCause::Silent(time) => time,
        _ => Duration::ZERO,
    }
}

/// Whether the host of a worker that was lost like this may be out of reach.
pub(crate) fn unreachable(cause: LossCause) -> bool {
    matches!(
        cause,
        LossCause::Silent(_) | LossCause::Disconnected | LossCause::Exited(Exit::Code(EXIT_SSH))
    )
}

/// With how many workers the run goes on, or why it does not. `restarts` are those so far;
/// `never_began` is of workers that were lost before all were connected.
pub(crate) fn after(
    lost: &Lost,
    never_began: bool,
    on_loss: OnLoss,
    workers: usize,
    restarts: &[Restart],
    now: Instant,
) -> Result<usize, String> {
    if never_began && lost.cause == LossCause::Exited(Exit::Code(0)) {
        return Err(
            "it ended well before it joined, so it is no worker: is the program sage-flow?".into(),
        );
    }
    let hopeless = match lost.cause {
        // A worker that found something wrong says what and leaves; it would find it again. So would
        // a shell that does not find the worker.
        LossCause::Exited(Exit::Code(1..=3 | 126 | 127)) => true,
        // A host that was there before may be there again; one that never was is a mistake.
        LossCause::Exited(Exit::Code(EXIT_SSH)) => never_began && restarts.is_empty(),
        _ => false,
    };
    if hopeless {
        return Err("another worker would fare the same".into());
    }
    let recent = restarts.iter().filter(|restart| now.duration_since(restart.at) < WITHIN).count();
    match on_loss {
        OnLoss::Fail => Err("--on-loss fail".into()),
        _ if recent >= MOST => Err(format!(
            "it was restarted {MOST} times within {} s, and one more would not help",
            WITHIN.as_secs()
        )),
        OnLoss::Respawn => Ok(workers),
        OnLoss::Shrink if workers > 1 => Ok(workers - 1),
        OnLoss::Shrink => Err("--on-loss shrink: it was the last one".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(cause: LossCause) -> Lost {
        Lost { worker: 1, cause, last_stderr: String::new(), at: Instant::now() }
    }

    fn restart(at: Instant) -> Restart {
        Restart {
            generation: 2,
            worker: 1,
            cause: String::new(),
            detection: Duration::ZERO,
            at,
            took: Duration::ZERO,
            workers: 2,
            again: 0,
            requests: None,
        }
    }

    #[test]
    fn three_restarts_a_minute_and_no_more() {
        let killed = lost(LossCause::Exited(Exit::Signal(9)));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let restarts: Vec<_> = [0, 10, 20].map(|seconds| restart(at(seconds))).into();
        for on_loss in [OnLoss::Respawn, OnLoss::Shrink] {
            let with = |so_far: &[Restart], now| after(&killed, false, on_loss, 4, so_far, now);
            let fewer = if on_loss == OnLoss::Shrink { 3 } else { 4 };
            assert_eq!(with(&restarts[..2], at(21)), Ok(fewer));
            assert!(with(&restarts, at(59)).is_err_and(|why| why.contains("3 times within 60 s")));
            assert_eq!(with(&restarts, at(60)), Ok(fewer));
        }
    }

    #[test]
    fn a_crash_says_why() {
        let mut crashed = lost(LossCause::Exited(Exit::Signal(6)));
        assert_eq!(cause(&crashed), "it was killed by signal 6");
        crashed.last_stderr = "\nmemory allocation of 9 bytes failed\nnote: no more\n".into();
        assert_eq!(
            cause(&crashed),
            "it was killed by signal 6 (memory allocation of 9 bytes failed)"
        );
        crashed.last_stderr = "é".repeat(1000);
        assert!(cause(&crashed).chars().count() < 300);
    }

    #[test]
    fn what_would_not_help_is_not_tried() {
        let now = Instant::now();
        let with = |cause, on_loss, workers| after(&lost(cause), false, on_loss, workers, &[], now);
        let killed = LossCause::Exited(Exit::Signal(9));
        assert!(with(killed, OnLoss::Fail, 4).is_err());
        assert!(with(killed, OnLoss::Shrink, 1).is_err());
        assert_eq!(with(killed, OnLoss::Respawn, 1), Ok(1));
        let panicked = LossCause::Exited(Exit::Code(101));
        assert_eq!(with(panicked, OnLoss::Shrink, 2), Ok(1));
        assert!(with(LossCause::Exited(Exit::Code(2)), OnLoss::Respawn, 2).is_err());
        assert_eq!(with(LossCause::Silent(Duration::from_secs(2)), OnLoss::Respawn, 2), Ok(2));
        assert!(with(LossCause::Exited(Exit::Code(127)), OnLoss::Respawn, 2).is_err());
    }

    #[test]
    fn a_host_that_was_never_reached_is_a_mistake() {
        let none = lost(LossCause::Exited(Exit::Code(0)));
        let why = after(&none, true, OnLoss::Respawn, 2, &[], Instant::now()).unwrap_err();
        assert!(why.contains("is the program sage-flow?"), "{why}");
        let (now, gone) = (Instant::now(), lost(LossCause::Exited(Exit::Code(EXIT_SSH))));
        let with = |never_began, restarts: &[Restart]| {
            after(&gone, never_began, OnLoss::Respawn, 2, restarts, now)
        };
        assert!(with(true, &[]).is_err());
        assert_eq!(with(false, &[]), Ok(2));
        assert_eq!(with(true, &[restart(now)]), Ok(2));
    }
}

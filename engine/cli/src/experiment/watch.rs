//! Progress of a suite: a line on a terminal, and a word on every trial that has no result.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sage_lab::suite::{Ended, Outcome, Watcher};
use sage_lab::trial::Trial;

use crate::run::Interrupts;

/// Shows what goes on.
pub(crate) struct Display {
    bar: Option<ProgressBar>,
    quiet: bool,
    interrupts: Interrupts,
    began: Instant,
    /// Trials that were run by this process, and how many were there before.
    ran: usize,
    /// The one that runs, and how many there are.
    number: usize,
    of: usize,
    before: Option<usize>,
    /// Reasons that were told already: the same one of a hundred trials is told once.
    told: Vec<String>,
}

impl Display {
    pub(crate) fn new(quiet: bool, interrupts: Interrupts) -> Display {
        let shown = !quiet && std::io::stderr().is_terminal();
        let bar = shown.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
            if let Ok(style) = ProgressStyle::with_template("{spinner} {bar:24} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        let told = Vec::new();
        let began = Instant::now();
        Display { bar, quiet, interrupts, began, ran: 0, number: 0, of: 0, before: None, told }
    }

    fn say(&self, text: &str) {
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// Take the line away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Watcher for Display {
    fn begins(&mut self, number: usize, of: usize, trial: &Trial) {
        crate::jobs::trials(number.saturating_sub(1), of);
        (self.number, self.of) = (number, of);
        let before = *self.before.get_or_insert(number.saturating_sub(1));
        let Some(bar) = &self.bar else { return };
        let ran = number.saturating_sub(1).saturating_sub(before);
        let left = of + 1 - number;
        let eta = match ran {
            0 => "-".to_owned(),
            ran => {
                let seconds = self.began.elapsed().as_secs_f64() / ran as f64 * left as f64;
                humantime::format_duration(Duration::from_secs(seconds.ceil() as u64)).to_string()
            }
        };
        bar.set_length(of as u64);
        bar.set_position(number as u64 - 1);
        bar.set_message(format!("trial {number} of {of}  {}  ETA {eta}", trial.id));
    }

    fn ended(&mut self, trial: &Trial, ended: &Ended) {
        self.ran += 1;
        crate::jobs::trials(self.number, self.of);
        let word = match ended.outcome {
            Outcome::Done => return,
            Outcome::Failed => "failed",
            Outcome::NotPossible => "not possible",
        };
        let reason = ended.reason.clone().unwrap_or_default();
        if !self.told.contains(&reason) {
            self.say(&format!("  {} {word}: {reason}", trial.id));
            self.told.push(reason);
        }
    }

    fn stop(&self) -> bool {
        self.interrupts.count() > 0
    }
}

//! The progress line: how many are done, how fast, what is in flight where, how long it will take.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sage_dataflow::Progress;
use sage_dsl::plan::{Plan, lookup};
use sage_dsl::types::Value;

use super::options::Options;

/// How many records will come, where that is known before the source is read.
pub(super) fn expected(plan: &Plan, options: &Options) -> Option<u64> {
    let source = plan.source()?;
    let own = (source.kind == "generate")
        .then(|| lookup(&source.args, "count").and_then(Value::as_int))
        .flatten()
        .and_then(|count| u64::try_from(count).ok());
    options.tasks.or_else(|| match (own, options.limit) {
        (Some(own), Some(limit)) => Some(own.min(limit)),
        (own, _) => own,
    })
}

/// Shows progress on a terminal; elsewhere it only says what is to be said.
pub(crate) struct Display {
    bar: Option<ProgressBar>,
    voice: Voice,
    expected: Option<u64>,
    /// Recent (seconds, done), for the rate.
    recent: VecDeque<(f64, u64)>,
}

/// Says what a display says, on any thread.
pub(crate) struct Speaker {
    bar: Option<ProgressBar>,
    voice: Voice,
}

impl Speaker {
    /// Say something, above the bar if there is one.
    pub(crate) fn say(&self, text: &str) {
        self.voice.say_above(self.bar.as_ref(), text);
    }
}

/// How something is said.
#[derive(Clone)]
enum Voice {
    /// As it is.
    Plain,
    /// With the name of the job in front of it, one of several.
    Of(String),
    /// Not at all.
    Mute,
}

impl Voice {
    fn say_above(&self, bar: Option<&ProgressBar>, text: &str) {
        match (bar, self) {
            (Some(bar), _) => bar.suspend(|| eprintln!("{text}")),
            (None, Voice::Plain) => eprintln!("{text}"),
            (None, Voice::Of(job)) => eprintln!("{job}: {text}"),
            (None, Voice::Mute) => {}
        }
    }
}

/// The rate shown is that of the last so many seconds.
const WINDOW_S: f64 = 5.0;
/// Loads are shown as a bar of these, empty to full.
const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

impl Display {
    /// `expected`: how many records will come, where that is known.
    pub(crate) fn new(quiet: bool, expected: Option<u64>) -> Self {
        let shown = !quiet && std::io::stderr().is_terminal();
        let bar = shown.then(|| {
            let bar =
                ProgressBar::with_draw_target(expected, ProgressDrawTarget::stderr_with_hz(8));
            let style = ProgressStyle::with_template("{spinner} {bar:24} {msg}");
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Display { bar, voice: Voice::Plain, expected, recent: VecDeque::new() }
    }

    /// Of one job of several: no bar, and its name in front of what it says.
    pub(crate) fn of(job: &str) -> Self {
        let voice = Voice::Of(job.to_owned());
        Display { bar: None, voice, expected: None, recent: VecDeque::new() }
    }

    /// Says nothing: somebody else reports.
    pub(crate) fn mute() -> Self {
        Display { bar: None, voice: Voice::Mute, expected: None, recent: VecDeque::new() }
    }

    /// Show how far it is.
    pub(crate) fn update(&mut self, progress: &Progress, slots: u32) {
        let counts = &progress.counts;
        let done = counts.tasks_ok + counts.tasks_dead + counts.tasks_late;
        self.recent.push_back((progress.elapsed_s, done));
        while self.recent.front().is_some_and(|(at, _)| *at < progress.elapsed_s - WINDOW_S) {
            self.recent.pop_front();
        }
        let Some(bar) = &self.bar else { return };
        let rate = self.rate();
        // Without --tasks the total is what has come in so far: a lower bound.
        let total = self.expected.unwrap_or(counts.tasks_in).max(done);
        bar.set_length(total);
        bar.set_position(done);
        let left = total - done;
        let eta = if rate > 0.0 { format!("{:.0} s", left as f64 / rate) } else { "-".into() };
        let in_flight: u64 = progress.in_flight.iter().sum();
        let loads: String = progress
            .in_flight
            .iter()
            .map(|load| LEVELS[(load * 8 / u64::from(slots.max(1))).min(8) as usize])
            .collect();
        let failed = match counts.tasks_dead + counts.tasks_late {
            0 => String::new(),
            n => format!("  {n} failed"),
        };
        bar.set_message(format!(
            "{done}/{total}  {rate:.1}/s  {in_flight} in flight  load [{loads}]  ETA {eta}{failed}"
        ));
    }

    fn rate(&self) -> f64 {
        match (self.recent.front(), self.recent.back()) {
            (Some((t0, n0)), Some((t1, n1))) if t1 > t0 => (n1 - n0) as f64 / (t1 - t0),
            _ => 0.0,
        }
    }

    /// Say something, above the bar if there is one.
    pub(crate) fn say(&self, text: &str) {
        self.voice.say_above(self.bar.as_ref(), text);
    }

    /// For who says something from another thread.
    pub(crate) fn voice(&self) -> Speaker {
        Speaker { bar: self.bar.clone(), voice: self.voice.clone() }
    }

    /// Take the bar away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

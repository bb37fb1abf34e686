//! `jobs cancel`: ask supervisors to stop, as Ctrl-C does, and wait until they have.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::exit::{Exit, usage};
use crate::jobs::{Life, Record, State, Store, counted};

const EXAMPLES: &str = "\
Examples:
  sage-flow jobs cancel rag-7k2m
  sage-flow jobs cancel rag-7k2m llm-x4tz --timeout 2min
  sage-flow jobs cancel results/runs/rag-2026-11-27-101500 --now

Tasks in flight may end, for as long as the run's --drain says; queued ones stay pending, and the
run writes its summary. With --now it does not wait for them.

Exit codes: 0 all have ended   1 no such job   2 some have not ended within the time";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CancelArguments {
    /// Ids, beginnings of ids, or folders that are written to
    #[arg(required = true, value_name = "ID")]
    jobs: Vec<String>,
    /// Stop at once: tasks in flight are given up
    #[arg(long)]
    now: bool,
    /// How long to wait for their ends [default: their --drain and 15 s more]
    #[arg(long, value_name = "D", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What a run may need beyond its drain to join its files and write its summary.
const MORE: Duration = Duration::from_secs(15);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn cancel(arguments: &CancelArguments) -> anyhow::Result<Exit> {
    let store = Store::open()?;
    let listed = store.all()?;
    let mut jobs: Vec<&Record> = Vec::new();
    for name in &arguments.jobs {
        let record = listed.find(name)?;
        if let Some(host) = record.elsewhere().filter(|_| record.state().goes_on()) {
            let id = &record.id;
            return Err(usage(format!("job {id} is on {host}; cancel it there")));
        }
        if !jobs.iter().any(|known| known.id == record.id) {
            jobs.push(record);
        }
    }
    let say = |text: String| {
        if !arguments.json {
            println!("{text}");
        }
    };
    let mut asked = Vec::new();
    for record in &jobs {
        let state = record.state();
        if state.goes_on() && ask(record, arguments.now)? {
            let limit = limit(record, arguments);
            asked.push((*record, Instant::now() + limit));
            let how = if arguments.now { "at once" } else { "when its tasks in flight have ended" };
            if !arguments.json {
                eprintln!("{}: asked to stop {how}", record.id);
            }
        } else {
            say(format!("{}: it does not run; {}", record.id, how_it_stands(&store, record)));
        }
    }
    let mut late = Vec::new();
    for (record, until) in &asked {
        while record.supervisor.life() != Life::Ended && Instant::now() < *until {
            thread::sleep(LOOK);
        }
        let ended = record.supervisor.life() == Life::Ended;
        let how = how_it_stands(&store, record);
        say(format!("{}: {}{how}", record.id, if ended { "" } else { "not ended yet; " }));
        if record.supervisor.life() == Life::Stopped {
            let pid = record.supervisor.pid;
            eprintln!("{}: its process is held; `kill -CONT {pid}` lets it go on", record.id);
        }
        if !ended {
            late.push(record.id.as_str());
        }
    }
    if arguments.json {
        let views = jobs.iter().map(|record| view(&store, record, &late)).collect::<Vec<_>>();
        println!("{}", serde_json::to_string_pretty(&json!({"jobs": views}))?);
    }
    if late.is_empty() {
        return Ok(Exit::Complete);
    }
    let hint = if arguments.now { "" } else { "; --now does not wait for tasks in flight" };
    eprintln!("error: {} did not end in time{hint}", late.join(", "));
    Ok(Exit::Failed)
}

/// Send the signals; false if it has ended meanwhile.
///
/// Two signals of one kind may arrive as one, so that a stop at once is asked for by two of
/// different kinds, unless the first was there already.
fn ask(record: &Record, now: bool) -> anyhow::Result<bool> {
    let send = |signal| {
        let pid = record.supervisor.pid;
        record
            .supervisor
            .signal(signal)
            .with_context(|| format!("job {}: cannot signal process {pid}", record.id))
    };
    let there = send(Signal::TERM)?;
    if there && now && record.state() != State::Stopping {
        send(Signal::INT)?;
    }
    Ok(there)
}

/// Nobody waits longer, whatever a record or an option says: a clock must be able to show the end.
const MOST: Duration = Duration::from_secs(366 * 24 * 3600);

fn limit(record: &Record, arguments: &CancelArguments) -> Duration {
    let drain = Duration::try_from_secs_f64(record.drain_s).unwrap_or_default();
    let drain = if arguments.now { Duration::ZERO } else { drain };
    arguments.timeout.unwrap_or(drain.saturating_add(MORE)).min(MOST)
}

/// The job as it is by now; as it was, if it was removed.
fn anew(store: &Store, record: &Record) -> Record {
    store.reread(&record.id).unwrap_or_else(|| record.clone())
}

fn how_it_stands(store: &Store, record: &Record) -> String {
    let record = anew(store, record);
    format!("{}, {}", record.state().word(), counted(&record.counts))
}

fn view(store: &Store, record: &Record, late: &[&str]) -> Value {
    let mut view = anew(store, record).view();
    view["timed_out"] = json!(late.contains(&record.id.as_str()));
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_record_and_no_option_asks_for_a_time_that_no_clock_shows() {
        let arguments =
            |timeout| CancelArguments { jobs: Vec::new(), now: false, timeout, json: false };
        let mut record = crate::jobs::example("a");
        for drain_s in [0.0, 30.0, -1.0, 1e18, 1e300] {
            record.drain_s = drain_s;
            let limit = limit(&record, &arguments(None));
            assert!(limit >= MORE && Instant::now().checked_add(limit).is_some(), "{drain_s}");
        }
        assert_eq!(limit(&record, &arguments(Some(Duration::MAX))), MOST);
    }
}

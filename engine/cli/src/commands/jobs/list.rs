//! `jobs list`: a table of the jobs, those that go on first.

use clap::Args;
use serde_json::json;

use super::{complain, plural, unread};
use crate::commands::experiment::lines;
use crate::exit::Exit;
use crate::jobs::{Listed, Record, State, Store};

const EXAMPLES: &str = "\
Examples:
  sage-flow jobs list
  sage-flow jobs list --all
  sage-flow jobs list --json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ListArguments {
    /// Also all that have ended; otherwise the ten that were started last
    #[arg(long, short)]
    all: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Lost jobs that are named in a command.
const NAMED: usize = 5;
/// Ended jobs that are shown unless all are asked for.
const SHOWN: usize = 10;

pub(super) fn list(arguments: &ListArguments) -> anyhow::Result<Exit> {
    let store = Store::open()?;
    let listed = store.all()?;
    let (mut shown, ended): (Vec<&Record>, Vec<&Record>) =
        listed.jobs.iter().partition(|record| matters(record.state()) && !went_on(record, &listed));
    let kept = if arguments.all { ended.len() } else { SHOWN.min(ended.len()) };
    let hidden = ended.len() - kept;
    shown.sort_by_key(|record| record.state() == State::Lost);
    shown.extend(&ended[..kept]);
    complain(&listed);
    if arguments.json {
        let all = json!({
            "folder": store.folder,
            "jobs": shown.iter().map(|record| record.view()).collect::<Vec<_>>(),
            "more": hidden,
            "unread": unread(&listed),
        });
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(Exit::Complete);
    }
    if shown.is_empty() {
        eprintln!("no jobs are known in {}", store.folder.display());
        return Ok(Exit::Complete);
    }
    let head =
        ["job", "state", "verb", "started", "time", "in", "ok", "failed", "pending", "folder"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(shown.iter().map(|record| row(record, &listed)));
    print!("{}", lines(&rows));
    let lost: Vec<&str> = shown
        .iter()
        .filter(|record| record.state() == State::Lost && !went_on(record, &listed))
        .map(|record| record.id.as_str())
        .collect();
    if let [first, ..] = lost[..] {
        eprintln!(
            "{} lost: the supervisor is gone without a word; `sage-flow jobs resume {first}` goes on \
             with the first, `sage-flow jobs cleanup{}` ends what is left of them and forgets them",
            plural(lost.len(), "job"),
            if lost.len() <= NAMED { format!(" {}", lost.join(" ")) } else { String::new() },
        );
    }
    if hidden > 0 {
        eprintln!("{} more that ended (--all)", plural(hidden, "job"));
    }
    Ok(Exit::Complete)
}

/// Whether there is something to do about it.
fn matters(state: State) -> bool {
    state.goes_on() || state == State::Lost
}

/// Whether it was lost, and another job has gone on in its folder since.
fn went_on(record: &Record, listed: &Listed) -> bool {
    let last = record.folders.first().and_then(|folder| listed.of_folder(folder));
    record.state() == State::Lost && last.is_some_and(|last| last.id != record.id)
}

fn row(record: &Record, listed: &Listed) -> Vec<String> {
    let counts = &record.counts;
    let state = match record.elsewhere() {
        Some(host) => format!("{} on {host}", record.state().word()),
        None if went_on(record, listed) => "went on".to_owned(),
        None => record.state().word().to_owned(),
    };
    let started = record.started.get(..19).unwrap_or(&record.started).replace('T', " ");
    vec![
        record.id.clone(),
        state,
        record.kind.word().to_owned(),
        started,
        time(record),
        counts.tasks_in.to_string(),
        counts.tasks_ok.to_string(),
        (counts.tasks_dead + counts.tasks_late).to_string(),
        counts.tasks_pending.to_string(),
        record.folders.first().map_or_else(|| "-".into(), |folder| folder.display().to_string()),
    ]
}

/// In whole seconds; `-` where it is not known.
pub(super) fn time(record: &Record) -> String {
    let seconds = |took: std::time::Duration| std::time::Duration::from_secs(took.as_secs());
    record
        .took()
        .map_or_else(|| "-".into(), |took| humantime::format_duration(seconds(took)).to_string())
}

//! `run a.sage b.sage`: several programs at once.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::execute::{Session, Stopped, Talk, execute, reads_stdin};
use super::facts;
use super::interrupt::Interrupts;
use super::report::Folder;
use super::services::{JOURNAL, Places};
use super::{JobRun, RunResult};
use crate::exit::{Exit, usage};

/// Run the jobs side by side, each into a folder of its own in the first one's `out`, and report on
/// each and on all. Of flows with the same name all but the first get a number. The exit is that of
/// the job that fared worst.
pub(crate) fn together(mut jobs: Vec<JobRun>, stagger: Duration) -> anyhow::Result<Exit> {
    number(&mut jobs);
    let readers: Vec<&str> =
        jobs.iter().filter(|job| reads_stdin(&job.plan)).map(|job| job.name.as_str()).collect();
    if readers.len() > 1 {
        let readers = readers.join(" and ");
        return Err(usage(format!("{readers} all read the standard input; only one can")));
    }
    let Some(first) = jobs.first().map(|job| job.options.clone()) else {
        return Err(usage("there is no job to run"));
    };
    let names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
    let root = Folder::claim_root(first.out.as_deref(), &names.join("+"), first.fresh)?;
    crate::jobs::begin(names.iter().map(String::as_str), [root.path.as_path()], first.drain);
    for (number, job) in jobs.iter_mut().enumerate() {
        job.options.out = Some(root.path.join(&job.name));
        job.start_ns = (stagger.as_nanos() as u64).saturating_mul(number as u64);
    }
    let session = Session {
        seed: first.seed,
        fair: true,
        held: true,
        places: Some(Places { journal: Some(root.path.join(JOURNAL)), content: None }),
        talk: Talk::Each,
    };
    let interrupts = Interrupts::listen()?;
    let mut executed = match execute(&jobs, &session, &interrupts) {
        Err(stopped) if stopped.is::<Stopped>() => {
            eprintln!("{stopped}");
            return Ok(Exit::Interrupted);
        }
        executed => executed?,
    };
    facts::write(&jobs, &mut executed, session.fair, &root.path, Map::new())?;
    let text = table(&names, &executed.results);
    std::fs::write(root.path.join("summary.txt"), &text)?;
    let worst = executed.results.iter().map(exit).max_by_key(|exit| badness(*exit));
    let worst = worst.unwrap_or(Exit::Failed);
    crate::jobs::outcome(worst);
    if first.json {
        let metrics = |result: &anyhow::Result<RunResult>| {
            result.as_ref().map_or(Value::Null, |result| result.metrics.clone())
        };
        let all: Vec<Value> = executed.results.iter().map(metrics).collect();
        println!("{}", serde_json::to_string_pretty(&json!(all))?);
    } else if !first.quiet {
        for result in executed.results.iter().flatten() {
            eprint!("\n{}", result.summary);
        }
        eprint!("\n{text}");
    }
    for (name, result) in names.iter().zip(&executed.results) {
        match result {
            Ok(result) => {
                result.complaints.iter().for_each(|line| eprintln!("error: {name}: {line}"));
            }
            Err(error) => eprintln!("error: {name}: {error:#}"),
        }
    }
    Ok(worst)
}

/// Give each job a name of its own, and its plan, too: reports and paid answers go by it.
fn number(jobs: &mut [JobRun]) {
    for at in 0..jobs.len() {
        let (before, rest) = jobs.split_at_mut(at);
        let job = &mut rest[0];
        let taken = |name: &str| before.iter().any(|other| other.name == name);
        let flow = job.plan.name.clone();
        let numbered = (2..).map(|number| format!("{flow}-{number}"));
        if let Some(name) = std::iter::once(flow.clone()).chain(numbered).find(|name| !taken(name))
        {
            job.plan.name.clone_from(&name);
            job.name = name;
        }
    }
}

fn exit(result: &anyhow::Result<RunResult>) -> Exit {
    result.as_ref().map_or_else(crate::exit::of_error, |result| result.exit)
}

fn badness(exit: Exit) -> u8 {
    match exit {
        Exit::Complete => 0,
        Exit::Incomplete => 1,
        Exit::Usage => 2,
        Exit::Failed => 3,
        Exit::Interrupted => 4,
    }
}

/// The jobs beside each other.
fn table(names: &[String], results: &[anyhow::Result<RunResult>]) -> String {
    let width = names.iter().map(String::len).max().unwrap_or(0).max("job".len());
    let mut text = format!(
        "{:<width$}  {:>10}  {:>8}  {:>8}  {:>9}  {:>12}  {:>10}  {:>8}\n",
        "job", "status", "began s", "ended s", "tasks ok", "tasks/s", "p99 ms", "balance"
    );
    for (name, result) in names.iter().zip(results) {
        let Ok(result) = result else {
            text.push_str(&format!("{name:<width$}  {:>10}\n", "failed"));
            continue;
        };
        let metrics = &result.metrics;
        let number = |name: &str, digits: usize| {
            metrics[name].as_f64().map_or_else(|| "-".into(), |x| format!("{x:.digits$}"))
        };
        let began = result.began_s.map_or_else(|| "-".into(), |s| format!("{s:.2}"));
        text.push_str(&format!(
            "{name:<width$}  {:>10}  {began:>8}  {:>8.2}  {:>9}  {:>12}  {:>10}  {:>8}\n",
            metrics["status"].as_str().unwrap_or("-"),
            result.ended_s,
            metrics["tasks_ok"],
            number("throughput_per_s", 2),
            number("latency_p99_ms", 1),
            number("balance", 3),
        ));
    }
    text
}

/// `2s`, `500ms`.
pub(crate) fn parse_stagger(text: &str) -> anyhow::Result<Duration> {
    humantime::parse_duration(text)
        .map_err(|error| usage(format!("--stagger {text}: {error}; expected a time such as 2s")))
}

/// The journal of the run that left `folder`: its own, or that of the jobs it ran with.
pub(crate) fn journal_of(folder: &Path) -> Option<std::path::PathBuf> {
    let own = folder.join(JOURNAL);
    let absolute = std::path::absolute(folder).ok();
    let root = absolute.as_deref().and_then(Path::parent);
    let shared =
        root.filter(|root| root.join(facts::TRIAL).is_file()).map(|root| root.join(JOURNAL));
    std::iter::once(own).chain(shared).find(|journal| journal.is_dir())
}

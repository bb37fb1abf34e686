//! `retry`: run the failed records of a run again, and only those.
//!
//! A dead letter holds its record as it came from the source, and the run's folder holds the plan as
//! it was carried out, with everything the command line had changed. So a retry is the same plan
//! with another source: the records of the dead letters, one JSON object a line. Rows that never
//! became records have nothing to be retried with; they are named.

mod chosen;
mod unserved;

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use sage_dsl::plan::{BadRows, Node, Plan, SourcePlan};
use sage_dsl::types::Value as Constant;
use serde_json::Value;

use crate::args::{DRAIN, RunArguments};
use crate::exit::{Exit, usage};
use crate::program;
use crate::regular;
use crate::run::launch::LaunchArguments;
use crate::run::links::LinkArguments;
use crate::run::loss::OnLoss;
use crate::run::{self, JobRun};

use self::chosen::Chosen;

const EXAMPLES: &str = "\
Examples:
  sage-flow retry results/runs/rag-2026-11-25-101500/dead_letters.jsonl
  sage-flow retry dead_letters.jsonl --endpoint http://127.0.0.1:8000 --out results/second
  sage-flow retry dead_letters.jsonl --program pipelines/rag.sage --set max_tokens=512

The results are in retry-1, retry-2 and so on beside the file, unless --out says otherwise.
A retry that was broken off goes on when the same command is given again; after that a new one begins.

Exit codes: as of `run`; 3 also when rows are left that cannot be retried.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct RetryArguments {
    /// The dead letters of a run, in its folder; or that folder
    #[arg(value_name = "DEAD.jsonl")]
    file: PathBuf,
    /// Output folder [default: retry-N beside the file]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Give up a retry that was broken off, and begin a new one
    #[arg(long)]
    fresh: bool,
    /// Run this program in place of the one that the run was made with
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Give a parameter of --program another value
    #[arg(long = "set", value_name = "NAME=VALUE", requires = "program")]
    sets: Vec<String>,
    /// Which flow of --program to run
    #[arg(long, value_name = "NAME", requires = "program")]
    flow: Option<String>,
    /// Worker processes [default: as in the run]
    #[arg(long, short, value_name = "N")]
    workers: Option<usize>,
    /// Dataflow threads in each worker [default: as in the run]
    #[arg(long, value_name = "T")]
    threads: Option<usize>,
    /// Tasks a worker executes at once [default: as in the run]
    #[arg(long, value_name = "S")]
    slots: Option<u32>,
    /// Scheduling policy, with arguments [default: as in the run]
    #[arg(long, value_name = "NAME")]
    scheduler: Option<String>,
    /// Calls in flight at an endpoint, over all workers: a number or `auto`
    #[arg(long, value_name = "N|auto")]
    concurrency: Option<String>,
    /// Use this endpoint in place of the plan's: a URL or sim:PROFILE[@SPEED]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Seed [default: as in the run]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Time for tasks in flight to end after Ctrl-C or SIGTERM
    #[arg(long, value_name = "D", default_value = DRAIN, value_parser = humantime::parse_duration)]
    drain: Duration,
    /// No progress and no summary
    #[arg(long, short)]
    quiet: bool,
    /// Let `exec` stages run their programs: a program can do whatever you can
    #[arg(long)]
    allow_exec: bool,
    /// Let `http` stages speak to this host; may be repeated
    #[arg(long = "allow-http", value_name = "HOST[:PORT]")]
    allow_http: Vec<String>,
    /// Print metrics.json on the standard output at the end
    #[arg(long)]
    json: bool,
}

/// What a file of dead letters holds.
#[derive(Debug, Default)]
struct Letters {
    /// Records that can be retried.
    records: u64,
    /// Rows that are no records: where, and what is wrong with them.
    rows: Vec<String>,
}

/// Of a plan with steps over all records.
const OF_THESE: &str = "            its `group`, `join` and `dedup` are over these records alone: add their \
                        rows to those of the run, or run all of it again\n";

/// Rows named on the screen; the file has them all.
const SHOWN: usize = 10;

pub(crate) fn retry(arguments: RetryArguments) -> anyhow::Result<Exit> {
    // The folder of the run says as much as the file.
    let within = arguments.file.join(sage_dataflow::DEAD_LETTERS);
    let file = if arguments.file.is_dir() { &within } else { &arguments.file };
    let letters = regular::open(file)
        .map_err(|error| usage(format!("cannot read `{}`: {error}", file.display())))?;
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if let Some(out) = &arguments.out
        && let (Ok(out), Ok(run)) = (out.canonicalize(), folder.canonicalize())
        && out == run
    {
        return Err(usage(format!(
            "--out {}: that is the folder of the run itself, whose results would be replaced; \
             choose another or leave it out",
            out.display()
        )));
    }
    let (mut plan, name) = plan(folder, &arguments)?;
    let records = chosen::unnumbered(folder)?;
    let letters = extract(letters, file, records.path())?;
    if !arguments.quiet {
        letters.rows.iter().take(SHOWN).for_each(|row| eprintln!("not retried: {row}"));
        if letters.rows.len() > SHOWN {
            let more = letters.rows.len() - SHOWN;
            eprintln!("not retried: {more} more rows that are no records of the source");
        }
    }
    let shown = arguments.file.display();
    if letters.records == 0 {
        if letters.rows.is_empty() {
            eprintln!("nothing to retry: `{shown}` is empty");
            return Ok(Exit::Complete);
        }
        let rows = letters.rows.len();
        return Err(usage(format!(
            "nothing to retry: all {rows} dead letters of `{shown}` are rows that are no records of the \
             source; mend the source or the program and run it again"
        )));
    }
    if let Some(answers) = unserved::keep_answers(&mut plan)
        && !arguments.quiet
    {
        eprintln!("the clients of the service have gone: answers are written to `{answers}`");
    }
    let given = arguments.out.as_deref();
    if !arguments.fresh {
        for begun in chosen::unfinished(folder, given, records.path()) {
            let job = job(&plan, &name, &begun, folder, &arguments)?;
            // What --out names is meant, and a run says what is not the same there.
            if given.is_some() || run::is_same(&job, &begun.out)? {
                return retried(job, &begun, &letters, &arguments);
            }
            if !arguments.quiet {
                eprintln!(
                    "`{}` was broken off and is of another program, or of other settings: a new retry \
                     begins",
                    begun.out.display()
                );
            }
        }
    }
    let new = chosen::claim(folder, given, records)?;
    let outcome = job(&plan, &name, &new, folder, &arguments)
        .and_then(|job| retried(job, &new, &letters, &arguments));
    if outcome.is_err() {
        new.forget();
    }
    outcome
}

/// The run that a retry is.
fn job(
    plan: &Plan,
    name: &Path,
    chosen: &Chosen,
    folder: &Path,
    arguments: &RetryArguments,
) -> anyhow::Result<JobRun> {
    let mut plan = plan.clone();
    replace_source(&mut plan, &chosen.records)?;
    let setup = json(&folder.join("setup.json")).unwrap_or_default();
    let run_arguments = run_arguments(arguments, &setup, name, chosen.out.clone());
    run::changes::Changes::of(&run_arguments)?.apply(&mut plan)?;
    let mut options = run::options::Options::new(name, &run_arguments)?;
    // What its earlier stages were answered is not paid again.
    options.journal = run::journal_of(folder);
    Ok(JobRun::new(plan, options))
}

/// Run it, and say how it went.
fn retried(
    job: JobRun,
    chosen: &Chosen,
    letters: &Letters,
    arguments: &RetryArguments,
) -> anyhow::Result<Exit> {
    let out = &chosen.out;
    let grouped = job.plan.relation().is_some();
    let exit = run::supervise(job.plan, &job.options)?;
    let exit =
        if exit == Exit::Complete && !letters.rows.is_empty() { Exit::Incomplete } else { exit };
    let mut line = outcome_line(out, letters, exit);
    if grouped {
        line.push_str(OF_THESE);
    }
    if !arguments.quiet && !arguments.json {
        eprint!("{line}");
    }
    let summary = out.join("summary.txt");
    let append = File::options()
        .append(true)
        .create(true)
        .open(&summary)
        .and_then(|mut text| text.write_all(line.as_bytes()));
    append.with_context(|| format!("cannot write `{}`", summary.display()))?;
    Ok(exit)
}

/// How many of the failed records succeeded now.
fn outcome_line(out: &Path, letters: &Letters, exit: Exit) -> String {
    let metrics = json(&out.join("metrics.json")).unwrap_or_default();
    let ok = metrics.get("tasks_ok").and_then(Value::as_u64).unwrap_or(0);
    let all = letters.records;
    let mut line = match exit {
        Exit::Interrupted => format!(
            "retried     {ok} of {all} failed records succeeded so far; the same command goes on"
        ),
        // A record may be done and what it gave not be where it is to go.
        Exit::Failed | Exit::Usage => format!(
            "retried     {ok} of {all} failed records were worked off when the retry failed, and not all \
             of their rows may have been written or delivered; the same command goes on"
        ),
        Exit::Complete | Exit::Incomplete => {
            format!("retried     {ok} of {all} failed records succeeded")
        }
    };
    if !letters.rows.is_empty() {
        let rows = letters.rows.len();
        line.push_str(&format!("; {rows} rows are no records of the source and were not retried"));
    }
    line + "\n"
}

/// The plan to run again, and the program it is of.
fn plan(folder: &Path, arguments: &RetryArguments) -> anyhow::Result<(Plan, PathBuf)> {
    if let Some(file) = &arguments.program {
        let plan = program::one_plan(file, &arguments.sets, arguments.flow.as_deref())?;
        return Ok((plan, file.clone()));
    }
    let path = folder.join("plan.json");
    let hint = "; is the file in the folder of its run? else name the program by --program FILE";
    let broken = |error: &dyn std::fmt::Display| {
        usage(format!("cannot read `{}`: {error}{hint}", path.display()))
    };
    let text = regular::read(&path, regular::DESCRIPTION).map_err(|error| broken(&error))?;
    let plan = serde_json::from_slice(&text).map_err(|error| broken(&error))?;
    let setup = json(&folder.join("setup.json")).unwrap_or_default();
    let name = setup.get("program").and_then(Value::as_str).unwrap_or("plan.json");
    Ok((plan, name.into()))
}

/// Write the records of the dead letters to `into`, one a line.
fn extract(letters: File, file: &Path, into: &Path) -> anyhow::Result<Letters> {
    let mut found = Letters::default();
    let mut out = BufWriter::new(File::create(into)?);
    for (number, line) in (1..).zip(BufReader::new(letters).lines()) {
        let place = || format!("{}:{number}", file.display());
        let line = line.map_err(|error| usage(format!("{}: {error}", place())))?;
        if line.trim().is_empty() {
            continue;
        }
        let letter: Value = serde_json::from_str(&line)
            .map_err(|error| usage(format!("{}: it is no dead letter: {error}", place())))?;
        if let Some(record @ Value::Object(_)) = letter.get("record") {
            serde_json::to_writer(&mut out, record)?;
            out.write_all(b"\n")?;
            found.records += 1;
        } else if let Some(row) = letter.get("place").and_then(Value::as_str) {
            let why = letter.get("message").and_then(Value::as_str).unwrap_or("it is no record");
            found.rows.push(format!("{row}: {why}"));
        } else {
            let message = "it is no dead letter: it has neither `record` nor `place`";
            return Err(usage(format!("{}: {message}", place())));
        }
    }
    out.flush()?;
    Ok(found)
}

/// Write the records of a file of dead letters to `into`; how many there are, and how many rows.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn retried_records(file: &Path, into: &Path) -> anyhow::Result<(usize, usize)> {
    let letters = extract(regular::open(file)?, file, into)?;
    Ok((usize::try_from(letters.records)?, letters.rows.len()))
}

/// Let the plan read `records` in place of its source.
fn replace_source(plan: &mut Plan, records: &Path) -> anyhow::Result<()> {
    // What a letter holds has been through what is decided while a source is read.
    let given = plan.given();
    let source = plan.nodes.iter_mut().find_map(|node| match node {
        Node::Source(source) => Some(source),
        _ => None,
    });
    let source: &mut SourcePlan = source.ok_or_else(|| usage("the plan has no source"))?;
    let path = records.to_str().ok_or_else(|| {
        usage(format!("the name of the folder `{}` is no UTF-8", records.display()))
    })?;
    if let (Some(_), Some(given)) = (source.expand.take(), given) {
        source.record = given;
    }
    (source.distinct, source.watermark) = (None, None);
    "jsonl".clone_into(&mut source.kind);
    source.args = vec![("path".to_owned(), Constant::String(path.to_owned()))];
    source.fields.clear();
    source.bad_rows = BadRows::DeadLetter;
    Ok(())
}

/// As the run was made, but for what the command line says.
fn run_arguments(
    arguments: &RetryArguments,
    setup: &Value,
    program: &Path,
    out: PathBuf,
) -> RunArguments {
    let number = |name: &str| setup.get(name).and_then(Value::as_u64);
    let size = |name: &str| number(name).and_then(|n| usize::try_from(n).ok());
    RunArguments {
        files: vec![program.to_owned()],
        workers: arguments.workers.or_else(|| size("workers")),
        threads: arguments.threads.or_else(|| size("threads")).unwrap_or(1),
        slots: arguments.slots,
        scheduler: arguments.scheduler.clone(),
        concurrency: arguments.concurrency.clone(),
        endpoint: arguments.endpoint.clone(),
        sets: Vec::new(),
        tasks: None,
        limit: None,
        rate: None,
        arrivals: None,
        stagger: None,
        strict_slo: false,
        allow_exec: arguments.allow_exec,
        allow_http: arguments.allow_http.clone(),
        listen: None,
        seed: arguments.seed.or_else(|| number("seed")).unwrap_or(0),
        fresh: arguments.fresh,
        on_loss: OnLoss::default(),
        out: Some(out),
        flow: None,
        drain: arguments.drain,
        quiet: arguments.quiet,
        json: arguments.json,
        launch: LaunchArguments::default(),
        links: LinkArguments::default(),
    }
}

/// A file of a run, if it is there and holds JSON.
fn json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&regular::read(path, regular::DESCRIPTION).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn records_and_rows_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dead_letters.jsonl");
        let text = "{\"task\":3,\"stage\":\"a\",\"key\":\"x\",\"record\":{\"id\":\"x\",\"n\":1.5}}\n\n\
                    {\"task\":null,\"stage\":\"source\",\"place\":\"q.csv:3\",\"message\":\"no\"}\n";
        fs::write(&file, text).unwrap();
        let into = folder.path().join("records.jsonl");
        let found = extract(File::open(&file).unwrap(), &file, &into).unwrap();
        assert_eq!(found.records, 1);
        assert_eq!(found.rows, ["q.csv:3: no"]);
        assert_eq!(fs::read_to_string(&into).unwrap(), "{\"id\":\"x\",\"n\":1.5}\n");
        for wrong in ["nonsense", "{\"x\":1}", "[]"] {
            fs::write(&file, wrong).unwrap();
            let error = extract(File::open(&file).unwrap(), &file, &into).unwrap_err().to_string();
            assert!(error.contains(".jsonl:1: it is no dead letter"), "{error}");
        }
    }
}

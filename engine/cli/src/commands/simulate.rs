//! `simulate`: what a run would do, in virtual time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::hints;
use crate::exit::{Exit, usage, usage_of};
use crate::regular;
use crate::run::report::{Folder, new_folder};
use crate::twin::{
    self, Course, Report, TwinArguments, TwinRun, Unknown, Worked, Workshop, together,
};

/// Where predictions go that name no folder.
const SIMULATED: &str = "results/simulated";

#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct SimulateArguments {
    /// The program; several run at once and share nodes and what endpoints they have in common
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) twin: TwinArguments,
    /// Give a parameter another value
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) sets: Vec<String>,
    /// Which flow to simulate when the program has several
    #[arg(long, value_name = "NAME")]
    pub(crate) flow: Option<String>,
    /// Of several programs, each begins so long after the one before it (`2s`)
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    pub(crate) stagger: Option<String>,
    /// Output folder, with all that a run writes but its results [default:
    /// results/simulated/PIPELINE-TIME]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// No summary
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Print metrics.json on the standard output
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn simulate(arguments: &SimulateArguments) -> anyhow::Result<Exit> {
    let began = Instant::now();
    let SimulateArguments { files, twin, sets, flow, stagger, .. } = arguments;
    let run = twin.run(files, sets, flow.as_deref(), stagger.as_deref())?;
    hints::show(&run, twin);
    let worked = Workshop::new()?.model(&run).map_err(Unknown::as_usage)?;
    sage_twin::check(&worked.model).map_err(usage_of)?;
    let ready = began.elapsed();
    if let Some(out) = &arguments.out {
        check_out(out, &run)?;
    }
    let given = arguments.out.clone();
    let out = given.map_or_else(|| new_folder(Path::new(SIMULATED), &name(&run)), Ok)?;
    let unfinished = Unfinished::new(&out, arguments.out.is_none())?;
    let done = carry_out(&run, &worked, &out);
    unfinished.over();
    if done.is_err() && arguments.out.is_none() {
        // Nobody asked for it, and there is nothing in it.
        let _ = std::fs::remove_dir_all(&out);
    }
    let (course, reports, table) = done?;
    if arguments.json {
        let metrics: Vec<_> = reports.iter().map(|report| &report.metrics).collect();
        let text = match metrics.as_slice() {
            [one] => serde_json::to_string_pretty(one)?,
            several => serde_json::to_string_pretty(several)?,
        };
        println!("{text}");
    } else if !arguments.quiet {
        for report in &reports {
            print!("{}", report.summary);
            println!();
        }
        if let Some(table) = &table {
            println!("{table}");
        }
        let all = began.elapsed();
        println!(
            "{}: {:.3} s in {:.3} s ({:.3} s to look at the data; {} events)",
            twin::LABEL,
            course.outcome.end_ns as f64 / 1e9,
            all.as_secs_f64(),
            ready.as_secs_f64(),
            course.outcome.events
        );
        println!("written to {}", out.display());
    }
    Ok(reports
        .iter()
        .map(|report| report.exit)
        .max_by_key(|exit| *exit as u8)
        .unwrap_or(Exit::Failed))
}

/// A prediction on its way. An interrupt ends it on the spot, since virtual time cannot be drained;
/// the user is told so, and a folder that nobody named goes with it.
struct Unfinished(Arc<AtomicBool>);

impl Unfinished {
    fn new(out: &Path, ours: bool) -> anyhow::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let (out, ended) = (out.to_owned(), Arc::clone(&over));
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            signals.forever().next();
            if !ended.swap(true, Ordering::SeqCst) {
                let left = if ours {
                    let _ = std::fs::remove_dir_all(&out);
                    "nothing was written".to_owned()
                } else {
                    format!("`{}` holds no result", out.display())
                };
                eprintln!("interrupted: the simulation did not come to its end; {left}");
            }
            std::process::exit(i32::from(Exit::Interrupted.code()));
        })?;
        Ok(Unfinished(over))
    }

    /// What is written stays from now on.
    fn over(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn name(run: &TwinRun) -> String {
    let names: Vec<&str> = run.jobs.iter().map(|job| job.name.as_str()).collect();
    names.join("+")
}

/// A simulated run, the reports on its jobs, and of several jobs the table of all.
type Done = (Course, Vec<Report>, Option<String>);

/// What a run has measured is not to be replaced by what is only predicted.
fn check_out(out: &Path, run: &TwinRun) -> anyhow::Result<()> {
    let of_jobs = run.jobs.iter().map(|job| out.join(&job.name));
    for folder in std::iter::once(out.to_owned()).chain(of_jobs) {
        let Ok(setup) = regular::read(&folder.join("setup.json"), regular::DESCRIPTION) else {
            continue;
        };
        let setup: serde_json::Value = serde_json::from_slice(&setup).unwrap_or_default();
        if setup["backend"] != twin::BACKEND {
            return Err(usage(format!(
                "--out {}: the folder holds a real run, which a prediction would replace; choose another",
                folder.display()
            )));
        }
    }
    Ok(())
}

/// Simulate, and write what a run writes into `out`.
fn carry_out(run: &TwinRun, worked: &Worked, out: &Path) -> anyhow::Result<Done> {
    // Claimed as long as it is written to.
    let (_claimed, folders) = claim(out, run)?;
    twin::write_setups(run, worked, &folders)?;
    let course = twin::run(run, worked, &folders)?;
    let mut reports = twin::reports(run, worked, &course)?;
    let mut table = None;
    if run.jobs.len() > 1 {
        let facts = together::facts(run, &course, &mut reports);
        let text = together::table(&facts, &reports);
        together::write(out, &facts, &text)?;
        table = Some(text);
    }
    twin::write_jobs(run, worked, &reports, &folders)?;
    Ok((course, reports, table))
}

/// The folder of one job, or one for each in the folder of several.
fn claim(out: &Path, run: &TwinRun) -> anyhow::Result<(Vec<Folder>, Vec<PathBuf>)> {
    if run.jobs.len() == 1 {
        let folder = Folder::claim_for_twin(out)?;
        let path = folder.path.clone();
        return Ok((vec![folder], vec![path]));
    }
    let root = Folder::claim_root(Some(out), "simulated", false)?;
    let mut claimed = vec![root];
    for job in &run.jobs {
        claimed.push(Folder::claim_for_twin(&out.join(&job.name))?);
    }
    let paths = claimed.iter().skip(1).map(|folder| folder.path.clone()).collect();
    Ok((claimed, paths))
}

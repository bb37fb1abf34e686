//! What the command line says about a run, checked and applied to the plan.

use std::path::{Path, PathBuf};

use sage_cluster::check_workers;
use sage_core::policies;
use sage_dsl::plan::Plan;

use crate::args::RunArguments;
use crate::exit::usage;

/// A run's options besides the plan.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) program: PathBuf,
    pub(crate) workers: usize,
    pub(crate) threads: usize,
    pub(crate) tasks: Option<u64>,
    pub(crate) limit: Option<u64>,
    pub(crate) rate: Option<f64>,
    pub(crate) seed: u64,
    /// Output folder, if one was named.
    pub(crate) out: Option<PathBuf>,
    /// Whether answers that an earlier run into the folder paid for are paid again.
    pub(crate) fresh: bool,
    /// Journal of another run whose paid answers are used too; else the folder's own.
    pub(crate) journal: Option<PathBuf>,
    pub(crate) quiet: bool,
    pub(crate) json: bool,
}

/// Most dataflow threads of one worker.
const MOST_THREADS: usize = 64;

impl Options {
    pub(crate) fn new(program: &Path, arguments: &RunArguments) -> anyhow::Result<Self> {
        let workers = arguments
            .workers
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        check_workers(workers).map_err(|error| usage(format!("--workers {workers}: {error}")))?;
        if arguments.threads == 0 || arguments.threads > MOST_THREADS {
            let threads = arguments.threads;
            return Err(usage(format!("--threads {threads}: expected 1 to {MOST_THREADS}")));
        }
        for (name, value) in [("--tasks", arguments.tasks), ("--limit", arguments.limit)] {
            if value == Some(0) {
                return Err(usage(format!(
                    "{name} 0: there would be nothing to do; expected 1 or more"
                )));
            }
        }
        Ok(Options {
            program: program.to_owned(),
            workers,
            threads: arguments.threads,
            tasks: arguments.tasks,
            limit: arguments.limit,
            rate: arguments.rate.as_deref().map(rate).transpose()?,
            seed: arguments.seed,
            out: arguments.out.clone(),
            fresh: arguments.fresh,
            journal: None,
            quiet: arguments.quiet,
            json: arguments.json,
        })
    }
}

/// Put what the command line overrides into the plan.
pub(crate) fn apply(plan: &mut Plan, arguments: &RunArguments) -> anyhow::Result<()> {
    if let Some(scheduler) = &arguments.scheduler {
        let (name, args) =
            policies::parse(scheduler).map_err(|error| usage(format!("--scheduler: {error}")))?;
        policies::build(&name, &args).map_err(|error| usage(format!("--scheduler: {error}")))?;
        plan.schedule.policy = name;
        plan.schedule.policy_args = args;
    }
    if let Some(slots) = arguments.slots {
        if !(1..=4096).contains(&slots) {
            return Err(usage(format!("--slots {slots}: expected 1 to 4096")));
        }
        plan.schedule.slots = slots;
    }
    if let Some(url) = &arguments.endpoint {
        if !(url.starts_with("http://") || url.starts_with("https://") || url.starts_with("sim:")) {
            let hint = "expected http(s)://HOST:PORT or sim:PROFILE[@SPEED]";
            return Err(usage(format!("--endpoint {url}: {hint}")));
        }
        if url.starts_with("sim:") {
            sage_llm::simulator::parse_url(url)
                .map_err(|error| usage(format!("--endpoint: {error}")))?;
        }
        for endpoint in &mut plan.endpoints {
            endpoint.url.clone_from(url);
            // One server stands for all those that the program names.
            endpoint.replicas.clear();
        }
    }
    if let Some(concurrency) = &arguments.concurrency {
        let limit = match concurrency.as_str() {
            "auto" => None,
            number => match number.parse::<u32>() {
                Ok(limit @ 1..=100_000) => Some(limit),
                _ => {
                    return Err(usage(format!(
                        "--concurrency {number}: expected `auto` or 1 to 100000"
                    )));
                }
            },
        };
        for endpoint in &mut plan.endpoints {
            endpoint.concurrency = limit;
        }
    }
    Ok(())
}

/// `20`, `20/s`, `600/min`, `3600/h`: per second.
fn rate(text: &str) -> anyhow::Result<f64> {
    let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
    let per_second = match unit.trim() {
        "s" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        _ => 0.0,
    };
    let number = number.trim().replace('_', "").parse::<f64>().ok();
    number
        .filter(|number| number.is_finite() && *number > 0.0 && per_second > 0.0)
        .map(|number| number / per_second)
        .ok_or_else(|| {
            usage(format!("--rate {text}: expected a rate above 0 such as 20/s or 600/min"))
        })
}

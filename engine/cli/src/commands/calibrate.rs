//! `calibrate`: measure an endpoint, fit a profile to it, write it as a file.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use sage_core::vllm::fit::{FitError, Fitted, fit};
use sage_llm::calibrate::{Bounds, CalibrateError, Measured, Plan, Progress, Target, measure};

use super::interrupted;
use crate::exit::{Exit, usage, usage_of};
use crate::run::services::Simulators;

const CALIBRATE_EXAMPLES: &str = "\
Examples:
  sage-flow calibrate --endpoint http://127.0.0.1:8000 --out ours.toml
  sage-flow calibrate --endpoint https://host/v1 --api-key-env KEY --max-tokens 50000 --time 2min
  sage-flow simulator --profile ours.toml";

/// Arguments of `calibrate`.
#[derive(Debug, Args)]
#[command(after_help = CALIBRATE_EXAMPLES)]
pub(crate) struct CalibrateArguments {
    /// The endpoint to measure: a URL or sim:PROFILE[@SPEED]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: String,
    /// The model to ask for [default: the first one that is served]
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Where to write the profile
    #[arg(long, value_name = "FILE", default_value = "calibrated.toml")]
    pub(crate) out: PathBuf,
    /// Most requests to send
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub(crate) max_requests: u32,
    /// Most tokens to spend, prompts and answers together
    #[arg(long, value_name = "T", default_value_t = 200_000)]
    pub(crate) max_tokens: u64,
    /// Most clients at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) max_concurrency: u32,
    /// Longest time, such as 90s or 5min
    #[arg(long, value_name = "TIME", default_value = "5min", value_parser = humantime::parse_duration)]
    pub(crate) time: Duration,
    /// Environment variable that holds the endpoint's key
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) api_key_env: Option<String>,
    /// Seed of the prompts [default: a new one each time]; the same prompts again are answered from
    /// a server's prefix cache and measure that
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Replace the file if it is there
    #[arg(long)]
    pub(crate) force: bool,
}

pub(crate) fn calibrate(arguments: &CalibrateArguments) -> anyhow::Result<Exit> {
    let bounds = Bounds {
        max_requests: arguments.max_requests,
        max_tokens: arguments.max_tokens,
        max_concurrency: arguments.max_concurrency,
        time: arguments.time,
    };
    let Some(plan) = Plan::within(&bounds) else {
        let least = Plan::least();
        let (requests, tokens) = (least.requests(), least.tokens());
        return Err(usage_of(CalibrateError::Budget { requests, tokens }));
    };
    let variable = arguments.api_key_env.as_deref();
    let api_key = variable
        .map(|name| {
            std::env::var(name)
                .map_err(|_| usage(format!("environment variable {name} is not set")))
        })
        .transpose()?;
    writable(&arguments.out, arguments.force)?;
    let seed = arguments.seed.map_or_else(fresh_seed, Ok)?;
    eprintln!(
        "calibrate: {} requests in {} cells, about {} tokens at most, within {}{}",
        plan.requests(),
        plan.cells.len(),
        plan.tokens(),
        humantime::format_duration(arguments.time),
        if plan.cut { " (some cells left out for the bounds)" } else { "" },
    );
    let stop = interrupted()?;
    let measured = super::serve(async {
        // Keeps an embedded simulator alive for the time of the probe.
        let mut simulators = Simulators::default();
        simulators.seed = seed;
        let resolved =
            simulators.resolve(&arguments.endpoint, arguments.model.as_deref(), 0).await?;
        let model = Some(resolved.model).filter(|model| !model.is_empty());
        let target = Target { url: resolved.url, model, api_key };
        measure(&target, &plan, &bounds, seed, stop, report).await.map_err(usage_of)
    })?;
    for note in &measured.notes {
        eprintln!("note: {note}");
    }
    eprintln!("spent: {} requests, {} tokens", measured.requests, measured.tokens);
    let fitted = fit(&measured.cells, &measured.model);
    if fitted.is_err() && measured.interrupted {
        eprintln!("interrupted before the first cell was measured: nothing is written");
        return Ok(Exit::Interrupted);
    }
    let mut fitted = fitted.map_err(|error| match error {
        FitError::NoCells | FitError::NoLoneCell => {
            anyhow::anyhow!("{error}; give the probe more time or a larger budget")
        }
    })?;
    let label = if measured.simulated { "simulated/" } else { "calibrated/" };
    fitted.profile.name = format!("{label}{}", measured.model).into();
    fitted.profile.model = measured.model.clone().into();
    if let Some(length) = measured.max_model_len {
        fitted.profile.max_model_len = length;
    }
    let head = head(arguments, &measured, &fitted);
    let text = fitted.profile.to_toml(&head);
    std::fs::write(&arguments.out, text)
        .with_context(|| format!("cannot write {}", arguments.out.display()))?;
    print!("{}", summary(&fitted));
    println!("{}", arguments.out.display());
    let whole = measured.cells.len() == plan.cells.len();
    Ok(match (measured.interrupted, whole) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Complete,
        (false, false) => Exit::Incomplete,
    })
}

/// Find out before anything is spent.
/// Prompts that no cache has seen: drawn, not fixed.
fn fresh_seed() -> anyhow::Result<u64> {
    getrandom::u64().map_err(|error| anyhow::anyhow!("no randomness: {error}"))
}

fn writable(path: &Path, force: bool) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if !folder.is_dir() || path.is_dir() {
        let what = "is no file in an existing folder; choose another with --out";
        return Err(usage(format!("{} {what}", path.display())));
    }
    if path.exists() && !force {
        let remedy = "is there already; choose another with --out, or --force replaces it";
        return Err(usage(format!("{} {remedy}", path.display())));
    }
    if path.extension().is_none_or(|end| !end.eq_ignore_ascii_case("toml")) {
        let why = "a profile is found by its ending: write --out NAME.toml";
        return Err(usage(format!("--out {}: {why}", path.display())));
    }
    Ok(())
}

fn report(progress: Progress<'_>) {
    match progress {
        Progress::Found { model, simulated } => {
            let kind = if simulated { "simulated endpoint" } else { "endpoint" };
            eprintln!("{kind}: {model}");
        }
        Progress::Cell { cell, figures } => eprintln!(
            "  {}: {:.0} tokens/s, first token {:.0} ms, then {:.1} ms each",
            cell.name, figures.throughput, figures.ttft_ms, figures.tpot_ms
        ),
    }
}

/// Measured and modelled, cell by cell, and the errors.
fn summary(fitted: &Fitted) -> String {
    let mut out = String::from(
        "cell                                                        tokens/s       TTFT ms        TPOT ms\n",
    );
    for (cell, measured, model) in &fitted.cells {
        let pair = |measured: f64, model: f64| format!("{measured:.1}/{model:.1}");
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{:<55} {:>15} {:>15} {:>13}",
            cell.name,
            pair(measured.throughput, model.throughput),
            pair(measured.ttft_ms, model.ttft_ms),
            pair(measured.tpot_ms, model.tpot_ms),
        );
    }
    out += &errors(fitted);
    out.push('\n');
    out
}

fn errors(fitted: &Fitted) -> String {
    match fitted.errors(true) {
        Some([throughput, ttft, tpot, latency]) => format!(
            "Mean error on held-out cells: throughput {:.1} %, TTFT {:.1} %, TPOT {:.1} %, whole \
             request {:.1} %.",
            throughput * 100.0,
            ttft * 100.0,
            tpot * 100.0,
            latency * 100.0
        ),
        None => "No cell was held out: the error is not known.".into(),
    }
}

/// What stands above the profile.
fn head(arguments: &CalibrateArguments, measured: &Measured, fitted: &Fitted) -> String {
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
    let mut out = format!("Fitted by sage-flow calibrate on {now}.\n");
    if measured.simulated {
        out += "SIMULATED: the endpoint was a simulator; these are no measurements of hardware.\n";
    }
    // A URL may carry a password; what stands before `@` in its authority stays out of the file.
    let endpoint = match arguments.endpoint.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}/{path}")
        }
        None => arguments.endpoint.clone(),
    };
    let _ = writeln!(
        out,
        "Endpoint {endpoint}, {} requests, {} tokens.\nFitted: the floor of a step, the prices of \
         a prompt token and of a running sequence, the\nAPI server's time. Taken over from {}: the \
         ratios within these, all limits{}.\n\n{}",
        measured.requests,
        measured.tokens,
        fitted.base,
        if measured.max_model_len.is_some() { " but max_model_len" } else { "" },
        errors(fitted),
    );
    for note in &measured.notes {
        let _ = writeln!(out, "Note: {note}.");
    }
    out.push('\n');
    out + &summary(fitted).lines().map(|line| format!("  {line}\n")).collect::<String>()
}

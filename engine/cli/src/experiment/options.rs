//! The options of `experiment run` that change what is run.

use std::path::PathBuf;

use clap::Args;
use sage_core::policies;
use sage_dsl::experiment::{MAX_NODES, MAX_TASKS, Point, Setting, Sweep};
use sage_lab::trial::Overrides;

use crate::exit::usage;
use crate::twin;

/// Options that take the place of what the experiments say.
#[derive(Debug, Clone, Default, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct Changed {
    /// Numbers of nodes, one or several: 1,4,16
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    nodes: Vec<String>,
    /// Numbers of tasks of each job
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    tasks: Vec<String>,
    /// Tasks of a node at once
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    slots: Vec<String>,
    /// Calls in flight at each endpoint: numbers or `auto`
    #[arg(long, value_name = "N|auto,...", value_delimiter = ',')]
    concurrency: Vec<String>,
    /// Scheduling policies, with arguments: 'fifo, priority(aging: 5s)'
    #[arg(long, value_name = "NAME,...")]
    scheduler: Option<String>,
    /// URL of every endpoint: http(s)://HOST:PORT or sim:PROFILE[@SPEED]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Runs of every combination
    #[arg(long, value_name = "N")]
    repeat: Option<String>,
    /// Seed of the first repeat
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Only trials with such a name; `*` stands for anything (--dry-run shows the names)
    #[arg(long, value_name = "PATTERN")]
    only: Option<String>,
    /// On the twin: all nodes on one machine of so many cores [default: a machine for each]
    #[arg(long, value_name = "N")]
    cores: Option<String>,
    /// On the twin: machine and model that stand in for servers that are not simulated ones, a name
    /// of `sage-flow list profiles` or a file of `sage-flow calibrate`
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// The short form of the experiment
    #[arg(long)]
    pub(crate) quick: bool,
    /// What this machine is called in the results [default: its host name]
    #[arg(long, value_name = "NAME")]
    pub(crate) machine: Option<String>,
    /// Folder of the results; of several experiments or backends, each gets a folder in it
    /// [default: results/EXPERIMENT/DATE-MACHINE-BACKEND]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Begin anew, also where a stopped suite could go on
    #[arg(long)]
    pub(crate) fresh: bool,
}

/// The overrides that `options` ask for.
pub(crate) fn changed(options: &Changed) -> anyhow::Result<Overrides> {
    let mut vary = Vec::new();
    let mut numbers = |option: &str, given: &[String], set: fn(u64) -> Setting, most: u64| {
        let point = |text: &String| {
            let number = number(option, text, most)?;
            Ok(Point { label: number.to_string(), settings: vec![set(number)] })
        };
        let points = given.iter().map(point).collect::<anyhow::Result<Vec<_>>>()?;
        push(&mut vary, option, points)
    };
    numbers("nodes", &options.nodes, |n| Setting::Nodes(n as u32), MAX_NODES.into())?;
    numbers("tasks", &options.tasks, Setting::Tasks, MAX_TASKS)?;
    numbers("slots", &options.slots, |n| Setting::Slots(n as u32), 4096)?;
    let concurrency = options.concurrency.iter().map(|text| {
        let limit = match text.trim() {
            "auto" => None,
            text => Some(number("concurrency", text, 100_000)? as u32),
        };
        let label = limit.map_or_else(|| "auto".to_owned(), |limit| limit.to_string());
        Ok(Point { label, settings: vec![Setting::Concurrency(limit)] })
    });
    let concurrency = concurrency.collect::<anyhow::Result<Vec<_>>>()?;
    push(&mut vary, "concurrency", concurrency)?;
    let schedulers = options.scheduler.as_deref().map(split).unwrap_or_default();
    let schedulers = schedulers.into_iter().map(|text| {
        let wrong = |error| usage(format!("--scheduler: {error}"));
        let (name, args) = policies::parse(text).map_err(wrong)?;
        policies::build(&name, &args).map_err(wrong)?;
        let settings = vec![Setting::Policy { name, args }];
        Ok(Point { label: text.to_owned(), settings })
    });
    let schedulers = schedulers.collect::<anyhow::Result<Vec<_>>>()?;
    push(&mut vary, "policy", schedulers)?;
    if let Some(url) = &options.endpoint {
        if let Some(wrong) = wrong_url(url) {
            return Err(usage(format!("--endpoint {url}: {wrong}")));
        }
        let settings = vec![Setting::Endpoint(url.clone())];
        push(&mut vary, "endpoint", vec![Point { label: url.clone(), settings }])?;
    }
    let repeat =
        options.repeat.as_deref().map(|text| number("repeat", text, 10_000)).transpose()?;
    if let Some(name) = &options.profile {
        twin::stand_in(name)?;
    }
    let cores = options.cores.as_deref().map(|text| number("cores", text, 100_000)).transpose()?;
    Ok(Overrides {
        vary,
        repeat: repeat.map(|repeat| repeat as u32),
        seed: options.seed,
        only: options.only.clone(),
        cores: cores.map(|cores| cores as f64),
        profile: options.profile.clone(),
    })
}

fn push(vary: &mut Vec<Sweep>, name: &str, points: Vec<Point>) -> anyhow::Result<()> {
    for (at, point) in points.iter().enumerate() {
        if points[..at].iter().any(|other| other.label == point.label) {
            let option = if name == "policy" { "scheduler" } else { name };
            return Err(usage(format!("--{option}: `{}` is named twice", point.label)));
        }
    }
    if !points.is_empty() {
        vary.push(Sweep { name: name.to_owned(), points });
    }
    Ok(())
}

fn number(option: &str, text: &str, most: u64) -> anyhow::Result<u64> {
    let text = text.trim();
    match text.replace('_', "").parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(usage(format!("--{option} {text}: expected a number from 1 to {most}"))),
    }
}

/// Parts between the commas that stand in no parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    let parts = text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts.map(str::trim).collect()
}

fn wrong_url(url: &str) -> Option<String> {
    if url.starts_with("sim:") {
        return sage_llm::simulator::parse_url(url).err().map(|error| error.to_string());
    }
    let known = url.starts_with("http://") || url.starts_with("https://");
    (!known).then(|| "expected http(s)://HOST:PORT or sim:PROFILE[@SPEED]".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn options_become_points_with_the_labels_of_the_language() {
        let options = Changed {
            nodes: words(&["1", " 1_6"]),
            concurrency: words(&["8", "auto"]),
            scheduler: Some("fifo, priority(aging: 5s, levels: 3)".into()),
            repeat: Some("3".into()),
            ..Changed::default()
        };
        // Only the names are at stake here: a policy's parameters are its own business.
        let split = split("fifo, priority(aging: 5s, levels: 3)");
        assert_eq!(split, ["fifo", "priority(aging: 5s, levels: 3)"]);
        let options = Changed { scheduler: Some("fifo, priority(aging: 5s)".into()), ..options };
        let found = changed(&options).unwrap();
        let labels: Vec<(&str, Vec<&str>)> = found
            .vary
            .iter()
            .map(|sweep| {
                let labels = sweep.points.iter().map(|point| point.label.as_str()).collect();
                (sweep.name.as_str(), labels)
            })
            .collect();
        assert_eq!(
            labels,
            [
                ("nodes", vec!["1", "16"]),
                ("concurrency", vec!["8", "auto"]),
                ("policy", vec!["fifo", "priority(aging: 5s)"]),
            ]
        );
        assert_eq!(found.repeat, Some(3));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_option() {
        let of = |options: Changed| changed(&options).unwrap_err().to_string();
        let none = Changed::default();
        for (options, message) in [
            (Changed { nodes: words(&["0"]), ..none.clone() }, "--nodes 0: expected a number"),
            (Changed { nodes: words(&["65537"]), ..none.clone() }, "from 1 to 65536"),
            (Changed { tasks: words(&["x"]), ..none.clone() }, "--tasks x: expected"),
            (Changed { slots: words(&["5000"]), ..none.clone() }, "from 1 to 4096"),
            (Changed { nodes: words(&["2", "2"]), ..none.clone() }, "--nodes: `2` is named twice"),
            (Changed { scheduler: Some("fifoo".into()), ..none.clone() }, "--scheduler: "),
            (Changed { concurrency: words(&["some"]), ..none.clone() }, "--concurrency some"),
            (Changed { endpoint: Some("ftp://x".into()), ..none.clone() }, "--endpoint ftp://x"),
            (Changed { endpoint: Some("sim:nothing".into()), ..none.clone() }, "--endpoint sim:"),
            (Changed { profile: Some("no/such".into()), ..none.clone() }, "--profile no/such"),
            (Changed { repeat: Some("0".into()), ..none.clone() }, "--repeat 0"),
            (Changed { cores: Some("-1".into()), ..none }, "--cores -1"),
        ] {
            let found = of(options);
            assert!(found.contains(message), "`{message}` is not in `{found}`");
        }
    }
}

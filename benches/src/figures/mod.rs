//! The figures, one module for each group, run in turn.
//!
//! A pair that is compared runs alternately within the same minutes (A B A B ...), and the table
//! shows medians, least values and their ratio: the machine may be busy, and then only the ratio
//! means something.

mod bench;
mod codecs;
mod compute;
mod endpoint;
mod gateway;
mod idle;
mod limiter;
mod links;
mod overheads;
mod rag;
mod recovery;
mod twin;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::machine;
use crate::table::Table;
use bench::Bench;

/// Measure sage-flow and print one table
#[derive(Debug, Parser)]
#[command(name = "figures")]
struct Args {
    /// The sage-flow binary; the one beside this program by default
    #[arg(long)]
    sage: Option<PathBuf>,
    /// Only this group; may be given several times
    #[arg(long, value_enum)]
    only: Vec<Group>,
    /// Rounds of each compared pair
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// A tenth of the work and one round: does it run at all?
    #[arg(long)]
    quick: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    Rag,
    Endpoint,
    Gateway,
    Limiter,
    Links,
    Recovery,
    Compute,
    Idle,
    Codecs,
    Overheads,
    Twin,
}

type Measure = fn(&Bench, &mut Table) -> anyhow::Result<()>;

const GROUPS: [(Group, Measure); 11] = [
    (Group::Rag, rag::measure),
    (Group::Endpoint, endpoint::measure),
    (Group::Gateway, gateway::measure),
    (Group::Limiter, limiter::measure),
    (Group::Links, links::measure),
    (Group::Recovery, recovery::measure),
    (Group::Compute, compute::measure),
    (Group::Idle, idle::measure),
    (Group::Codecs, codecs::measure),
    (Group::Overheads, overheads::measure),
    (Group::Twin, twin::measure),
];

/// Entry point. With `tool NAME ...` behind the program's name it is that tool.
pub fn main(args: &[String]) -> anyhow::Result<()> {
    if args.get(1).is_some_and(|word| word == bench::TOOL) {
        let tool = args.get(2..).unwrap_or_default();
        return crate::tools::start(tool.first().map_or("", String::as_str), tool);
    }
    let args = Args::parse_from(args);
    let bench = Bench::new(args.sage, args.rounds, args.quick)?;
    let mut table = Table::default();
    let before = machine::load();
    for (group, measure) in GROUPS {
        if args.only.is_empty() || args.only.contains(&group) {
            eprintln!("measuring: {group:?}");
            if let Err(error) = measure(&bench, &mut table) {
                // The other groups are worth having all the same.
                table.add(&format!("{group:?}"), "", format!("could not be measured: {error:#}"));
            }
        }
    }
    print(&format!(
        "{}\nload before {before}; after {}\n\n{}",
        machine::describe(&bench.sage).trim_end(),
        machine::load(),
        table.render()
    ));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is this program's output")]
fn print(text: &str) {
    println!("{text}");
}

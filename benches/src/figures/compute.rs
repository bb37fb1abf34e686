//! `compute`: a cheap flow over a million records, against the same work written by hand.

use anyhow::ensure;

use super::bench::{Bench, Ran, lines};
use crate::table::{Samples, Table, ratio};

#[derive(Default)]
struct Side {
    cpu_s: Samples,
    wall_s: Samples,
}

impl Side {
    fn add(&mut self, ran: &Ran) {
        self.cpu_s.push(ran.cpu_s);
        self.wall_s.push(ran.wall_s);
    }
}

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let rows = bench.amount(1_000_000);
    let input = bench.scratch("rows.csv").display().to_string();
    let output = bench.scratch("kept.jsonl").display().to_string();
    Bench::tool("make_rows", &[&rows.to_string(), &input])?;
    let set = format!("rows={input}");
    let (mut single, mut one, mut two) = (Side::default(), Side::default(), Side::default());
    for _ in 0..bench.rounds {
        let by_hand = Bench::tool("compute_single", &[&input, &output])?;
        let kept = by_hand.number("/kept")?;
        single.add(&by_hand);
        for (workers, side) in [("1", &mut one), ("2", &mut two)] {
            let args = ["--set", &set, "--workers", workers];
            let ran = bench.sage(&Bench::own("compute.sage"), &args)?;
            ensure!(ran.code == 0, "sage-flow ended with exit code {}", ran.code);
            let lines = lines(&bench.scratch("run/kept.jsonl"))?;
            ensure!(lines == kept as usize, "sage-flow kept {lines} rows, the other {kept}");
            let ours = std::fs::read_to_string(bench.scratch("run/keys.csv"))?;
            let theirs = std::fs::read_to_string(bench.scratch("kept.counts.csv"))?;
            ensure!(sorted(&ours) == sorted(&theirs), "the counts per key differ");
            side.add(&ran);
        }
    }
    for (workers, side) in [(1, &one), (2, &two)] {
        table.add_ratio(
            &format!("compute: CPU, {rows} records, {workers} worker(s)"),
            "<= 2.5 of the hand-written program",
            format!("{} : {}", side.cpu_s.shown("s"), single.cpu_s.shown("s")),
            ratio(&side.cpu_s, &single.cpu_s),
        );
        table.add_ratio(
            &format!("compute: wall, {workers} worker(s)"),
            "",
            format!("{} : {}", side.wall_s.shown("s"), single.wall_s.shown("s")),
            ratio(&side.wall_s, &single.wall_s),
        );
    }
    Ok(())
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

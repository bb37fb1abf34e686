//! `links`: what TLS between workers costs, held against plain sockets whose ends prove the secret
//! by HMAC and which are for one host only.
//!
//! Three shapes: tasks with next to nothing in them (messages count), tasks that come alone (the
//! time from decision to the worker counts), and rows of a file in morsels (bytes count).

use anyhow::ensure;

use super::bench::{Bench, Ran};
use crate::table::{Samples, Table, ratio};

/// One kind of link.
#[derive(Default)]
struct Side {
    wall_s: Samples,
    cpu_s: Samples,
    startup_s: Samples,
    dispatch_us: Samples,
    bulk_wall_s: Samples,
    bulk_cpu_s: Samples,
}

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let rows = bench.amount(500_000);
    let input = bench.scratch("rows.csv").display().to_string();
    Bench::tool("make_rows", &[&rows.to_string(), &input])?;
    let input = format!("rows={input}");
    for workers in ["4", "16"] {
        let (mut tls, mut hmac) = (Side::default(), Side::default());
        for _ in 0..bench.rounds {
            for (links, side) in [("tls", &mut tls), ("hmac", &mut hmac)] {
                let args = ["--workers", workers, "--links", links];
                let busy = asked(bench, "overheads.sage", &args, &tasks(bench, 10_000))?;
                side.wall_s.push(busy.wall_s);
                side.cpu_s.push(busy.cpu_s);
                side.startup_s.push(busy.number("/startup_s")?);
                let calm = [&args[..], &["--rate", "100/s"]].concat();
                let calm = asked(bench, "overheads.sage", &calm, &tasks(bench, 500))?;
                side.dispatch_us.push(calm.number("/dispatch_p50_us")?);
                let bulk = asked(bench, "compute.sage", &args, &input)?;
                side.bulk_wall_s.push(bulk.wall_s);
                side.bulk_cpu_s.push(bulk.cpu_s);
            }
        }
        let mut add = |figure: &str, unit: &str, tls: &Samples, hmac: &Samples| {
            table.add_ratio(
                &format!("links, {workers} workers: {figure}, TLS : HMAC"),
                "reported",
                format!("{} : {}", tls.shown(unit), hmac.shown(unit)),
                ratio(tls, hmac),
            );
        };
        add("wall, tiny tasks", "s", &tls.wall_s, &hmac.wall_s);
        add("CPU, tiny tasks", "s", &tls.cpu_s, &hmac.cpu_s);
        add("start-up to the first dispatch", "s", &tls.startup_s, &hmac.startup_s);
        add("dispatch of a task that comes alone, p50", "us", &tls.dispatch_us, &hmac.dispatch_us);
        add(&format!("wall, {rows} rows"), "s", &tls.bulk_wall_s, &hmac.bulk_wall_s);
        add(&format!("CPU, {rows} rows"), "s", &tls.bulk_cpu_s, &hmac.bulk_cpu_s);
    }
    Ok(())
}

fn tasks(bench: &Bench, full: u64) -> String {
    format!("tasks={}", bench.amount(full))
}

fn asked(bench: &Bench, program: &str, args: &[&str], set: &str) -> anyhow::Result<Ran> {
    let flow = ["--set", set, "--flow", "waits"];
    let more = if program == "overheads.sage" { &flow[..] } else { &flow[..2] };
    let ran = bench.sage(&Bench::own(program), &[args, more].concat())?;
    ensure!(ran.code == 0, "it ended with exit code {}", ran.code);
    Ok(ran)
}

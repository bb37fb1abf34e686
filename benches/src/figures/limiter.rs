//! `limiter`: `concurrency: auto` against the best fixed limit, on three workloads, through a real
//! gateway before the simulator at ten times its speed.

use super::bench::{Bench, Server, number};
use super::gateway::{MODEL, gateway, simulator};
use crate::table::Table;

/// Name, outstanding calls, words of a prompt, tokens of an answer.
const WORKLOADS: [(&str, &str); 3] = [
    ("RAG, 1024 in, 128 out", "rag:320:1024:128"),
    ("chat, 256 in, 256 out", "chat:320:256:256"),
    ("classify, 512 in, 8 out", "classify:320:512:8"),
];
const FIXED: [&str; 5] = ["16", "32", "64", "128", "256"];

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    for (name, job) in WORKLOADS {
        let server = simulator(bench, "10")?;
        let mut best = (0.0, "");
        for limit in FIXED {
            let rate = throughput(bench, &server, limit, job, ("10", "3"))?;
            if rate > best.0 {
                best = (rate, limit);
            }
        }
        // The limit has to be found first: 150 simulated seconds.
        let auto = throughput(bench, &server, "auto", job, ("27", "15"))?;
        table.add_ratio(
            &format!("`concurrency: auto`, {name}: calls a second : best fixed limit ({})", best.1),
            ">= 0.95",
            format!("{auto:.1} : {:.1}", best.0),
            format!("{:.3}", auto / best.0),
        );
    }
    Ok(())
}

/// Calls a second through a fresh gateway; `times` is how long, and how much of that is left out.
fn throughput(
    bench: &Bench,
    server: &Server,
    limit: &str,
    job: &str,
    times: (&str, &str),
) -> anyhow::Result<f64> {
    let between = gateway(bench, &server.url, &["--concurrency", limit])?;
    let mut args = vec![between.url.as_str(), "--model", MODEL, "--job", job, "--window", "1"];
    args.extend(["--seconds", times.0, "--warmup", times.1]);
    number(&Bench::tool("load", &args)?.report, "/jobs/0/calls_per_s")
}

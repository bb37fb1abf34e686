//! `rag`: the main pipeline on the simulated endpoint at ten times its speed.

use super::bench::Bench;
use crate::table::Table;

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let tasks = bench.amount(2000).to_string();
    let program = Bench::pipeline("rag.sage");
    let args = ["--tasks", &tasks, "--workers", "16", "--endpoint", "sim:a100/qwen2.5-7b@10"];
    let ran = bench.sage(&program, &args)?;
    let ok = ran.number("/tasks_ok")?;
    table.add("rag: exit code", "0", ran.code.to_string());
    table.add("rag: answers", &tasks, format!("{ok:.0}"));
    table.add("rag: balance, 16 workers", ">= 0.97", format!("{:.3}", ran.number("/balance")?));
    table.add(
        "rag: start-up to first dispatch",
        "< 1 s",
        format!("{:.3} s", ran.number("/startup_s")?),
    );
    table.add(
        "rag: wall; CPU of all processes",
        "",
        format!("{:.2} s; {:.2} s ({:.2} ms a task)", ran.wall_s, ran.cpu_s, 1e3 * ran.cpu_s / ok),
    );
    super::endpoint::scheduling(table, "rag", &ran);
    Ok(())
}

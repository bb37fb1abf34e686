//! On what, when and with which versions the figures were measured.

use std::fs;
use std::path::Path;
use std::process::Command;

fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or("unknown").trim().to_owned()
}

/// A few lines for the head of the table.
pub(crate) fn describe(sage: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("unknown processor", |(_, model)| model.trim());
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let memory_kb: f64 =
        memory.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0.0);
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
    format!(
        "date     {now}\n\
         machine  {cores} cores, {model}, {:.0} GiB\n\
         versions {}; {}; Linux {}\n",
        memory_kb / 1024.0 / 1024.0,
        first_line(Command::new(sage).arg("--version")),
        first_line(Command::new("rustc").arg("--version")),
        fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
    )
}

/// The load averages: on a busy machine wall times mean little.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

//! What processes use, read from `/proc` so that every program is measured by the same clock.

use std::fs;

/// The kernel counts processor time of processes in ticks of 10 ms.
const TICKS_PER_S: f64 = 100.0;

/// Fields of `/proc/PID/stat` behind the name, which may itself hold blanks and parentheses.
fn stat(pid: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let behind = text.rsplit(')').next().unwrap_or_default();
    behind.split_whitespace().map(str::to_owned).collect()
}

fn seconds(fields: &[String], positions: &[usize]) -> f64 {
    let tick = |i: &usize| fields.get(*i).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
    positions.iter().map(tick).sum::<f64>() / TICKS_PER_S
}

/// User and system seconds of all descendants that have ended and were waited for.
pub(crate) fn ended_children_cpu_s() -> f64 {
    seconds(&stat("self"), &[13, 14])
}

/// Most resident memory that a live process had so far, MiB; `None` when it has ended.
pub(crate) fn peak_rss_mib(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}

/// User and system seconds of this process, to the nanosecond.
pub(crate) fn own_cpu_s() -> f64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

/// Nanoseconds a live process has spent on processors, all its threads together: the scheduler's
/// own sum, finer than ticks. `None` where the kernel does not keep it.
fn schedstat_ns(pid: u32) -> Option<u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let spent = |path: std::path::PathBuf| {
        fs::read_to_string(path.join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok()
    };
    tasks.filter_map(Result::ok).map(|task| spent(task.path())).sum()
}

/// User and system seconds of a live process.
pub(crate) fn cpu_s(pid: u32) -> f64 {
    schedstat_ns(pid)
        .map_or_else(|| seconds(&stat(&pid.to_string()), &[11, 12]), |ns| ns as f64 / 1e9)
}

/// A live process and everything it started, the root first.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok) {
        if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) {
            let parent = stat(&pid.to_string()).get(1).and_then(|p| p.parse::<u32>().ok());
            parents.push((pid, parent.unwrap_or(0)));
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, p)| *p == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

/// Resident and proportional set of a live process, MiB: the latter shares out what several map.
pub(crate) fn memory_mb(pid: u32) -> (f64, f64) {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kb = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        kb.unwrap_or(0.0) / 1024.0
    };
    (field("Rss:"), field("Pss:"))
}

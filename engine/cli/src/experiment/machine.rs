//! What a result was measured on: machine, system, build, commit.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::run::VERSION;

/// The machine's name, unless the user calls it otherwise.
pub(crate) fn host(given: Option<&str>) -> String {
    let name = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = given.map_or_else(name, str::to_owned);
    if name.trim().is_empty() { "unknown".into() } else { name.trim().to_owned() }
}

/// Everything that a reader has to know of where and when, as `setup.json` begins.
pub(crate) fn describe(host: &str, program: &Path) -> Map<String, Value> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str, between: char| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(between));
        line.map(|(_, value)| value.trim().trim_matches('"').to_owned())
    };
    let memory = field(&read("/proc/meminfo"), "MemTotal", ':');
    let memory = memory.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    let system = field(&read("/etc/os-release"), "PRETTY_NAME", '=');
    let kernel = read("/proc/sys/kernel/osrelease");
    let folder = program.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut setup = Map::new();
    for (name, value) in [
        ("version", json!(VERSION)),
        ("commit", json!(commit(folder))),
        ("profile", json!(if cfg!(debug_assertions) { "debug" } else { "release" })),
        ("rustc", json!(output("rustc", &["--version"], folder))),
        ("started", json!(humantime::format_rfc3339_seconds(SystemTime::now()).to_string())),
        ("host", json!(host)),
        ("cpu", json!(field(&read("/proc/cpuinfo"), "model name", ':'))),
        ("cores", json!(cores())),
        ("memory_mb", json!(memory.map(|kib| kib / 1024))),
        ("os", json!(system)),
        ("kernel", json!(Some(kernel.trim()).filter(|text| !text.is_empty()))),
        ("architecture", json!(std::env::consts::ARCH)),
    ] {
        setup.insert(name.into(), value);
    }
    setup
}

/// Cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The commit that is checked out around the program, marked when files differ from it.
fn commit(folder: &Path) -> Option<String> {
    let commit = output("git", &["rev-parse", "HEAD"], folder)?;
    let changed = output("git", &["status", "--porcelain", "--untracked-files=no"], folder);
    let changed = changed.is_some_and(|changed| !changed.is_empty());
    Some(if changed { format!("{commit} with changes") } else { commit })
}

/// What a program says, if it is there and succeeds.
fn output(program: &str, arguments: &[&str], folder: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Which build this is: two that are not the same byte for byte have different words here, so that
/// one result never comes from two.
pub(crate) fn build() -> String {
    let file = std::env::current_exe().and_then(|path| path.metadata());
    let Ok(file) = file else { return VERSION.to_owned() };
    let changed = file.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let changed = changed.map_or(0, |since| since.as_nanos());
    format!("{VERSION} {} {changed}", file.len())
}

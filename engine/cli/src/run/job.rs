//! What the supervisor and its workers say to each other over the control channel.

use std::path::PathBuf;

use sage_core::secrets::Mask;
use sage_dataflow::{Progress, RunSettings, WorkerOutcome};
use sage_dsl::plan::Plan;
use serde::{Deserialize, Serialize};

use super::clocks::Origin;
use super::serving::Served;
use super::shared_folder::SharedFolder;
use super::web::Web;

/// What every worker is given when it has joined.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Its name at the gateway.
    pub(crate) name: String,
    /// A checked plan.
    pub(crate) plan: Plan,
    /// How to run it.
    pub(crate) settings: RunSettings,
    /// `http://HOST:PORT` of the gateway, `https://` with certificates, when the plan calls endpoints.
    pub(crate) gateway: Option<String>,
    /// Token the gateway wants.
    pub(crate) token: String,
    /// Names and models of the plan's endpoints, in order.
    pub(crate) endpoints: Vec<(String, String)>,
    /// Files of the plan's indexes, in order.
    pub(crate) indexes: Vec<PathBuf>,
    /// Where the first worker serves, if the plan does.
    pub(crate) served: Option<Served>,
    /// Where `http` stages may go, and with what.
    pub(crate) web: Web,
    /// Whether no record arrives before [`Order::Begin`].
    pub(crate) held: bool,
    /// What proves that a worker on another host sees the run's folder.
    pub(crate) shared: Option<SharedFolder>,
    /// The run's origin, for workers on other hosts.
    pub(crate) origin: Option<Origin>,
}

impl Job {
    /// What nothing that is written shows.
    pub(crate) fn mask(&self) -> Mask {
        let of_service = self.served.iter().filter_map(|served| served.token.as_ref());
        Mask::new(self.web.secrets().chain(of_service))
    }
}

/// What the supervisor says to a worker that runs.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Records begin to arrive.
    Begin {
        /// When, on the monotonic clock of the supervisor's host.
        at_ns: u64,
    },
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// A thread of the worker has built its dataflow.
    Ready,
    /// Requests are taken in at this URL.
    Serving(String),
    /// How far the run is; from the first worker.
    Progress(Progress),
    /// What the process has used so far, every now and then.
    Usage(Usage),
    /// Something that the user should know.
    Warning(String),
    /// The run cannot end well.
    Failure(String),
    /// This worker is done.
    Outcome {
        /// One per dataflow thread.
        outcomes: Vec<WorkerOutcome>,
        /// What the process used.
        usage: Usage,
    },
}

/// What a process used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// User and system time, seconds.
    pub(crate) cpu_s: f64,
    /// Resident set now, MiB.
    pub(crate) rss_mb: f64,
    /// Largest resident set since the process began, MiB.
    pub(crate) rss_peak_mb: f64,
    /// Number of the process.
    pub(crate) pid: u32,
}

impl Usage {
    /// Of this process, so far. Zero where the system does not tell.
    pub(crate) fn own() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mib = |name: &str| {
            let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(rest.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
        };
        // To the nanosecond; /proc counts in ticks of 10 ms, which many short processes add up.
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Usage {
            cpu_s: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
            rss_mb: mib("VmRSS:").unwrap_or(0.0),
            rss_peak_mb: mib("VmHWM:").unwrap_or(0.0),
            pid: std::process::id(),
        }
    }
}

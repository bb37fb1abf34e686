//! What the command line, or a trial, puts in the place of what a plan says.

use sage_core::policies;
use sage_dsl::plan::Plan;
use sage_dsl::types::Value;

use crate::args::RunArguments;
use crate::exit::usage;
use crate::jobs::without_secrets;

/// Changes of a plan; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Changes {
    /// Scheduling policy and its arguments.
    pub(crate) policy: Option<(String, Vec<(String, Value)>)>,
    /// Tasks of a worker at once.
    pub(crate) slots: Option<u32>,
    /// Most tasks in the central queue.
    pub(crate) queue: Option<u32>,
    /// A task not dispatched within so long is late, nanoseconds.
    pub(crate) deadline_ns: Option<u64>,
    /// URL of every endpoint.
    pub(crate) endpoint: Option<String>,
    /// Calls in flight at every endpoint; the inner `None` is `auto`.
    #[allow(clippy::option_option, reason = "the same as in a trial")]
    pub(crate) concurrency: Option<Option<u32>>,
}

impl Changes {
    /// What the options of a run say.
    pub(crate) fn of(arguments: &RunArguments) -> anyhow::Result<Self> {
        let scheduler = arguments.scheduler.as_deref();
        let policy = scheduler.map(policies::parse).transpose();
        let concurrency = arguments.concurrency.as_deref().map(concurrency).transpose()?;
        Ok(Changes {
            policy: policy.map_err(|error| usage(format!("--scheduler: {error}")))?,
            slots: arguments.slots,
            endpoint: arguments.endpoint.clone(),
            concurrency,
            ..Changes::default()
        })
    }

    /// Put them into `plan`. Errors name the option that is wrong.
    pub(crate) fn apply(&self, plan: &mut Plan) -> anyhow::Result<()> {
        if let Some((name, args)) = &self.policy {
            policies::build(name, args).map_err(|error| usage(format!("--scheduler: {error}")))?;
            plan.schedule.policy.clone_from(name);
            plan.schedule.policy_args.clone_from(args);
        }
        if let Some(slots) = self.slots {
            if !(1..=4096).contains(&slots) {
                return Err(usage(format!("--slots {slots}: expected 1 to 4096")));
            }
            plan.schedule.slots = slots;
        }
        plan.schedule.queue = self.queue.unwrap_or(plan.schedule.queue).max(1);
        if let Some(deadline) = self.deadline_ns {
            plan.schedule.deadline_ns = Some(i64::try_from(deadline).unwrap_or(i64::MAX));
        }
        if let Some(url) = &self.endpoint {
            check_endpoint(url)?;
            for endpoint in &mut plan.endpoints {
                endpoint.url.clone_from(url);
                // One server stands for all those that the program names.
                endpoint.replicas.clear();
            }
        }
        for endpoint in &plan.endpoints {
            for url in std::iter::once(&endpoint.url).chain(&endpoint.replicas) {
                check_secret(&endpoint.name, url)?;
            }
        }
        if let Some(concurrency) = self.concurrency {
            for endpoint in &mut plan.endpoints {
                endpoint.concurrency = concurrency;
            }
        }
        Ok(())
    }
}

/// An address stands in results, messages and the plan, so it must not hold what is to be kept.
fn check_secret(endpoint: &str, url: &str) -> anyhow::Result<()> {
    let hidden = without_secrets(url);
    if hidden == url {
        return Ok(());
    }
    Err(usage(format!(
        "endpoint `{endpoint}`: its url `{hidden}` holds a secret, and an address is written into \
         results; give the key by `api_key: env(\"NAME\")` in the endpoint's block"
    )))
}

fn check_endpoint(url: &str) -> anyhow::Result<()> {
    if url.starts_with("sim:") {
        return sage_llm::simulator::parse_url(url)
            .map(drop)
            .map_err(|error| usage(format!("--endpoint: {error}")));
    }
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(());
    }
    let hint = "expected http(s)://HOST:PORT or sim:PROFILE[@SPEED]";
    Err(usage(format!("--endpoint {url}: {hint}")))
}

pub(crate) fn concurrency(text: &str) -> anyhow::Result<Option<u32>> {
    match (text, text.parse::<u32>()) {
        ("auto", _) => Ok(None),
        (_, Ok(limit @ 1..=100_000)) => Ok(Some(limit)),
        _ => Err(usage(format!("--concurrency {text}: expected `auto` or 1 to 100000"))),
    }
}

//! The services a run hosts: simulated endpoints where the program asks for them, and the gateway
//! through which all workers call.

mod endpoint;
mod simulators;

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::Context;
use sage_core::endpoint::CacheMode;
use sage_dsl::catalog::EndpointUse;
use sage_dsl::plan::{EndpointPlan, Plan, lookup};
use sage_dsl::types::Value;
use sage_llm::gateway::{Gateway, GatewayConfig, StatsHandle};
use sage_llm::journal::{CONTENT_BYTES, Journal, JournalConfig, Kind, RUN_BYTES, default_folder};
use tokio::sync::oneshot;

use self::endpoint::check;
pub(crate) use self::simulators::Simulators;
use crate::exit::{usage, usage_of};

/// The run's journal, in its folder.
pub(crate) const JOURNAL: &str = "journal";

/// Gateway and simulators of a run, on threads of their own.
pub(crate) struct Services {
    /// `http://HOST:PORT` of the gateway.
    pub(crate) gateway: String,
    /// Token it wants.
    pub(crate) token: String,
    /// Names and models of the plan's endpoints.
    pub(crate) endpoints: Vec<(String, String)>,
    /// Labels of the endpoints that generate, else of all.
    pub(crate) label: String,
    /// Whether any endpoint is simulated.
    pub(crate) simulated: bool,
    /// Whether any is not.
    pub(crate) live: bool,
    pub(crate) stats: StatsHandle,
    /// The run's journal of answers that were paid for.
    pub(crate) journal: Journal,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Where answers are kept.
pub(crate) struct Kept {
    /// Those of this run, for another attempt at it.
    pub(crate) journal: Journal,
    /// Those of `cache: content`, if the plan has it.
    pub(crate) content: Option<Journal>,
}

impl Kept {
    /// Open the run's journal, and the user's cache if the plan asks for it.
    pub(crate) fn open(plan: &Plan, journal: PathBuf) -> anyhow::Result<Kept> {
        let open = |path: PathBuf, max_bytes, kind| {
            Journal::open(JournalConfig { path, max_bytes, kind }).map_err(usage_of)
        };
        let journal = open(journal, RUN_BYTES, Kind::Run)?;
        let wanted = plan.stages().any(|stage| {
            lookup(&stage.options, "cache").and_then(Value::as_str)
                == Some(CacheMode::Content.as_str())
        });
        let content = match (wanted, default_folder()) {
            (false, _) => None,
            (true, Some(folder)) => Some(open(folder, CONTENT_BYTES, Kind::Content)?),
            (true, None) => {
                return Err(usage("`cache: content` needs a place: set SAGE_CACHE_DIR, or HOME"));
            }
        };
        Ok(Kept { journal, content })
    }
}

/// Services that found their endpoints and wait for a place to keep answers in.
pub(crate) struct Prepared {
    labels: Vec<String>,
    simulated: bool,
    live: bool,
    token: String,
    keep: oneshot::Sender<Kept>,
    when_ready: mpsc::Receiver<anyhow::Result<Word>>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// What the services' thread says, in this order.
enum Word {
    Found(Found),
    Ready(Ready),
}

struct Found {
    labels: Vec<String>,
    simulated: bool,
    live: bool,
}

struct Ready {
    gateway: String,
    endpoints: Vec<(String, String)>,
    stats: StatsHandle,
}

impl Services {
    /// Start the simulators the plan needs and check that its endpoints are there; `None` when it
    /// calls none. Nothing is written before that.
    pub(crate) fn prepare(plan: &Plan, seed: u64) -> anyhow::Result<Option<Prepared>> {
        if plan.endpoints.is_empty() {
            return Ok(None);
        }
        let token = random_token()?;
        let (stop, stopped) = oneshot::channel();
        let (keep, kept) = oneshot::channel();
        let (ready, when_ready) = mpsc::channel();
        let endpoints = plan.endpoints.clone();
        let (config_token, run) = (token.clone(), plan.name.clone());
        let thread = std::thread::Builder::new().name("services".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let result = match runtime {
                Ok(runtime) => {
                    let terms = Terms { seed, token: config_token, run };
                    runtime.block_on(host(&endpoints, terms, kept, &ready, stopped))
                }
                Err(error) => Err(error.into()),
            };
            if let Err(error) = result {
                let _ = ready.send(Err(error));
            }
        })?;
        let lost = "the services' thread ended at once";
        let Word::Found(found) = when_ready.recv().context(lost)?? else {
            anyhow::bail!("{lost}");
        };
        let generating: Vec<usize> = plan
            .stages()
            .filter(|stage| stage.calls == EndpointUse::Generate)
            .filter_map(|stage| stage.endpoint)
            .collect();
        let mut labels: Vec<&str> = Vec::new();
        for (i, label) in found.labels.iter().enumerate() {
            let shown = generating.is_empty() || generating.contains(&i);
            if shown && !labels.contains(&label.as_str()) {
                labels.push(label);
            }
        }
        let labels = labels.into_iter().map(str::to_owned).collect();
        let Found { simulated, live, .. } = found;
        Ok(Some(Prepared { labels, simulated, live, token, keep, when_ready, stop, thread }))
    }
}

impl Prepared {
    /// Open the gateway.
    pub(crate) fn open(self, kept: Kept) -> anyhow::Result<Services> {
        let journal = kept.journal.clone();
        // A thread that is gone has left its reason in the channel.
        let _ = self.keep.send(kept);
        let lost = "the gateway's thread ended at once";
        let Word::Ready(ready) = self.when_ready.recv().context(lost)?? else {
            anyhow::bail!("{lost}");
        };
        Ok(Services {
            label: self.labels.join(", "),
            gateway: ready.gateway,
            token: self.token,
            endpoints: ready.endpoints,
            simulated: self.simulated,
            live: self.live,
            stats: ready.stats,
            journal,
            stop: Some(self.stop),
            thread: Some(self.thread),
        })
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the gateway is told besides its endpoints.
struct Terms {
    seed: u64,
    token: String,
    run: String,
}

async fn host(
    endpoints: &[EndpointPlan],
    terms: Terms,
    kept: oneshot::Receiver<Kept>,
    ready: &mpsc::Sender<anyhow::Result<Word>>,
    stopped: oneshot::Receiver<()>,
) -> anyhow::Result<()> {
    let mut simulators = Simulators::default();
    simulators.seed = terms.seed;
    let (mut upstreams, mut names, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    let (mut simulated, mut live) = (false, false);
    for endpoint in endpoints {
        let checked = check(endpoint, &mut simulators).await?;
        names.push((endpoint.name.clone(), checked.upstream.model.clone()));
        labels.push(checked.label);
        simulated |= checked.simulated;
        live |= checked.live;
        upstreams.push(checked.upstream);
    }
    let found = Found { labels, simulated, live };
    let _ = ready.send(Ok(Word::Found(found)));
    // The run may have ended before it came so far.
    let Ok(kept) = kept.await else { return Ok(()) };
    let config = GatewayConfig {
        upstreams,
        token: Some(terms.token),
        journal: Some(kept.journal),
        content: kept.content,
        run: terms.run,
        ..GatewayConfig::default()
    };
    let gateway = Gateway::bind("127.0.0.1:0", config).await?;
    let _ = ready.send(Ok(Word::Ready(Ready {
        gateway: format!("http://{}", gateway.local_addr()),
        endpoints: names,
        stats: gateway.stats(),
    })));
    gateway
        .serve(async {
            let _ = stopped.await;
        })
        .await;
    Ok(())
}

fn random_token() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

//! The services a run hosts: simulated endpoints where the program asks for them, and the gateway
//! through which all workers call.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::Context;
use sage_core::retry::RetryPolicy;
use sage_dsl::catalog::EndpointUse;
use sage_dsl::plan::{EndpointPlan, Plan};
use sage_llm::gateway::{Gateway, GatewayConfig, StatsHandle, Upstream, probe};
use sage_llm::simulator::{SimulatorConfig, parse_url, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::exit::usage;

/// Calls in flight when the program says `auto`: the simulator's and a vLLM's throughput is within
/// a few percent of its best around here.
pub(crate) const AUTO: u32 = 64;

/// Simulated endpoints, one per profile and speed, alive as long as this is.
#[derive(Default)]
pub(crate) struct Simulators {
    /// Seed of the texts.
    pub(crate) seed: u64,
    running: BTreeMap<String, String>,
    tasks: JoinSet<()>,
}

/// An endpoint's address after `sim:` was turned into one.
pub(crate) struct Resolved {
    pub(crate) url: String,
    pub(crate) model: String,
    /// For people and reports; says so when the endpoint is simulated.
    pub(crate) label: String,
}

impl Simulators {
    /// Where to call: starts a simulator when `url` asks for one.
    pub(crate) async fn resolve(
        &mut self,
        url: &str,
        model: Option<&str>,
    ) -> anyhow::Result<Resolved> {
        if !url.starts_with("sim:") {
            let model = model.unwrap_or_default().to_owned();
            return Ok(Resolved { url: url.to_owned(), model, label: url.to_owned() });
        }
        let (profile, speed) = parse_url(url).map_err(usage)?;
        let label = format!("simulated endpoint {} at speed {speed}", profile.name);
        let model = model.filter(|m| !m.is_empty()).unwrap_or(&profile.model).to_owned();
        // Two profile files may give themselves the same name.
        let key = format!("{speed} {}", profile.to_toml(""));
        if let Some(address) = self.running.get(&key) {
            return Ok(Resolved { url: address.clone(), model, label });
        }
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("cannot take a loopback port for the simulated endpoint")?;
        let address = format!("http://{}", listener.local_addr()?);
        let mut config = SimulatorConfig::new(&profile);
        config.speed = speed;
        config.seed = self.seed;
        self.tasks.spawn(async move {
            // It serves until the set is dropped; an error has shown itself as a failed call.
            let _ = serve(config, listener, std::future::pending()).await;
        });
        self.running.insert(key, address.clone());
        Ok(Resolved { url: address, model, label })
    }
}

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
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Ready {
    gateway: String,
    endpoints: Vec<(String, String)>,
    labels: Vec<String>,
    simulated: bool,
    live: bool,
    stats: StatsHandle,
}

impl Services {
    /// Start what the plan needs and check that its endpoints are there; `None` when it calls none.
    pub(crate) fn start(plan: &Plan, seed: u64) -> anyhow::Result<Option<Services>> {
        if plan.endpoints.is_empty() {
            return Ok(None);
        }
        let token = random_token()?;
        let (stop, stopped) = oneshot::channel();
        let (ready, when_ready) = mpsc::channel();
        let endpoints = plan.endpoints.clone();
        let config_token = token.clone();
        let thread = std::thread::Builder::new().name("services".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let result = match runtime {
                Ok(runtime) => {
                    runtime.block_on(host(&endpoints, seed, config_token, &ready, stopped))
                }
                Err(error) => Err(error.into()),
            };
            if let Err(error) = result {
                let _ = ready.send(Err(error));
            }
        })?;
        let started: Ready = when_ready.recv().context("the gateway's thread ended at once")??;
        let generating: Vec<usize> = plan
            .stages()
            .filter(|stage| stage.calls == EndpointUse::Generate)
            .filter_map(|stage| stage.endpoint)
            .collect();
        let mut labels: Vec<&str> = Vec::new();
        for (i, label) in started.labels.iter().enumerate() {
            let shown = generating.is_empty() || generating.contains(&i);
            if shown && !labels.contains(&label.as_str()) {
                labels.push(label);
            }
        }
        Ok(Some(Services {
            label: labels.join(", "),
            gateway: started.gateway,
            token,
            endpoints: started.endpoints,
            simulated: started.simulated,
            live: started.live,
            stats: started.stats,
            stop: Some(stop),
            thread: Some(thread),
        }))
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

async fn host(
    endpoints: &[EndpointPlan],
    seed: u64,
    token: String,
    ready: &mpsc::Sender<anyhow::Result<Ready>>,
    stopped: oneshot::Receiver<()>,
) -> anyhow::Result<()> {
    let mut simulators = Simulators { seed, ..Simulators::default() };
    let (mut upstreams, mut names, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for endpoint in endpoints {
        let resolved = simulators.resolve(&endpoint.url, Some(&endpoint.model)).await?;
        let mut upstream = Upstream::new(&endpoint.name, resolved.url, &resolved.model);
        upstream.concurrency =
            endpoint.concurrency.unwrap_or_else(|| AUTO.min(endpoint.concurrency_max)).max(1);
        upstream.retry = RetryPolicy {
            max: endpoint.retry.max,
            base_ns: endpoint.retry.base_ns.max(0) as u64,
            cap_ns: endpoint.retry.cap_ns.max(0) as u64,
        };
        upstream.requests_per_s = endpoint.requests_per_s;
        upstream.tokens_per_s = endpoint.tokens_per_s;
        if let Some(variable) = &endpoint.api_key_env {
            let key = std::env::var(variable).map_err(|_| {
                usage(format!(
                    "endpoint `{}` (line {}): environment variable {variable} is not set",
                    endpoint.name, endpoint.line
                ))
            })?;
            upstream.api_key = Some(key);
        }
        if let Err(error) = probe(&upstream).await {
            let at = format!("line {} of the program", endpoint.line);
            let hint = if endpoint.url.starts_with("sim:") {
                format!(" (`{}` is simulated)", endpoint.url)
            } else {
                String::new()
            };
            return Err(usage(format!("{error} ({at}){hint}")));
        }
        names.push((endpoint.name.clone(), resolved.model));
        labels.push(resolved.label);
        upstreams.push(upstream);
    }
    let gateway =
        Gateway::bind("127.0.0.1:0", GatewayConfig { upstreams, token: Some(token) }).await?;
    let simulated = |endpoint: &EndpointPlan| endpoint.url.starts_with("sim:");
    let _ = ready.send(Ok(Ready {
        gateway: format!("http://{}", gateway.local_addr()),
        endpoints: names,
        labels,
        simulated: endpoints.iter().any(simulated),
        live: !endpoints.iter().all(simulated),
        stats: gateway.stats(),
    }));
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

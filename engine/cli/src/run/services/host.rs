//! The thread that simulated endpoints and the gateway live on.

use std::sync::mpsc;

use sage_cluster::Tls;
use sage_dsl::plan::EndpointPlan;
use sage_llm::gateway::{Gateway, GatewayConfig, JobShares, StatsHandle};
use tokio::sync::oneshot;

use super::Simulators;
use super::endpoint::check;
use super::kept::Kept;
use crate::run::links::Links;

/// What the services' thread says, in this order.
pub(super) enum Word {
    /// The endpoints are there.
    Found(Vec<Found>),
    /// The gateway is open.
    Ready(Ready),
}

/// An endpoint that answered.
pub(super) struct Found {
    pub(super) model: String,
    /// For people and reports.
    pub(super) label: String,
    pub(super) simulated: bool,
    pub(super) live: bool,
}

pub(super) struct Ready {
    /// `http://HOST:PORT`, or `https://`.
    pub(super) gateway: String,
    pub(super) stats: StatsHandle,
}

/// What the gateway is told besides its endpoints.
pub(super) struct Terms {
    pub(super) seed: u64,
    pub(super) token: String,
    pub(super) jobs: JobShares,
    pub(super) links: Links,
}

/// The far ends of the channels to the thread.
pub(super) struct Line {
    pub(super) kept: oneshot::Receiver<Kept>,
    pub(super) ready: mpsc::Sender<anyhow::Result<Word>>,
    pub(super) stopped: oneshot::Receiver<()>,
}

/// Serve until told to stop.
pub(super) fn run(endpoints: &[EndpointPlan], terms: Terms, line: Line) {
    let ready = line.ready.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(serve(endpoints, terms, line)),
        Err(error) => Err(error.into()),
    };
    if let Err(error) = result {
        let _ = ready.send(Err(error));
    }
}

async fn serve(endpoints: &[EndpointPlan], terms: Terms, line: Line) -> anyhow::Result<()> {
    let mut simulators = Simulators::default();
    simulators.seed = terms.seed;
    let (mut upstreams, mut found) = (Vec::new(), Vec::new());
    for endpoint in endpoints {
        let checked = check(endpoint, &mut simulators).await?;
        found.push(Found {
            model: checked.upstream.model.clone(),
            label: checked.label,
            simulated: checked.simulated,
            live: checked.live,
        });
        upstreams.push(checked.upstream);
    }
    let _ = line.ready.send(Ok(Word::Found(found)));
    // The run may have ended before it came so far.
    let Ok(kept) = line.kept.await else { return Ok(()) };
    let config = GatewayConfig {
        upstreams,
        token: Some(terms.token),
        jobs: terms.jobs,
        journal: kept.journal,
        content: kept.content,
        tls: terms.links.tls().map(Tls::server),
        ..GatewayConfig::default()
    };
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let gateway = Gateway::bind(&terms.links.gateway().to_string(), config).await?;
    let _ = line.ready.send(Ok(Word::Ready(Ready {
        gateway: format!("{scheme}://{}", gateway.local_addr()),
        stats: gateway.stats(),
    })));
    gateway
        .serve(async {
            let _ = line.stopped.await;
        })
        .await;
    Ok(())
}

//! From the endpoints of plans to those of the twin.
//!
//! Numbers that no program sets are those of the gateway that a run hosts, taken from its own
//! defaults.

use sage_core::vllm::{EMBEDDERS, Embedder, Profile, embedder};
use sage_dsl::catalog::EndpointUse;
use sage_dsl::plan::{EndpointPlan, Plan};
use sage_llm::gateway::Upstream;
use sage_llm::simulator::parse_url;
use sage_twin::model::{EndpointModel, ServerKind, ServerModel};

use crate::exit::usage;

/// The servers of one endpoint, as far as the twin knows them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Servers {
    /// The generator of each, and its speed.
    pub(crate) generators: Vec<(Profile, f64)>,
    /// The embedding model beside them.
    pub(crate) embedder: Embedder,
}

/// Why the twin cannot stand in for a server.
#[derive(Debug, thiserror::Error)]
#[error(
    "the twin cannot know how fast {url} is (endpoint `{endpoint}`, line {line}): give --endpoint \
     sim:PROFILE, or --profile PROFILE to stand in for it; `sage-flow calibrate` makes a profile of \
     a server"
)]
pub(crate) struct Unknown {
    url: String,
    endpoint: String,
    line: u32,
}

impl Unknown {
    /// For a verb: the command line lacks something. Other errors stay what they are.
    pub(crate) fn as_usage(error: anyhow::Error) -> anyhow::Error {
        if error.is::<Unknown>() { usage(format!("{error:#}")) } else { error }
    }
}

impl Servers {
    /// The servers of an endpoint; `stand_in` is for those that are not simulated ones.
    pub(crate) fn of(
        endpoint: &EndpointPlan,
        stand_in: Option<&Profile>,
    ) -> anyhow::Result<Servers> {
        let server = |url: &String| match (url.starts_with("sim:"), stand_in) {
            (true, _) => parse_url(url).map_err(|error| {
                let EndpointPlan { name, line, .. } = endpoint;
                usage(format!("endpoint `{name}` (line {line}): {error}"))
            }),
            (false, Some(profile)) => Ok((profile.clone(), 1.0)),
            (false, None) => Err(anyhow::Error::new(Unknown {
                url: url.clone(),
                endpoint: endpoint.name.clone(),
                line: endpoint.line,
            })),
        };
        let urls = std::iter::once(&endpoint.url).chain(&endpoint.replicas);
        let generators = urls.map(server).collect::<anyhow::Result<Vec<_>>>()?;
        let smallest = EMBEDDERS.iter().min_by_key(|embedder| embedder.dimensions);
        let embedder = embedder(&endpoint.model).or(smallest);
        let embedder = *embedder.ok_or_else(|| usage("no embedding model can be simulated"))?;
        Ok(Servers { generators, embedder })
    }

    /// The profile whose texts and tokens are those of the endpoint.
    pub(crate) fn profile(&self) -> Option<&Profile> {
        self.generators.first().map(|(profile, _)| profile)
    }

    /// For people: what stands for the endpoint.
    pub(crate) fn label(&self) -> String {
        let one = |(profile, speed): &(Profile, f64)| {
            format!("simulated endpoint {} at speed {speed}", profile.name)
        };
        self.generators.iter().map(one).collect::<Vec<_>>().join(" and ")
    }

    /// The endpoint for the twin, with the limits that `endpoint` states.
    pub(crate) fn model(&self, endpoint: &EndpointPlan, fair: bool) -> EndpointModel {
        let defaults = Upstream::new("", "", "");
        let server = |(profile, speed): &(Profile, f64)| ServerModel {
            kind: ServerKind::Vllm {
                generator: Box::new(profile.clone()),
                embedder: self.embedder,
            },
            speed: *speed,
        };
        EndpointModel {
            name: endpoint.name.clone(),
            servers: self.generators.iter().map(server).collect(),
            affinity: endpoint.affinity,
            concurrency: endpoint.concurrency.map(|fixed| fixed.max(1)),
            concurrency_max: endpoint.concurrency_max.max(1),
            latency_target_ns: endpoint.latency_target_ns.map(|ns| ns.max(1) as u64),
            queue: defaults.queue,
            aging_ns: defaults.aging.as_nanos() as u64,
            fair,
            retry: endpoint.retry,
            hedge: endpoint.hedge,
            requests_per_s: endpoint.requests_per_s,
            tokens_per_s: endpoint.tokens_per_s,
            error_share: 0.0,
        }
    }
}

/// A simulated server says which models it serves, and a run would not begin without the endpoint's
/// among them. A server that is stood in for is believed to have it.
pub(crate) fn check_models(plan: &Plan, servers: &[Servers]) -> anyhow::Result<()> {
    for stage in plan.stages().filter(|stage| stage.calls != EndpointUse::None) {
        let Some(at) = stage.endpoint else { continue };
        let (Some(endpoint), Some(servers)) = (plan.endpoints.get(at), servers.get(at)) else {
            continue;
        };
        // Without a name it is the server's own.
        if !endpoint.url.starts_with("sim:") || endpoint.model.is_empty() {
            continue;
        }
        let generates = |(profile, _): &(Profile, f64)| profile.model == endpoint.model.as_str();
        let embeds = EMBEDDERS.iter().any(|embedder| embedder.model == endpoint.model);
        let serves = match stage.calls {
            EndpointUse::Embed => embeds,
            _ => servers.generators.iter().all(generates),
        };
        if !serves {
            let own: Vec<&str> =
                servers.generators.iter().map(|(profile, _)| profile.model.as_ref()).collect();
            return Err(usage(format!(
                "endpoint `{}` (line {}): {} serves {} and the embedding models {}, not {}",
                endpoint.name,
                endpoint.line,
                endpoint.url,
                own.join(" and "),
                EMBEDDERS.iter().map(|one| one.model).collect::<Vec<_>>().join(", "),
                endpoint.model
            )));
        }
    }
    Ok(())
}

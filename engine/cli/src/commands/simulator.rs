//! `simulator`: a simulated vLLM over HTTP.

use sage_core::vllm::Scheduling;
use sage_llm::simulator::{Faults, SimulatorConfig, serve};

use super::interrupted;
use crate::args::{SchedulingPolicy, SimulatorArguments};
use crate::exit::{Exit, usage};

pub(crate) fn simulator(arguments: &SimulatorArguments) -> anyhow::Result<Exit> {
    let (mut profile, _) =
        sage_llm::simulator::parse_url(&format!("sim:{}", arguments.profile)).map_err(usage)?;
    if arguments.scheduling_policy == SchedulingPolicy::Priority {
        profile.scheduling = Scheduling::Priority;
    }
    let mut config = SimulatorConfig::new(&profile);
    config.admin = arguments.admin;
    config.speed = arguments.speed;
    config.seed = arguments.seed;
    if let Some(fault) = &arguments.fault {
        config.fault = Faults::parse(fault).map_err(usage)?;
    }
    if let Some(variable) = &arguments.api_key_env {
        let key = std::env::var(variable)
            .map_err(|_| usage(format!("environment variable {variable} is not set")))?;
        config.api_key = Some(key);
    }
    let stop = interrupted()?;
    super::serve(async {
        let listener = listen(&arguments.listen).await?;
        eprintln!(
            "simulated endpoint: {} on {} at speed {} (Ctrl-C ends it)",
            profile.model, profile.name, arguments.speed
        );
        println!("http://{}", listener.local_addr()?);
        serve(config, listener, stop).await.map_err(usage)
    })?;
    Ok(Exit::Complete)
}

async fn listen(address: &str) -> anyhow::Result<tokio::net::TcpListener> {
    tokio::net::TcpListener::bind(address).await.map_err(|error| {
        let remedy = "choose another with --listen (port 0 takes a free one)";
        usage(format!("cannot listen on {address}: {error}; {remedy}"))
    })
}

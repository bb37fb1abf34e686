//! `gateway`: one bounded door in front of OpenAI-compatible endpoints, for any client.

use sage_llm::gateway::{Gateway, GatewayConfig, Upstream, probe};

use super::interrupted;
use crate::args::GatewayArguments;
use crate::exit::{Exit, usage, usage_of};
use crate::run::services::Simulators;

pub(crate) fn gateway(arguments: &GatewayArguments) -> anyhow::Result<Exit> {
    let secret = |variable: &Option<String>| {
        let value = variable.as_ref().map(|name| {
            std::env::var(name)
                .map_err(|_| usage(format!("environment variable {name} is not set")))
        });
        value.transpose()
    };
    let api_key = secret(&arguments.api_key_env)?;
    let token = secret(&arguments.token_env)?;
    let stop = interrupted()?;
    let stats = super::serve(async {
        let mut simulators = Simulators::default();
        let mut upstreams = Vec::new();
        for (i, url) in arguments.upstreams.iter().enumerate() {
            let model = arguments.models.get(i).cloned();
            let resolved = simulators.resolve(url, model.as_deref()).await?;
            let name = format!("upstream{i}");
            let mut upstream = Upstream::new(&name, resolved.url, resolved.model);
            upstream.api_key.clone_from(&api_key);
            upstream.concurrency = arguments.concurrency;
            if upstream.model.is_empty() {
                let flag =
                    format!("name the model of {url} with --model, in the order of --upstream");
                return Err(usage(flag));
            }
            probe(&upstream).await.map_err(usage_of)?;
            eprintln!("{}: {}", upstream.model, resolved.label);
            upstreams.push(upstream);
        }
        let config = GatewayConfig { upstreams, token };
        let gateway = Gateway::bind(&arguments.listen, config).await.map_err(usage_of)?;
        let stats = gateway.stats();
        eprintln!("gateway ready (Ctrl-C ends it)");
        println!("http://{}", gateway.local_addr());
        gateway.serve(stop).await;
        Ok(stats.snapshot())
    })?;
    for endpoint in stats.endpoints {
        let total = endpoint.total;
        eprintln!(
            "{}: {} calls, {} ok, {} failed, {} retries",
            endpoint.name,
            total.calls,
            total.ok,
            total.errors.sum(),
            total.retries
        );
    }
    Ok(Exit::Complete)
}

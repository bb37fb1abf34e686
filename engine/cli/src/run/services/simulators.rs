//! Simulated endpoints, started where an address says `sim:`.

use std::collections::BTreeMap;

use anyhow::Context;
use sage_llm::simulator::{SimulatorConfig, parse_url, serve};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::local::{LOCAL, LocalModels};
use crate::exit::usage;

/// Simulated endpoints, one per profile and speed, alive as long as this is.
#[derive(Default)]
pub(crate) struct Simulators {
    /// Seed of the texts.
    pub(crate) seed: u64,
    running: BTreeMap<String, String>,
    tasks: JoinSet<()>,
    local: LocalModels,
}

/// An endpoint's address after `sim:` was turned into one.
pub(crate) struct Resolved {
    pub(crate) url: String,
    pub(crate) model: String,
    /// For people and reports; says so when the endpoint is simulated.
    pub(crate) label: String,
    /// `simulated:PROFILE`; `None` for a server of which only its answers can tell.
    pub(crate) kind: Option<String>,
}

impl Simulators {
    /// Where to call: starts a simulator when `url` asks for one. Endpoints that ask for the same
    /// share it; `server` tells the servers of one endpoint apart, which do not.
    pub(crate) async fn resolve(
        &mut self,
        url: &str,
        model: Option<&str>,
        server: usize,
    ) -> anyhow::Result<Resolved> {
        if let Some(folder) = url.strip_prefix(LOCAL) {
            let model = model.filter(|m| !m.is_empty()).unwrap_or(folder).to_owned();
            let address = self.local.resolve(folder, &model).await?;
            let label = format!("model in `{folder}`, in this process");
            return Ok(Resolved { url: address, model, label, kind: None });
        }
        if !url.starts_with("sim:") {
            let model = model.unwrap_or_default().to_owned();
            return Ok(Resolved { url: url.to_owned(), model, label: url.to_owned(), kind: None });
        }
        let (profile, speed) = parse_url(url).map_err(usage)?;
        let label = format!("simulated endpoint {} at speed {speed}", profile.name);
        let model = model.filter(|m| !m.is_empty()).unwrap_or(&profile.model).to_owned();
        // Two profile files may give themselves the same name.
        // Another seed gives other texts.
        let kind = Some(format!("simulated:{} seed {}", profile.name, self.seed));
        let key = format!("{server} {speed} {}", profile.to_toml(""));
        if let Some(address) = self.running.get(&key) {
            return Ok(Resolved { url: address.clone(), model, label, kind });
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
        Ok(Resolved { url: address, model, label, kind })
    }
}

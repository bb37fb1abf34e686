//! Requests of a pipeline to servers of the web (stages, sources and sinks): only to hosts that the
//! command line names.
//!
//! A pipeline is a text that people pass on, and an address in it may be one that only this machine
//! can reach, so it is the person at the command line who says where it may go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sage_core::endpoint::Endpoint;
use sage_core::web::Web as WebTrait;
use sage_dataflow::stages::requests;
use sage_dataflow::{Visit, visits};
use sage_dsl::plan::{Plan, StagePlan};
use sage_http::{Allowed, Calls, Direct, Url, address};
use serde::{Deserialize, Serialize};

use super::execute::reads_stdin;
use super::options::Options;
use super::serving::secret;
use crate::exit::usage;

/// Where stages may go, and with what.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Web {
    allowed: Vec<String>,
    /// Tokens by the variables that hold them.
    secrets: BTreeMap<String, String>,
}

impl Web {
    /// Of a plan.
    pub(crate) fn of(plan: &Plan, options: &Options) -> anyhow::Result<Self> {
        let mut secrets = BTreeMap::new();
        let of_ends = visits(plan).filter_map(|visit| visit.token);
        for variable in requests(plan).filter_map(|(_, _, token)| token).chain(of_ends) {
            secrets.insert(variable.to_owned(), secret(variable)?);
        }
        Ok(Web { allowed: options.allow_http.clone(), secrets })
    }

    /// Values that are not to be shown.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &String> {
        self.secrets.values()
    }

    /// `endpoint`, with the requests of the plan's stages made here, if it has any.
    pub(crate) fn around(
        &self,
        plan: &Plan,
        endpoint: Arc<dyn Endpoint>,
    ) -> anyhow::Result<Arc<dyn Endpoint>> {
        if requests(plan).next().is_none() {
            return Ok(endpoint);
        }
        let allowed = parsed(&self.allowed)?;
        Ok(Arc::new(Calls::new(endpoint, allowed, self.secrets.clone())?))
    }

    /// What makes the requests of the plan's source and sinks, if they make any.
    /// `stop` is raised when the run is to stop.
    pub(crate) fn direct(
        &self,
        plan: &Plan,
        stop: &Arc<AtomicBool>,
    ) -> anyhow::Result<Option<Arc<dyn WebTrait>>> {
        if visits(plan).next().is_none() {
            return Ok(None);
        }
        // What a pipe gave cannot be delivered by a run that goes on, as there is none.
        let stop = if reads_stdin(plan) { Arc::default() } else { Arc::clone(stop) };
        Ok(Some(Arc::new(Direct::new(parsed(&self.allowed)?, self.secrets.clone(), stop))))
    }
}

fn parsed(allowed: &[String]) -> anyhow::Result<Allowed> {
    Allowed::parse(allowed).map_err(|text| {
        usage(format!("--allow-http {text}: expected HOST or HOST:PORT, such as localhost:9000"))
    })
}

/// An address of a program.
fn addressed(place: &str, text: &str) -> anyhow::Result<Url> {
    address(text).map_err(|why| usage(format!("{place}: {why}")))
}

/// Refuse what is no address, whoever may be spoken to.
pub(super) fn probe(plan: &Plan) -> anyhow::Result<()> {
    for (stage, text, _) in requests(plan) {
        addressed(&place_of(stage), text)?;
    }
    visits(plan).try_for_each(|visit| addressed(&visit.place, visit.url).map(drop))
}

fn place_of(stage: &StagePlan) -> String {
    format!("stage `{}` (line {})", stage.name, stage.line)
}

/// Refuse a plan that speaks to hosts that were not named, before anything starts.
pub(super) fn check(plan: &Plan, options: &Options) -> anyhow::Result<()> {
    let allowed = parsed(&options.allow_http)?;
    for (stage, text, _) in requests(plan) {
        let place = place_of(stage);
        let url = addressed(&place, text)?;
        if !allowed.permits(&url) {
            return Err(usage(format!(
                "{place} sends records to `{text}`, and what it answers becomes part of them; add \
                 --allow-http {} if you trust it",
                Allowed::name_of(&url)
            )));
        }
    }
    for Visit { place, url: text, does, .. } in visits(plan) {
        let url = addressed(&place, text)?;
        if !allowed.permits(&url) {
            return Err(usage(format!(
                "{place} {does} `{text}`; add --allow-http {} if you trust it",
                Allowed::name_of(&url)
            )));
        }
    }
    Web::of(plan, options).map(drop)
}

/// Nobody can say beforehand what a server answers.
pub(super) fn foreseeable(plan: &Plan) -> anyhow::Result<()> {
    if let Some(source) = plan.source().filter(|source| source.kind == "http_get") {
        return Err(usage(format!(
            "source `{}` (line {}) asks a server, and what it answers cannot be foretold; give it as a \
             file to look at the rest",
            source.name, source.line
        )));
    }
    match requests(plan).next() {
        None => Ok(()),
        Some((stage, url, _)) => Err(usage(format!(
            "stage `{}` (line {}) asks `{url}`, and what a server answers and how long it takes \
             cannot be foretold; put `sleep` or `map` in its place to look at the rest",
            stage.name, stage.line
        ))),
    }
}

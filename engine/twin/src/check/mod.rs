//! What a model must fulfil to be simulated; each mistake is named with its place and its remedy.

mod job;

use crate::error::TwinError;
use crate::model::{Model, SPEEDS};

/// Check all of a model but what policies and endpoints say of themselves when they are built.
pub(crate) fn check(model: &Model) -> Result<(), TwinError> {
    places(model)?;
    require(!model.jobs.is_empty(), || "model".into(), || "it has no jobs; add one".into())?;
    let most = usize::from(u16::MAX);
    require(model.jobs.len() <= most, || "model".into(), || format!("more than {most} jobs"))?;
    model.jobs.iter().try_for_each(|job| job::check(model, job))?;
    failures(model)
}

fn require(
    holds: bool,
    place: impl FnOnce() -> String,
    message: impl FnOnce() -> String,
) -> Result<(), TwinError> {
    if holds { Ok(()) } else { Err(TwinError::Model { place: place(), message: message() }) }
}

fn is_positive(number: f64) -> bool {
    number.is_finite() && number > 0.0
}

fn places(model: &Model) -> Result<(), TwinError> {
    let here = || "model".to_owned();
    require(!model.hosts.is_empty(), here, || "it has no hosts; nodes live on hosts".into())?;
    require(!model.nodes.is_empty(), here, || "it has no nodes; a job needs at least one".into())?;
    for (at, host) in model.hosts.iter().enumerate() {
        let place = || format!("host {at}");
        require(is_positive(host.cores), place, || {
            format!("{} cores; give a number above 0", host.cores)
        })?;
    }
    for (at, node) in model.nodes.iter().enumerate() {
        let place = || format!("node {at}");
        require(node.host < model.hosts.len(), place, || {
            format!("it is on host {}, and there are {}", node.host, model.hosts.len())
        })?;
        require(SPEEDS.contains(&node.speed), place, || {
            let (least, most) = (SPEEDS.start(), SPEEDS.end());
            format!(
                "speed {:?}; give a number from {least} to {most}, 1 for the measured machine",
                node.speed
            )
        })?;
    }
    Ok(())
}

fn failures(model: &Model) -> Result<(), TwinError> {
    let mut last: Vec<Option<u64>> = vec![Some(0); model.nodes.len()];
    let mut order: Vec<usize> = (0..model.failures.len()).collect();
    order.sort_by_key(|at| model.failures[*at].at_ns);
    for at in order {
        let failure = model.failures[at];
        let place = || format!("failure {at}");
        let until = last.get_mut(failure.node as usize);
        require(until.is_some(), place, || {
            format!("node {}, and there are {}, from 0 on", failure.node, model.nodes.len())
        })?;
        let Some(until) = until else { continue };
        require(until.is_some_and(|until| until <= failure.at_ns), place, || {
            format!("node {} is lost while it is away already", failure.node)
        })?;
        if failure.node == 0 && failure.for_ns.is_none() {
            return Err(TwinError::FirstNodeLost { failure: at });
        }
        require(failure.for_ns != Some(0), place, || "a loss of 0 ns; leave it out".into())?;
        // A moment after it is back: which of two things at one moment comes first, is nobody's guess.
        *until = failure.for_ns.map(|ns| failure.at_ns.saturating_add(ns).saturating_add(1));
    }
    Ok(())
}

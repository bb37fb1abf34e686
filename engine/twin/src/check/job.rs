//! What a job must fulfil.

use std::mem::{Discriminant, discriminant};

use sage_dsl::experiment::Arrivals;

use super::{is_positive, require};
use crate::error::TwinError;
use crate::layout::{Layout, MOST_OPERATORS};
use crate::model::{Ask, Demand, Job, Model, Segment, ServerKind, Work};

pub(super) fn check(model: &Model, job: &Job) -> Result<(), TwinError> {
    let place = || format!("job `{}`", job.name);
    require((1..=model.nodes.len()).contains(&job.nodes), place, || {
        format!("it uses {} nodes, and there are {}; give 1 to that", job.nodes, model.nodes.len())
    })?;
    require(job.slots > 0, place, || "0 slots; a node needs at least 1".into())?;
    require(job.morsel > 0, place, || "tasks of 0 records; give at least 1".into())?;
    require(is_positive(job.share), place, || {
        format!("share {}; give a number above 0", job.share)
    })?;
    let stages = job.stages.len();
    require(u16::try_from(stages).is_ok(), place, || "more than 65535 stages".into())?;
    let operators = Layout::operators(job);
    require(operators <= MOST_OPERATORS, place, || {
        format!("{operators} operators, and at most {MOST_OPERATORS} are simulated; join segments")
    })?;
    arrivals(job)?;
    require(!job.demands.is_empty() || job.records == 0, place, || {
        format!("{} records and no demands; give at least one demand", job.records)
    })?;
    let uses = uses(model, job)?;
    let mut kinds = vec![None; stages];
    for (at, demand) in job.demands.iter().enumerate() {
        self::demand(job, at, demand, &uses)?;
        for (kind, work) in kinds.iter_mut().zip(&demand.work).filter(|(_, w)| **w != Work::None) {
            let own = kind_of(work);
            require(*kind.get_or_insert(own) == own, place, || {
                format!(
                    "demand {at} has {work:?} for a stage that has another kind of work in an earlier one; a call holds one kind"
                )
            })?;
        }
    }
    Ok(())
}

/// Costs of one stage may be drawn for some records and known for others.
fn kind_of(work: &Work) -> Discriminant<Work> {
    match work {
        Work::Drawn(_) => discriminant(&Work::Cpu(0)),
        other => discriminant(other),
    }
}

fn arrivals(job: &Job) -> Result<(), TwinError> {
    let place = || format!("arrivals of job `{}`", job.name);
    match &job.arrivals {
        Arrivals::Batch => Ok(()),
        Arrivals::Constant { per_s } | Arrivals::Poisson { per_s } => {
            require(is_positive(*per_s), place, || {
                format!("{per_s} records a second; give a number above 0")
            })
        }
        Arrivals::Burst { size, .. } => {
            require(*size > 0, place, || "bursts of 0 records; give at least 1".into())
        }
        Arrivals::Trace { .. } => {
            require(job.trace.is_sorted(), place, || "the trace does not ascend; sort it".into())
        }
    }
}

/// What a stage does, as its segment has it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Use {
    Nothing,
    Computes,
    Waits,
    /// Calls; and whether all servers there take plain times.
    Calls(bool),
}

fn uses(model: &Model, job: &Job) -> Result<Vec<Use>, TwinError> {
    let place = || format!("job `{}`", job.name);
    let mut uses = vec![Use::Nothing; job.stages.len()];
    let mut set = |stage: u16, use_: Use| -> Result<(), TwinError> {
        let known = uses.get_mut(usize::from(stage));
        let stages = job.stages.len();
        require(known.is_some(), place, || {
            format!("a segment names stage {stage}, and there are {stages}, from 0 on")
        })?;
        if let Some(known) = known {
            *known = use_;
        }
        Ok(())
    };
    for segment in job.before.iter().chain(&job.behind) {
        match segment {
            Segment::Local { stages } => {
                stages.iter().try_for_each(|stage| set(*stage, Use::Computes))?;
            }
            Segment::Ask { members } => {
                require(!members.is_empty(), place, || {
                    "a group of no stages; leave it out".into()
                })?;
                for member in members {
                    let Ask::Call { endpoint, batch, timeout_ns, .. } = member.ask else {
                        set(member.stage, Use::Waits)?;
                        continue;
                    };
                    let found = model.endpoints.get(endpoint);
                    require(found.is_some(), place, || {
                        let all = model.endpoints.len();
                        format!(
                            "stage {} calls endpoint {endpoint}, and there are {all}, from 0 on",
                            member.stage
                        )
                    })?;
                    require(batch > 0 && timeout_ns > 0, place, || {
                        format!(
                            "stage {} has batch {batch} and timeout {timeout_ns} ns; both are at least 1",
                            member.stage
                        )
                    })?;
                    let plain = found.is_some_and(|endpoint| {
                        endpoint.servers.iter().all(|s| !matches!(s.kind, ServerKind::Vllm { .. }))
                    });
                    set(member.stage, Use::Calls(plain))?;
                }
            }
        }
    }
    Ok(uses)
}

fn demand(job: &Job, at: usize, demand: &Demand, uses: &[Use]) -> Result<(), TwinError> {
    let place = || format!("demand {at} of job `{}`", job.name);
    require(demand.work.len() <= uses.len(), place, || {
        format!("work for {} stages, and the job has {}", demand.work.len(), uses.len())
    })?;
    for exit in [demand.dropped_at, demand.fails_at].into_iter().flatten() {
        require(usize::from(exit) < uses.len(), place, || {
            format!("the record ends at stage {exit}, and there are {}, from 0 on", uses.len())
        })?;
    }
    for (stage, (work, use_)) in demand.work.iter().zip(uses).enumerate() {
        let fits = matches!(
            (work, use_),
            (Work::None, _)
                | (Work::Cpu(_) | Work::Drawn(_), Use::Computes)
                | (Work::Wait(_), Use::Waits | Use::Calls(true))
                | (Work::Embed { .. } | Work::Generate { .. }, Use::Calls(_))
        );
        require(fits, place, || {
            let does = match use_ {
                Use::Nothing => "stands in no segment",
                Use::Computes => "computes: give `Cpu`",
                Use::Waits => "waits for a timer: give `Wait`",
                Use::Calls(true) => "calls an endpoint: give `Embed`, `Generate` or `Wait`",
                Use::Calls(false) => "calls a model server: give `Embed` or `Generate`",
            };
            format!("{work:?} for stage {stage}, which {does}")
        })?;
    }
    Ok(())
}

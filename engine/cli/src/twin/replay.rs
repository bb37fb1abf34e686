//! A recorded run under another policy: the same arrivals, the same service times, the same
//! dependencies between stages.
//!
//! Stages that computed compute again, stages that waited wait as long as they did. So the answer is
//! to "what if the tasks had been placed otherwise", and not to "what if the endpoint had been asked
//! otherwise": how long a call took is taken as given, and so is how each task ended. A task whose
//! records all ended before the scheduler saw them does so again.

use sage_core::event::{Event, Kind};
use sage_core::metrics::{Recorder, RecorderConfig, Summary, TaskOutcome};
use sage_core::policies;
use sage_dataflow::demand::{Part, outline};
use sage_dsl::experiment::Arrivals;
use sage_dsl::types::Value;
use sage_twin::model::{Ask, Demand, Host, Job, Member, Model, Node, Overheads, Segment, Work};

use super::recording::{Recorded, Recording};
use crate::exit::{usage, usage_of};

/// What is changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    /// Policy and its arguments, in place of the recorded ones.
    pub(crate) policy: Option<(String, Vec<(String, Value)>)>,
    pub(crate) workers: Option<usize>,
    pub(crate) slots: Option<u32>,
    pub(crate) seed: Option<u64>,
}

/// Replay `recording` with `change`; gives the figures.
pub(crate) fn replay(recording: &Recording, change: &Change) -> anyhow::Result<Summary> {
    let model = model(recording, change)?;
    let job = &model.jobs[0];
    let stages = recording.plan.stages().map(|stage| stage.name.clone()).collect();
    let config = RecorderConfig::new(job.nodes, job.slots, stages);
    let mut recorder = Recorder::new(config);
    let mut observe = |event: &Event| {
        let mut event = *event;
        // The twin lets a task fail that the run gave up; why, only the run knows.
        let task = usize::try_from(event.task).ok().and_then(|at| recording.tasks.get(at));
        if task.is_some_and(|task| task.unscheduled) {
            // In the twin it takes what time it took; when it ended does not hang on any policy.
            return;
        }
        if event.kind() == Some(Kind::Completed)
            && task.is_some_and(|task| task.outcome == TaskOutcome::Late)
        {
            event.kind = Kind::Shed as u16;
        }
        recorder.observe(&event);
    };
    sage_twin::simulate(&model, &mut observe).map_err(usage_of)?;
    recording.note_undecided(&mut recorder);
    Ok(recorder.finish())
}

fn model(recording: &Recording, change: &Change) -> anyhow::Result<Model> {
    let schedule = &recording.plan.schedule;
    let recorded = || (schedule.policy.clone(), schedule.policy_args.clone());
    let (policy, policy_args) = change.policy.clone().unwrap_or_else(recorded);
    policies::build(&policy, &policy_args)
        .map_err(|error| usage(format!("--scheduler: {error}")))?;
    let nodes = change.workers.unwrap_or(recording.workers);
    let mut stages: Vec<String> = recording.plan.stages().map(|stage| stage.name.clone()).collect();
    let shape = outline(&recording.plan);
    let segment = |part: &Part| match part {
        Part::Local(stages) => Segment::Local { stages: stages.clone() },
        Part::Ask(members) => {
            let member = |stage| Member { stage, ask: Ask::Timer };
            Segment::Ask { members: members.iter().map(|one| member(one.stage)).collect() }
        }
    };
    let mut waits = vec![None; stages.len()];
    let mut set = |stage: u16, waiting| waits[usize::from(stage)] = Some(waiting);
    for part in shape.before.iter().chain(&shape.behind) {
        match part {
            Part::Local(stages) => stages.iter().for_each(|stage| set(*stage, false)),
            Part::Ask(members) => members.iter().for_each(|member| set(member.stage, true)),
        }
    }
    let gates = Gates { before: stages.len() as u16, behind: stages.len() as u16 + 1 };
    let demands: Vec<Demand> =
        recording.tasks.iter().map(|task| demand(task, &waits, gates)).collect();
    let end_at = |gate| {
        let ends = |demand: &Demand| [demand.dropped_at, demand.fails_at].contains(&Some(gate));
        demands.iter().any(ends).then(|| Segment::Local { stages: vec![gate] })
    };
    let before: Vec<Segment> =
        shape.before.iter().map(segment).chain(end_at(gates.before)).collect();
    let behind: Vec<Segment> =
        shape.behind.iter().map(segment).chain(end_at(gates.behind)).collect();
    // The figures of stages leave them out.
    stages.extend(["before".to_owned(), "behind".to_owned()]);
    let trace: Vec<u64> = recording.tasks.iter().map(|task| task.arrived_ns).collect();
    let mut overheads = Overheads::default();
    let (decision, dispatch) = recording.overhead_us;
    let ns = |us: f64| (us.max(0.0) * 1e3) as u64;
    overheads.decision_ns = decision.map_or(overheads.decision_ns, ns);
    overheads.dispatch_ns = dispatch.map_or(overheads.dispatch_ns, ns);
    let job = Job {
        name: recording.plan.name.clone(),
        start_ns: 0,
        arrivals: Arrivals::Trace { path: String::new() },
        trace: trace.into(),
        records: recording.tasks.len() as u64,
        morsel: 1,
        nodes,
        slots: change.slots.unwrap_or(schedule.slots),
        policy,
        policy_args,
        // The recorded arrivals are those that its bound let in.
        queue: u32::try_from(recording.tasks.len()).unwrap_or(u32::MAX).max(schedule.queue),
        deadline_ns: schedule.deadline_ns.and_then(|ns| u64::try_from(ns).ok()),
        stages,
        before,
        behind,
        demands: demands.into(),
        share: 1.0,
    };
    Ok(Model {
        nodes: (0..nodes).map(|host| Node { host, speed: 1.0 }).collect(),
        // A core for each node: what others took of it is in the recorded times.
        hosts: vec![Host { cores: 2.0 }; nodes],
        endpoints: Vec::new(),
        jobs: vec![job],
        overheads,
        failures: Vec::new(),
        seed: change.seed.unwrap_or(recording.seed),
    })
}

/// Steps at which tasks end that the run let end, behind all stages on either side of the scheduler:
/// what they did until then, they do.
#[derive(Debug, Clone, Copy)]
struct Gates {
    before: u16,
    behind: u16,
}

fn demand(task: &Recorded, waits: &[Option<bool>], gates: Gates) -> Demand {
    let work = |(ns, waits): (&Option<u64>, &Option<bool>)| match (ns, waits) {
        (Some(ns), Some(true)) => Work::Wait(*ns),
        (Some(ns), Some(false)) => Work::Cpu(*ns),
        _ => Work::None,
    };
    let gate = if task.unscheduled { gates.before } else { gates.behind };
    let seen = task.seen;
    Demand {
        priority: seen.priority,
        expected_ns: seen.expected_ns,
        critical_ns: seen.critical_ns,
        due_ns: seen.due_ns.map(|due| due.saturating_sub(task.arrived_ns)),
        flow: seen.flow,
        affinity: seen.affinity,
        dropped_at: (task.unscheduled && task.is_ok()).then_some(gate),
        fails_at: (!task.is_ok()).then_some(gate),
        work: task.stages_ns.iter().zip(waits).map(work).collect(),
    }
}

//! From jobs and their data to the twin's model.

use std::path::Path;
use std::sync::Arc;

use sage_dataflow::arrivals::{read_trace, task_size};
use sage_dataflow::demand::{self, Extent, Part, Shape, Wait};
use sage_dataflow::seeded;
use sage_dsl::experiment::Arrivals;
use sage_dsl::plan::Plan;
use sage_twin::model::{Ask, Demand, Host, Job, Member, Model, Node, Overheads, Segment, Work};

use super::demands::{self, DISTINCT, Looked, Looks};
use super::endpoints::check_models;
use super::indexes::Indexes;
use super::{Cluster, Servers, TwinJob, TwinRun};
use crate::exit::usage_of;
use crate::run::probe_all_but_indexes;
use crate::run::programs::foreseeable;
use crate::run::services::Shared;

/// Makes models, and keeps what several of them have in common.
pub(crate) struct Workshop {
    indexes: Indexes,
    looks: Looks,
}

/// A model and what is known besides.
pub(crate) struct Worked {
    pub(crate) model: Model,
    /// By job.
    pub(crate) jobs: Vec<WorkedJob>,
}

/// What is known of a job besides its model.
pub(crate) struct WorkedJob {
    /// What stands for each of the plan's endpoints.
    pub(crate) servers: Vec<Servers>,
    /// Positions of the plan's endpoints among the model's.
    pub(crate) endpoints: Vec<usize>,
    /// Rows that cannot be read.
    pub(crate) unreadable: u64,
    /// Records that come too late for their window.
    pub(crate) late: u64,
    /// Records that the source leaves out.
    pub(crate) left_out: u64,
    /// For people: records that fail, and why.
    pub(crate) notes: Vec<String>,
}

impl Workshop {
    /// An empty one.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Workshop { indexes: Indexes::new()?, looks: Looks::default() })
    }

    /// How many different plans were looked at.
    #[cfg(test)]
    pub(crate) fn looks(&self) -> usize {
        self.looks.len()
    }

    /// The model of `run`.
    pub(crate) fn model(&mut self, run: &TwinRun) -> anyhow::Result<Worked> {
        let shared = Shared::new(run.jobs.iter().map(|job| &job.plan));
        let servers = shared
            .endpoints
            .iter()
            .map(|endpoint| Servers::of(endpoint, run.profile.as_ref()))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let models = shared.endpoints.iter().zip(&servers);
        let endpoints = models.map(|(endpoint, servers)| servers.model(endpoint, run.fair));
        let endpoints = endpoints.collect();
        let (mut jobs, mut worked) = (Vec::new(), Vec::new());
        for (job, own) in run.jobs.iter().zip(shared.of) {
            let own_servers: Vec<Servers> = own.iter().map(|at| servers[*at].clone()).collect();
            let (model, job) = self.job(job, run.seed, own, own_servers)?;
            jobs.push(model);
            worked.push(job);
        }
        let nodes = run.jobs.iter().map(|job| job.workers).max().unwrap_or(1);
        let (nodes, hosts) = machines(&run.cluster, nodes);
        let model = Model {
            nodes,
            hosts,
            endpoints,
            jobs,
            overheads: Overheads::default(),
            failures: run.cluster.failures.clone(),
            seed: run.seed,
        };
        Ok(Worked { model, jobs: worked })
    }

    fn job(
        &mut self,
        job: &TwinJob,
        seed: u64,
        endpoints: Vec<usize>,
        servers: Vec<Servers>,
    ) -> anyhow::Result<(Job, WorkedJob)> {
        let plan = &seeded(&job.plan, seed);
        foreseeable(plan)?;
        probe_all_but_indexes(plan)?;
        check_models(plan, &servers)?;
        let arrivals = job.arrivals.clone().unwrap_or_default();
        let trace = match &arrivals {
            Arrivals::Trace { path } => read_trace(Path::new(path)).map_err(usage_of)?,
            _ => Vec::new(),
        };
        let morsel = task_size(plan, job.arrivals.as_ref());
        let extent = Extent { tasks: job.tasks, limit: job.limit, morsel, distinct: DISTINCT };
        let indexes = &mut self.indexes;
        let looked = self.looks.at(plan, extent, &servers, seed, || indexes.of(plan, &servers))?;
        let flow = Flow::of(plan, &looked, &servers, &endpoints);
        let schedule = &plan.schedule;
        let model = Job {
            name: job.name.clone(),
            start_ns: job.start_ns,
            arrivals,
            trace: trace.into(),
            records: looked.demands.records,
            morsel: u32::try_from(morsel).unwrap_or(u32::MAX),
            nodes: job.workers,
            slots: schedule.slots,
            policy: schedule.policy.clone(),
            policy_args: schedule.policy_args.clone(),
            queue: schedule.queue,
            deadline_ns: schedule.deadline_ns.and_then(|ns| u64::try_from(ns).ok()),
            stages: flow.stages,
            before: flow.before,
            behind: flow.behind,
            demands: flow.demands,
            share: job.share,
        };
        let notes = notes(plan, &looked);
        let demands = &looked.demands;
        let (unreadable, late, left_out) = (demands.unreadable, demands.late, demands.left_out);
        Ok((model, WorkedJob { servers, endpoints, unreadable, late, left_out, notes }))
    }
}

/// The machines of a run.
fn machines(cluster: &Cluster, nodes: usize) -> (Vec<Node>, Vec<Host>) {
    let speed = |node: usize| {
        let speeds = &cluster.speeds;
        if speeds.is_empty() { 1.0 } else { speeds[node % speeds.len()] }
    };
    let together = cluster.cores.is_some();
    let node = |node| Node { host: if together { 0 } else { node }, speed: speed(node) };
    let hosts = match cluster.cores {
        Some(cores) => vec![Host { cores }],
        // The first host has a core more: the gateway is there beside the first node.
        None => (0..nodes).map(|host| Host { cores: if host == 0 { 2.0 } else { 1.0 } }).collect(),
    };
    ((0..nodes).map(node).collect(), hosts)
}

/// A plan as the twin has it.
struct Flow {
    stages: Vec<String>,
    before: Vec<Segment>,
    behind: Vec<Segment>,
    demands: Arc<[Demand]>,
}

/// Steps that are no stages but let records end: where filters before all stages and emits stand.
/// They have numbers behind those of the stages, which the figures of stages leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Before,
    Behind,
    Emit,
}

impl Flow {
    fn of(plan: &Plan, looked: &Looked, servers: &[Servers], endpoints: &[usize]) -> Flow {
        let names: Vec<String> = plan.stages().map(|stage| stage.name.clone()).collect();
        let mut flow = Flow {
            stages: names,
            before: segments(&looked.shape.before, endpoints),
            behind: segments(&looked.shape.behind, endpoints),
            demands: Arc::new([]),
        };
        let of_stage: Vec<Option<&Servers>> =
            plan.stages().map(|stage| stage.endpoint.and_then(|at| servers.get(at))).collect();
        let mut gates = Vec::new();
        let demands = looked.demands.demands.iter().map(|demand| {
            let (mut one, gate) = demand_of(demand, &of_stage, &looked.shape);
            if let Some(gate) = gate {
                let at = gates.iter().position(|known| *known == gate).unwrap_or_else(|| {
                    gates.push(gate);
                    gates.len() - 1
                });
                let at = Some((of_stage.len() + at) as u16);
                let failed = demand.end.as_ref().is_some_and(|end| end.failure.is_some());
                *(if failed { &mut one.fails_at } else { &mut one.dropped_at }) = at;
            }
            one
        });
        let demands: Vec<Demand> = demands.collect();
        flow.demands = demands.into();
        for gate in gates {
            let stages = vec![flow.stages.len() as u16];
            let segment = Segment::Local { stages };
            let (into, name) = match gate {
                Gate::Before => (&mut flow.before, "where"),
                Gate::Behind => (&mut flow.behind, "where"),
                Gate::Emit => (&mut flow.behind, "emit"),
            };
            match gate {
                Gate::Emit => into.push(segment),
                _ => into.insert(0, segment),
            }
            flow.stages.push(name.to_owned());
        }
        flow
    }
}

fn segments(parts: &[Part], endpoints: &[usize]) -> Vec<Segment> {
    let member = |member: &demand::Member| {
        let ask = match member.wait {
            Wait::Timer => Ask::Timer,
            Wait::Call { endpoint, batch, batch_tokens, linger_ns, timeout_ns, lane } => {
                Ask::Call {
                    endpoint: endpoints.get(endpoint).copied().unwrap_or(0),
                    batch,
                    batch_tokens,
                    linger_ns,
                    timeout_ns,
                    lane,
                }
            }
        };
        Member { stage: member.stage, ask }
    };
    let segment = |part: &Part| match part {
        Part::Local(stages) => Segment::Local { stages: stages.clone() },
        Part::Ask(members) => Segment::Ask { members: members.iter().map(member).collect() },
    };
    parts.iter().map(segment).collect()
}

/// The demand for the twin, and the gate at which the record ends if it does not end at a stage.
fn demand_of(
    demand: &demand::Demand<Work>,
    servers: &[Option<&Servers>],
    shape: &Shape,
) -> (Demand, Option<Gate>) {
    let work = |(work, servers): (&demand::Work<Work>, Option<&Servers>)| match (work, servers) {
        (demand::Work::Cpu(ns), _) => Work::Cpu(*ns),
        (demand::Work::Drawn(drawn), _) => Work::Drawn(Arc::clone(drawn)),
        (demand::Work::Wait(ns), _) => Work::Wait(*ns),
        (demand::Work::Calls(calls), Some(servers)) => demands::joined(calls, servers),
        (demand::Work::None | demand::Work::Calls(_), _) => Work::None,
    };
    let mut one = Demand {
        priority: demand.priority,
        expected_ns: demand.expected_ns,
        critical_ns: demand.critical_ns,
        due_ns: demand.due_ns,
        flow: demand.flow,
        affinity: demand.affinity,
        dropped_at: None,
        fails_at: None,
        work: demand.work.iter().zip(servers.iter().copied()).map(work).collect(),
    };
    let Some(end) = &demand.end else { return (one, None) };
    let gate = match end.stage {
        _ if end.emitted => Some(Gate::Emit),
        None if end.before => Some(Gate::Before),
        None => Some(Gate::Behind),
        // A filter behind the scheduling operator that reads only what was there before it: to end
        // at a stage before it would spare the record the place it takes.
        Some(stage) if !end.before && is_before(shape, stage) => Some(Gate::Behind),
        Some(_) => None,
    };
    if gate.is_none() {
        let failed = end.failure.is_some();
        *(if failed { &mut one.fails_at } else { &mut one.dropped_at }) = end.stage;
    }
    (one, gate)
}

fn is_before(shape: &Shape, stage: u16) -> bool {
    shape.before.iter().any(|part| match part {
        Part::Local(stages) => stages.contains(&stage),
        Part::Ask(members) => members.iter().any(|member| member.stage == stage),
    })
}

/// Most reasons that are told.
const REASONS: usize = 3;

fn notes(plan: &Plan, looked: &Looked) -> Vec<String> {
    let names: Vec<&str> = plan.stages().map(|stage| stage.name.as_str()).collect();
    let demands = &looked.demands;
    let mut reasons: Vec<(String, usize)> = Vec::new();
    for end in demands.demands.iter().filter_map(|demand| demand.end.as_ref()) {
        let Some(failure) = &end.failure else { continue };
        let stage = match end.stage {
            _ if end.emitted => "emit",
            Some(stage) => names.get(usize::from(stage)).copied().unwrap_or("where"),
            None => "where",
        };
        let reason = format!("{stage}: {failure}");
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((reason, 1)),
        }
    }
    let all = demands.demands.len();
    let mut notes: Vec<String> = reasons
        .iter()
        .take(REASONS)
        .map(|(reason, count)| format!("{count} of {all} records would fail: {reason}"))
        .collect();
    if reasons.len() > REASONS {
        notes.push(format!("and {} more reasons", reasons.len() - REASONS));
    }
    if demands.records > all as u64 && all == DISTINCT {
        notes.push(format!(
            "{} records, of which the first {DISTINCT} were evaluated; the others are taken to be \
             like these",
            demands.records
        ));
    }
    notes
}

//! `World`: everything there is at one moment of virtual time, and the loop that carries it on.

use std::collections::VecDeque;

use sage_core::arrivals::seed_of;
use sage_core::event::Event;

use crate::agenda::{Agenda, Due};
use crate::coordinator::Coordinator;
use crate::error::TwinError;
use crate::gateway::{GATEWAY, Gateway};
use crate::host::Host;
use crate::layout::{Layout, SOURCE};
use crate::log::Log;
use crate::model::Model;
use crate::operators::{Cx, Flow};
use crate::outcome::{JobOutcome, Limits, Lost, NodeUse, Outcome};
use crate::task::Tasks;
use crate::thread::Thread;

/// One job.
pub(crate) struct JobState<'m> {
    pub(crate) layout: Layout<'m>,
    pub(crate) coordinator: Coordinator,
    pub(crate) tasks: Tasks,
    /// Its first thread; that of its node `n` is `n` further on.
    pub(crate) first_thread: u32,
    pub(crate) over: bool,
    /// What it lost, by failure.
    pub(crate) lost: Vec<Lost>,
}

pub(crate) struct World<'m, 'o> {
    pub(crate) model: &'m Model,
    pub(crate) now: u64,
    pub(crate) agenda: Agenda,
    pub(crate) hosts: Vec<Host>,
    pub(crate) threads: Vec<Thread>,
    pub(crate) jobs: Vec<JobState<'m>>,
    pub(crate) gateway: Gateway,
    log: Log<'o>,
    /// Threads with something to do at this moment.
    ready: VecDeque<u32>,
    pub(crate) jobs_left: usize,
    /// By failure.
    pub(crate) failures_came: Vec<bool>,
    steps: u64,
    /// Most of them.
    limit: u64,
    coordinator_busy_ns: f64,
}

impl<'m, 'o> World<'m, 'o> {
    pub(crate) fn new(
        model: &'m Model,
        limits: Limits,
        observe: &'o mut dyn FnMut(&Event),
    ) -> Result<Self, TwinError> {
        let mut agenda = Agenda::default();
        let mut threads = Vec::new();
        let mut jobs = Vec::new();
        for (number, job) in model.jobs.iter().enumerate() {
            let seed = seed_of(model.seed, number);
            let layout = Layout::new(job, number as u16);
            let coordinator = Coordinator::new(&layout, seed)?;
            let first_thread = threads.len() as u32;
            for (node, place) in model.nodes.iter().enumerate().take(job.nodes) {
                let place = (place.host, place.speed);
                threads.push(Thread::new(&layout, number, node as u32, place, seed));
            }
            let tasks = Tasks::default();
            agenda.add(
                job.start_ns,
                Due::Rouse { thread: first_thread, op: SOURCE as u32, epoch: 0 },
            );
            let lost = vec![Lost::default(); model.failures.len()];
            jobs.push(JobState { layout, coordinator, tasks, first_thread, over: false, lost });
        }
        for (number, failure) in model.failures.iter().enumerate() {
            agenda.add(failure.at_ns, Due::Lost(number as u32));
        }
        let shares: Vec<f64> = model.jobs.iter().map(|job| job.share).collect();
        let (hop_ns, work_ns) = (model.overheads.hop_ns, model.overheads.gateway_ns);
        let seed = |at| seed_of(model.seed, at);
        Ok(World {
            model,
            now: 0,
            agenda,
            hosts: model.hosts.iter().map(|host| Host::new(host.cores)).collect(),
            threads,
            jobs_left: jobs.len(),
            jobs,
            gateway: Gateway::new(&model.endpoints, &shares, hop_ns, work_ns, seed)?,
            log: Log::new(observe),
            ready: VecDeque::new(),
            failures_came: vec![false; model.failures.len()],
            steps: 0,
            limit: limits.steps,
            coordinator_busy_ns: 0.0,
        })
    }

    /// Carry on until all jobs are over.
    pub(crate) fn run(mut self) -> Result<Outcome, TwinError> {
        while self.jobs_left > 0 {
            let Some(next_ns) = self.agenda.next_ns() else { return Err(self.stuck()) };
            self.now = self.now.max(next_ns);
            // All that comes at one moment is there before anybody looks.
            while let Some(due) = self.agenda.pop(self.now) {
                self.happen(due);
                self.steps += 1;
            }
            while let Some(thread) = self.ready.pop_front() {
                self.run_thread(thread as usize);
            }
            if self.steps > self.limit {
                return Err(TwinError::TooLong {
                    steps: self.limit,
                    at_ns: self.now,
                    open: self.jobs.iter().map(|job| job.coordinator.open).sum(),
                });
            }
        }
        Ok(self.outcome())
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Rouse { thread, op, epoch } => self.deliver(thread, op as usize, epoch, |_| {}),
            Due::Host(host) => self.burst_ends(host as usize),
            Due::Dispatched { thread, task, epoch } => {
                let receive = self.layout_of(thread).receive;
                self.deliver(thread, receive, epoch, |operator| operator.take(task));
            }
            Due::Done { thread, task, epoch } => self.done(thread as usize, task, epoch),
            Due::Called(id) => self.gateway.called(id, self.now, &mut self.agenda),
            Due::Answered(id) => {
                if let Some((thread, op, epoch, answered)) = self.gateway.answered(id) {
                    self.answered(thread, op, epoch, answered);
                }
            }
            Due::Station(at) => self.gateway.advance(at as usize, self.now, &mut self.agenda),
            Due::Lost(failure) => self.lose(failure as usize),
            Due::Back(node) => self.regain(node),
        }
    }

    fn layout_of(&self, thread: u32) -> &Layout<'m> {
        &self.jobs[self.threads[thread as usize].job].layout
    }

    /// A thread has something to do, now or when it is free.
    pub(crate) fn line_up(&mut self, number: u32) {
        let thread = &mut self.threads[number as usize];
        if thread.is_free() && !thread.queued {
            thread.queued = true;
            self.ready.push_back(number);
        }
    }

    fn burst_ends(&mut self, host: usize) {
        if self.hosts[host].armed_ns != self.now {
            // An earlier end was planned since, which has been.
            return;
        }
        self.hosts[host].armed_ns = u64::MAX;
        while let Some(number) = self.hosts[host].finished(self.now) {
            if number == GATEWAY {
                self.gateway.worked(self.now, &mut self.hosts[host], &mut self.agenda);
                continue;
            }
            let thread = &mut self.threads[number as usize];
            if let Some((_, work_ns)) = thread.burst.take() {
                self.count_work(number as usize, work_ns);
            }
            self.line_up(number);
        }
        self.arm_host(host);
    }

    pub(crate) fn count_work(&mut self, number: usize, work_ns: f64) {
        let thread = &mut self.threads[number];
        thread.busy_ns += work_ns;
        let layout = &self.jobs[thread.job].layout;
        if thread.active.is_some_and(|operator| layout.coordinates(operator)) {
            self.coordinator_busy_ns += work_ns;
        }
    }

    /// Let the agenda know when the next burst of a host ends.
    pub(crate) fn arm_host(&mut self, at: usize) {
        let host = &mut self.hosts[at];
        if let Some(next_ns) = host.next_ns().map(|next_ns| next_ns.max(self.now))
            && next_ns < host.armed_ns
        {
            host.armed_ns = next_ns;
            self.agenda.add(next_ns, Due::Host(at as u32));
        }
    }

    /// Run a thread until it computes or has nothing to do.
    fn run_thread(&mut self, number: usize) {
        self.threads[number].queued = false;
        while self.threads[number].is_free() && self.steps <= self.limit {
            let thread = &mut self.threads[number];
            let resumed = thread.active;
            let Some(operator) = resumed.or_else(|| thread.step()) else { return };
            thread.active = Some(operator);
            match self.turn(number, operator, resumed.is_some()) {
                Flow::Busy(work_ns) => self.compute(number, work_ns),
                Flow::Over => {
                    self.threads[number].active = None;
                    self.steps += 1;
                    self.pass_on(number, operator);
                }
            }
        }
    }

    /// One step of the dialogue with an operator.
    fn turn(&mut self, number: usize, operator: usize, resumed: bool) -> Flow {
        let thread = &mut self.threads[number];
        let job = &mut self.jobs[thread.job];
        let (mut alarm_ns, mut call) = (None, None);
        if !resumed {
            thread.disarm(operator, self.now);
        }
        let mut cx = Cx {
            now: self.now,
            operator,
            node: thread.node,
            layout: &job.layout,
            overheads: &self.model.overheads,
            tasks: &mut job.tasks,
            coordinator: &mut job.coordinator,
            slots: &mut thread.slots,
            log: &mut self.log,
            out: &mut thread.out,
            done: &mut thread.done,
            rouse: &mut thread.next,
            alarm_ns: &mut alarm_ns,
            call: &mut call,
        };
        let acting = &mut thread.operators[operator];
        let flow = if resumed { acting.resume(&mut cx) } else { acting.begin(&mut cx) };
        if let Some(at_ns) = alarm_ns
            && thread.arm(operator, at_ns)
        {
            let epoch = thread.epoch(operator, &job.layout);
            let rouse = Due::Rouse { thread: number as u32, op: operator as u32, epoch };
            self.agenda.add(at_ns.max(self.now), rouse);
        }
        if let Some(prepared) = call {
            self.send(number, operator, prepared);
        }
        flow
    }

    fn compute(&mut self, number: usize, work_ns: u64) {
        if work_ns == 0 {
            return;
        }
        let thread = &mut self.threads[number];
        let work_ns = work_ns as f64 / thread.speed;
        let host = thread.host;
        thread.burst = Some((self.hosts[host].start(self.now, number as u32, work_ns), work_ns));
        self.arm_host(host);
    }

    fn stuck(&self) -> TwinError {
        let stuck = self.jobs.iter().find(|job| !job.over);
        TwinError::Stuck {
            job: stuck.map_or_else(String::new, |job| job.layout.job.name.clone()),
            open: stuck.map_or(0, |job| job.coordinator.open),
            at_ns: self.now,
        }
    }

    fn outcome(self) -> Outcome {
        let mut nodes = vec![NodeUse::default(); self.model.nodes.len()];
        for thread in &self.threads {
            nodes[thread.node as usize].cpu_busy_ns += thread.busy_ns.round() as u64;
        }
        let job = |job: &JobState<'_>| JobOutcome {
            name: job.layout.job.name.clone(),
            started_ns: job.layout.job.start_ns,
            finished_ns: job.coordinator.last_end_ns,
            tasks: job.coordinator.tasks,
            cpu_busy_ns: self.threads[job.first_thread as usize..]
                .iter()
                .take(job.layout.job.nodes)
                .map(|thread| thread.busy_ns.round() as u64)
                .collect(),
            lost: job.lost.clone(),
        };
        Outcome {
            end_ns: self.now,
            events: self.log.events,
            steps: self.steps,
            jobs: self.jobs.iter().map(job).collect(),
            endpoints: self.gateway.stats(),
            nodes,
            failures_came: self.failures_came.clone(),
            coordinator_busy_ns: self.coordinator_busy_ns.round() as u64,
            gateway_busy_ns: self.gateway.busy_ns,
            violations: self.jobs.iter().map(|job| job.coordinator.violations()).sum(),
        }
    }
}

//! Traffic: what leaves an operator, and how long it is on its way.

use std::sync::Arc;

use crate::agenda::Due;
use crate::gateway::Request;
use crate::model::{Ask, Segment, Work};
use crate::operators::{Answered, Item, Operator, Prepared};
use crate::world::World;

impl World<'_, '_> {
    /// An activation is over: what it leaves goes on its way.
    pub(crate) fn pass_on(&mut self, number: usize, operator: usize) {
        let job = &mut self.jobs[self.threads[number].job];
        if operator == job.layout.schedule {
            self.dispatch(number);
        } else if operator == job.layout.complete {
            self.tell(number);
        } else {
            let thread = &mut self.threads[number];
            if !thread.out.is_empty() {
                for task in thread.out.drain(..) {
                    thread.operators[operator + 1].take(task);
                }
                thread.pass(operator + 1);
            }
        }
        let job = &mut self.jobs[self.threads[number].job];
        if !job.over && job.coordinator.is_over() {
            job.over = true;
            self.jobs_left -= 1;
        }
    }

    /// Tasks leave for their nodes. To the first node, where they are, no message travels.
    fn dispatch(&mut self, number: usize) {
        let mut out = std::mem::take(&mut self.threads[number].out);
        let job = &self.jobs[self.threads[number].job];
        let (first, receive) = (job.first_thread, job.layout.receive);
        for task in out.drain(..) {
            let job = &self.jobs[self.threads[number].job];
            let node = job.tasks.get(task).node;
            let to = first + node;
            if node == 0 {
                let thread = &mut self.threads[number];
                thread.operators[receive].take(task);
                thread.pass(receive);
                continue;
            }
            let epoch = self.threads[to as usize].epoch(receive, &job.layout);
            match self.model.overheads.dispatch_ns {
                0 => self.deliver(to, receive, epoch, |operator| operator.take(task)),
                ns => {
                    let due = Due::Dispatched { thread: to, task, epoch };
                    self.agenda.add(self.now.saturating_add(ns), due);
                }
            }
        }
        self.threads[number].out = out;
    }

    /// Word of completions leaves for the scheduler.
    fn tell(&mut self, number: usize) {
        let mut done = std::mem::take(&mut self.threads[number].done);
        let job = &self.jobs[self.threads[number].job];
        let epoch = self.threads[number].epoch(job.layout.complete, &job.layout);
        let local = self.threads[number].node == 0;
        for task in done.drain(..) {
            match self.model.overheads.complete_ns {
                ns if ns > 0 && !local => {
                    let due = Due::Done { thread: number as u32, task, epoch };
                    self.agenda.add(self.now.saturating_add(ns), due);
                }
                _ => self.done(number, task, epoch),
            }
        }
        self.threads[number].done = done;
    }

    /// A call leaves for the gateway.
    pub(crate) fn send(&mut self, number: usize, operator: usize, prepared: Prepared) {
        let thread = &self.threads[number];
        let job = &self.jobs[thread.job];
        let Some(Segment::Ask { members }) = job.layout.segment(operator) else { return };
        let Prepared { member, items, deadline_ns } = prepared;
        let stage = members[member].stage;
        let Ask::Call { endpoint, lane, .. } = members[member].ask else { return };
        let work = |item: &Item| {
            let demand = job.layout.demand(job.tasks.get(item.task).first + u64::from(item.row));
            demand.work.get(usize::from(stage)).cloned().unwrap_or_default()
        };
        let works: Arc<[Work]> = items.iter().map(work).collect();
        let request = Request {
            thread: number as u32,
            operator,
            epoch: thread.epoch(operator, &job.layout),
            member,
            items,
            job: thread.job,
            stage,
            endpoint,
            lane,
            works,
            sent_ns: self.now,
            deadline_ns,
        };
        self.gateway.call(request, self.now, &mut self.hosts[0], &mut self.agenda);
        self.arm_host(0);
    }

    /// Something comes for an operator, unless that was lost since it was sent.
    pub(crate) fn deliver(
        &mut self,
        number: u32,
        operator: usize,
        epoch: u32,
        give: impl FnOnce(&mut Operator),
    ) {
        let thread = &mut self.threads[number as usize];
        if thread.epoch(operator, &self.jobs[thread.job].layout) == epoch {
            give(&mut thread.operators[operator]);
            thread.rouse(operator);
            self.line_up(number);
        }
    }

    /// An answer comes to its caller, or falls away where that was lost.
    pub(crate) fn answered(&mut self, number: u32, op: usize, epoch: u32, answered: Answered) {
        let thread = &self.threads[number as usize];
        let job = &mut self.jobs[thread.job];
        if thread.epoch(op, &job.layout) == epoch {
            self.deliver(number, op, epoch, |operator| operator.answer(answered));
        } else if let Ok(tokens) = &answered.reply.result
            && let Some(failure) = thread.lost_by(epoch)
        {
            job.lost[failure].answer(tokens);
        }
    }

    /// Word of a task's end comes to its scheduler.
    pub(crate) fn done(&mut self, from: usize, task: u32, epoch: u32) {
        let thread = &self.threads[from];
        let job = &self.jobs[thread.job];
        if thread.epoch(job.layout.complete, &job.layout) == epoch {
            let (first, schedule) = (job.first_thread, job.layout.schedule);
            self.deliver(first, schedule, 0, |operator| operator.hear(task));
        }
    }
}

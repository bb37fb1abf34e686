//! Nodes that are lost, and come back.
//!
//! What a lost node held is lost with it: the scheduler gives the tasks back to its queue, with their
//! times of arrival; calls they had made end at their endpoints for nothing, since no journal is
//! modelled; words that were on their way to the scheduler are not heard, and such a task runs again.
//! The loss is known at once.
//!
//! The first node has the jobs' sources and schedulers too. The live engine ends a run that loses it;
//! here the job is paused until the node is back, its queue and what waits before the scheduler kept,
//! and a first node that never comes back is refused when the model is checked.

use crate::agenda::Due;
use crate::world::World;

impl World<'_, '_> {
    /// A node is lost.
    pub(crate) fn lose(&mut self, number: usize) {
        let failure = self.model.failures[number];
        self.failures_came[number] = true;
        if let Some(ns) = failure.for_ns {
            self.agenda.add(self.now.saturating_add(ns), Due::Back(failure.node));
        }
        for job in 0..self.jobs.len() {
            if (failure.node as usize) < self.jobs[job].layout.job.nodes {
                self.lose_thread(job, failure.node, number);
            }
        }
    }

    fn lose_thread(&mut self, job: usize, node: u32, failure: usize) {
        let first = self.jobs[job].first_thread;
        let number = (first + node) as usize;
        if let Some((burst, work_ns)) = self.threads[number].burst.take() {
            let host = self.threads[number].host;
            let left_ns = self.hosts[host].stop(self.now, burst);
            self.count_work(number, work_ns - left_ns);
            self.arm_host(host);
        }
        let state = &mut self.jobs[job];
        let schedule = state.layout.schedule;
        // Words that have come count, whether they were taken in or not.
        for task in self.threads[first as usize].operators[schedule].unheard() {
            state.coordinator.completed(task, self.now, &mut state.tasks);
        }
        let (lost, untold) = self.threads[number].lose(failure as u32, &state.layout);
        // The scheduler knows of all others.
        for task in lost.into_iter().filter(|task| !state.tasks.get(*task).scheduled) {
            state.coordinator.passes_again(task);
        }
        let ended = untold.into_iter().filter(|task| !state.tasks.get(*task).scheduled);
        for task in ended.collect::<Vec<_>>() {
            state.coordinator.completed(task, self.now, &mut state.tasks);
        }
        state.coordinator.lost(node, self.now, &mut state.tasks, &mut state.lost[failure]);
        self.threads[first as usize].rouse(schedule);
        self.line_up(first);
    }

    /// A node is there again, with nothing on it.
    pub(crate) fn regain(&mut self, node: u32) {
        for job in 0..self.jobs.len() {
            if node as usize >= self.jobs[job].layout.job.nodes {
                continue;
            }
            let state = &mut self.jobs[job];
            let (first, schedule) = (state.first_thread, state.layout.schedule);
            state.coordinator.back(node, self.now);
            self.threads[(first + node) as usize].down = false;
            self.threads[first as usize].rouse(schedule);
            self.line_up(first);
        }
    }
}

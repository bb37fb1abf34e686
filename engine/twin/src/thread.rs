//! `Thread`: one dataflow thread, which steps its active operators by number.
//!
//! The order is timely's. A step activates, in order, the operators that something had come for when
//! it began, and those that earlier ones of the same step sent something to; what is sent backwards
//! waits for the next step. So a decision waits at most for one turn of each operator, and a thread
//! that computes keeps all others of its operators waiting.

use crate::layout::Layout;
use crate::operators::{Operator, Slots};

/// One thread of one node.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) job: usize,
    pub(crate) node: u32,
    pub(crate) host: usize,
    pub(crate) speed: f64,
    pub(crate) operators: Vec<Operator>,
    pub(crate) slots: Slots,
    /// Counts losses of the node: messages to what was there before go nowhere.
    epoch: u32,
    /// By epoch that is over: the failure that ended it.
    losses: Vec<u32>,
    /// Whether the node is lost at present.
    pub(crate) down: bool,
    /// Operators still to be activated in this step, and in the next.
    current: u128,
    pub(crate) next: u128,
    /// The operator whose activation goes on.
    pub(crate) active: Option<usize>,
    /// Its burst on the host, and the work of it.
    pub(crate) burst: Option<(u64, f64)>,
    /// Whether it stands in line to be run.
    pub(crate) queued: bool,
    /// By operator: when the agenda rouses it.
    armed_ns: Vec<u64>,
    pub(crate) out: Vec<u32>,
    pub(crate) done: Vec<u32>,
    pub(crate) busy_ns: f64,
}

impl Thread {
    pub(crate) fn new(
        layout: &Layout<'_>,
        job: usize,
        node: u32,
        (host, speed): (usize, f64),
        seed: u64,
    ) -> Self {
        let operators = Operator::all(layout, node, seed);
        Thread {
            job,
            node,
            host,
            speed,
            slots: Slots::new(layout.job.slots),
            epoch: 0,
            losses: Vec::new(),
            down: false,
            current: 0,
            next: 0,
            active: None,
            burst: None,
            queued: false,
            armed_ns: vec![u64::MAX; operators.len()],
            operators,
            out: Vec::new(),
            done: Vec::new(),
            busy_ns: 0.0,
        }
    }

    /// What a message to an operator must carry to be heard. What coordinates the job outlives a
    /// loss of its node.
    pub(crate) fn epoch(&self, operator: usize, layout: &Layout<'_>) -> u32 {
        if layout.coordinates(operator) { 0 } else { self.epoch }
    }

    /// The failure by which those were lost that a message of this epoch is for.
    pub(crate) fn lost_by(&self, epoch: u32) -> Option<usize> {
        self.losses.get(epoch as usize).map(|failure| *failure as usize)
    }

    /// Whether it can be given something to do.
    pub(crate) fn is_free(&self) -> bool {
        !self.down && self.burst.is_none()
    }

    /// The next operator to be activated; begins the next step when this one is over.
    pub(crate) fn step(&mut self) -> Option<usize> {
        if self.current == 0 {
            self.current = std::mem::take(&mut self.next);
        }
        if self.current == 0 {
            return None;
        }
        let operator = self.current.trailing_zeros() as usize;
        self.current &= self.current - 1;
        Some(operator)
    }

    /// Something came for an operator from outside of the thread.
    pub(crate) fn rouse(&mut self, operator: usize) {
        self.next |= 1 << operator;
    }

    /// Operator `from` sent something to a later one, which is activated in the same step.
    pub(crate) fn pass(&mut self, operator: usize) {
        self.current |= 1 << operator;
    }

    /// An operator is activated: what the agenda had for it until now has been.
    pub(crate) fn disarm(&mut self, operator: usize, now: u64) {
        if self.armed_ns[operator] <= now {
            self.armed_ns[operator] = u64::MAX;
        }
    }

    /// An operator wants to look again at `at_ns`. Whether the agenda has to know: an earlier time
    /// serves as well.
    pub(crate) fn arm(&mut self, operator: usize, at_ns: u64) -> bool {
        let earlier = at_ns < self.armed_ns[operator];
        if earlier {
            self.armed_ns[operator] = at_ns;
        }
        earlier
    }

    /// The node is lost, with all its operators hold but those that coordinate. Gives the tasks that
    /// stood in line, and those whose end nobody was told of yet.
    pub(crate) fn lose(&mut self, failure: u32, layout: &Layout<'_>) -> (Vec<u32>, Vec<u32>) {
        self.down = true;
        self.epoch += 1;
        self.losses.push(failure);
        let coordinating = (1_u128 << (layout.schedule + 1)) - 1;
        self.next = (self.next | std::mem::take(&mut self.current)) & coordinating;
        if let Some(active) = self.active.take() {
            self.operators[active].interrupt();
            if layout.coordinates(active) {
                // What it had finished goes on; what it was at is begun anew.
                self.rouse(active);
                for task in self.out.drain(..) {
                    self.operators[active + 1].take(task);
                    self.next |= 1 << (active + 1);
                }
            }
        }
        let mut lost = std::mem::take(&mut self.out);
        for operator in layout.receive..=layout.complete {
            lost.extend(self.operators[operator].clear());
            self.armed_ns[operator] = u64::MAX;
        }
        self.slots = Slots::new(layout.job.slots);
        (lost, std::mem::take(&mut self.done))
    }
}

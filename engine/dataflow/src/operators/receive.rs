//! `receive`: the exchange behind the scheduling operator, and the slots. Tasks arrive at the chosen
//! worker and wait here, in order of arrival, until one of its slots is free.
//!
//! The scheduler sends a worker a task or two more than it has slots; they wait here and start
//! without a round trip when another ends. A task occupies its slot from here to `complete`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use sage_core::event::Kind;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::scheduling::Activator;

use super::{Held, Tasks};
use crate::context::Context;
use crate::task::Task;

/// The slots of one dataflow thread.
#[derive(Debug)]
pub(crate) struct Slots {
    free: Cell<usize>,
    /// Tasks let in so far.
    admitted: Cell<u64>,
    /// Rouses `receive` when a slot becomes free while tasks wait.
    waiting: RefCell<Option<Activator>>,
}

impl Slots {
    pub(crate) fn new(slots: usize) -> Self {
        Slots {
            free: Cell::new(slots.max(1)),
            admitted: Cell::default(),
            waiting: RefCell::default(),
        }
    }

    /// Whether no further task can come to an operator that `entered` tasks have come to until one
    /// of those behind `receive` has ended: no slot is free, and none is on its way.
    pub(crate) fn nobody_else_can_come(&self, entered: u64) -> bool {
        self.free.get() == 0 && self.admitted.get() == entered
    }

    fn take(&self) -> bool {
        let free = self.free.get();
        self.free.set(free.saturating_sub(1));
        free > 0
    }

    /// A task has ended.
    pub(crate) fn give_back(&self) {
        self.free.set(self.free.get() + 1);
        if let Some(receive) = self.waiting.borrow().as_ref() {
            receive.activate();
        }
    }
}

pub(crate) fn receive<'s>(tasks: Tasks<'s>, context: &Rc<Context>) -> Tasks<'s> {
    let context = Rc::clone(context);
    let scope = tasks.scope();
    let mut builder = OperatorBuilder::new("receive".into(), scope);
    let mut input = builder.new_input(tasks, Exchange::new(|task: &Task| task.peer));
    let (output, stream) = builder.new_output();
    let mut output = OutputBuilder::<_, CapacityContainerBuilder<Vec<Task>>>::from(output);
    let activator = scope.activator_for(builder.operator_info().address);
    context.slots.waiting.replace(Some(activator));
    builder.build(move |_| {
        // Bounded by the scheduler's window.
        let mut waiting: VecDeque<Task> = VecDeque::new();
        let mut held = Held::default();
        move |_| {
            input.for_each(|capability, tasks| {
                held.add(&capability, 0);
                for task in tasks.iter().filter(|task| task.scheduled) {
                    context.mark(Kind::Dispatched, task.id, task.records);
                }
                waiting.extend(tasks.drain(..));
            });
            let Some(capability) = held.get() else { return };
            let mut output = output.activate();
            let mut session = output.session(capability);
            // A task without records only passes through.
            while waiting.front().is_some_and(|task| !task.scheduled || context.slots.take()) {
                let Some(mut task) = waiting.pop_front() else { break };
                context.slots.admitted.set(context.slots.admitted.get() + 1);
                task.started_ns = context.mark(Kind::Started, task.id, task.records);
                session.give(task);
            }
            drop(session);
            if waiting.is_empty() {
                held.release();
            }
        }
    });
    stream
}

//! `schedule`: the scheduling operator. Tasks wait here, in one central queue on the first worker,
//! until the policy finds each a worker with room in its window.
//!
//! The decisions are those of `sage_core::schedule::Scheduler`, the same object the twin drives;
//! this operator gives it the clock, keeps the tasks' rows, and records each decision. Completions
//! come back on a feedback edge that is not connected to the output in the progress graph: there is
//! no cycle to track, and the loop ends because tasks do.

use std::rc::Rc;
use std::time::Duration;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::frontier::Antichain;
use timely::progress::operate::FrontierInterest;

use super::{Held, Tasks, Time};
use crate::context::Context;
use crate::dispatcher::Dispatcher;
use crate::task::{Done, Task};

pub(crate) use crate::dispatcher::SchedulerSettings;

pub(crate) fn schedule<'s>(
    tasks: Tasks<'s>,
    completions: StreamVec<'s, Time, Done>,
    context: &Rc<Context>,
    dispatcher: Option<Dispatcher>,
) -> Tasks<'s> {
    let context = Rc::clone(context);
    let scope = tasks.scope();
    let mut builder = OperatorBuilder::new("schedule".into(), scope);
    let mut arrivals = builder.new_input(tasks, Pipeline);
    let to_first = Exchange::new(|_: &Done| 0);
    let mut completions = builder.new_input_connection(completions, to_first, []);
    let identity = Antichain::from_elem(Default::default());
    let (output, dispatched) = builder.new_output_connection::<Vec<Task>, _>([(0, identity)]);
    let mut output = OutputBuilder::<_, CapacityContainerBuilder<Vec<Task>>>::from(output);
    builder.set_notify_for(1, FrontierInterest::Never);
    let address = builder.operator_info().address;
    if dispatcher.is_some() {
        context.intake.scheduler.replace(Some(scope.activator_for(Rc::clone(&address))));
    }
    let timer = scope.activator_for(address);
    builder.build(move |_| {
        let mut dispatcher = dispatcher;
        let mut held = Held::default();
        let mut armed_ns = u64::MAX;
        move |_| {
            let Some(dispatcher) = dispatcher.as_mut() else {
                // Only the first worker schedules; nothing arrives elsewhere.
                arrivals.for_each(|_, tasks| tasks.clear());
                completions.for_each(|_, done| done.clear());
                return;
            };
            completions.for_each(|_, done| {
                done.drain(..).for_each(|done| dispatcher.completed(&done));
            });
            arrivals.for_each(|capability, tasks| {
                held.add(&capability, 0);
                for mut task in tasks.drain(..) {
                    task.drop_columns(&context.plan.schedule.drops);
                    dispatcher.arrived(task);
                }
            });
            // Requests that are in are answered.
            if context.intake.draining.get() && !context.served {
                dispatcher.give_back();
            }
            if let Some(capability) = held.get() {
                let mut output = output.activate();
                let mut session = output.session(capability);
                while let Some(task) = dispatcher.next() {
                    session.give(task);
                }
            }
            if dispatcher.is_empty() {
                held.release();
            }
            dispatcher.tell_source();
            let now = context.clock.now_ns();
            if armed_ns <= now {
                armed_ns = u64::MAX;
            }
            if let Some(due) = dispatcher.next_wake_ns().filter(|due| *due < armed_ns) {
                armed_ns = due;
                let wait = Duration::from_nanos(due.saturating_sub(now) + 1);
                context.clock.rouse_after(&timer, wait);
            }
        }
    });
    dispatched
}

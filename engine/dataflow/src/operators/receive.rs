//! `receive`: the exchange behind the scheduling operator. Tasks arrive at the chosen worker.

use std::rc::Rc;

use sage_core::event::Kind;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

use super::Tasks;
use crate::context::Context;
use crate::task::Task;

pub(crate) fn receive<'s>(tasks: Tasks<'s>, context: &Rc<Context>) -> Tasks<'s> {
    let context = Rc::clone(context);
    tasks.unary(Exchange::new(|task: &Task| task.peer), "receive", move |_, _| {
        move |input, output| {
            input.for_each(|capability, tasks| {
                for task in tasks.iter().filter(|task| task.scheduled) {
                    context.mark(Kind::Dispatched, task.id, task.records);
                }
                output.session(&capability).give_container(tasks);
            });
        }
    })
}

//! `reply`: what became of a request travels to the first worker, which has the connections.
//!
//! It leaves with the task, whatever the commit of its other rows still needs: a client waits for
//! its own record and for no disk.

use std::rc::Rc;

use sage_core::service::{Failure, Reply};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

use super::Time;
use crate::context::Context;
use crate::task::{Dead, Replied, Task};

/// What is said of a record that has ended on this worker.
pub(crate) fn reply_of(task: &Task, context: &Context) -> Replied {
    let (count, lines) = context.outlets.borrow_mut().take_reply();
    let reply = match task.dead.first() {
        Some(dead) => failed(dead),
        None if count == 0 => Reply::Nothing,
        None => Reply::Rows { count, lines },
    };
    Replied { task: task.id, reply }
}

/// What is said of a record that failed.
pub(crate) fn failed(dead: &Dead) -> Reply {
    Reply::Failed(Failure {
        stage: dead.stage.clone(),
        class: dead.class.clone(),
        status: dead.status,
        message: dead.message.clone(),
    })
}

pub(crate) fn reply(replies: StreamVec<'_, Time, Replied>, context: &Rc<Context>) {
    let context = Rc::clone(context);
    replies.sink(Exchange::new(|_: &Replied| 0), "reply", move |(input, _)| {
        input.for_each(|_, replies| {
            let Some(service) = &context.service else { return replies.clear() };
            replies.drain(..).for_each(|replied| service.answer(replied.task, replied.reply));
        });
    });
}

//! `print`: rows for the standard output travel to the first worker, which writes whole lines.

use std::io::Write;
use std::rc::Rc;

use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

use super::Time;
use crate::context::Context;
use crate::error::DataflowError;
use crate::task::Printed;

pub(crate) fn print(lines: StreamVec<'_, Time, Printed>, context: &Rc<Context>) {
    let context = Rc::clone(context);
    lines.sink(Exchange::new(|_: &Printed| 0), "print", move |(input, _)| {
        input.for_each(|_, lines| {
            let mut stdout = std::io::stdout().lock();
            for printed in lines.drain(..) {
                let written = stdout.write_all(&printed.text).and_then(|()| stdout.flush());
                if let Err(reason) = written {
                    let path = "standard output".into();
                    context.fail(DataflowError::File { action: "write", path, reason });
                }
            }
        });
    });
}

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
            lines.drain(..).for_each(|printed| context.print(&printed.text));
        });
    });
}

impl Context {
    /// Write whole lines to the standard output.
    fn print(&self, text: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        if let Err(reason) = stdout.write_all(text).and_then(|()| stdout.flush()) {
            let path = "standard output".into();
            self.fail(DataflowError::File { action: "write", path, reason });
        }
    }

    /// Write what is gathered for the standard output; only the first worker may.
    pub(crate) fn print_results(&self) {
        let printed: Vec<(usize, Vec<u8>)> = self.outlets.borrow_mut().take_printed().collect();
        printed.iter().for_each(|(_, text)| self.print(text));
    }
}

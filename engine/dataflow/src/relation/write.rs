//! Rows that the steps send go to their sinks, once nothing can change them any more.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use sage_core::text::fnv1a;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

use super::packed::Packed;
use super::steps::{Changing, Round};
use crate::context::Context;

/// Write what is left of `rows` at the end.
pub(super) fn write_final(rows: Changing<'_>, sink: usize, context: &Rc<Context>) {
    let context = Rc::clone(context);
    let here = rows.inner.scope().index() as u64;
    let (printed, counted) = {
        let outlets = context.outlets.borrow();
        (outlets.is_printed(sink), outlets.is_counted(sink))
    };
    // Only the first worker writes to the standard output, and equal rows that are counted meet on
    // one; all others stay where they are.
    let place = Exchange::new(move |(row, ..): &(Packed, Round, isize)| match (printed, counted) {
        (true, _) => 0,
        (false, true) => fnv1a(&row.0),
        (false, false) => here,
    });
    let mut state: FxHashMap<Packed, isize> = FxHashMap::default();
    rows.inner.sink(place, "write", move |(input, frontier)| {
        input.for_each(|_, changes| {
            for (row, _, count) in changes.drain(..) {
                *state.entry(row).or_default() += count;
            }
        });
        if frontier.is_empty() && !state.is_empty() {
            let mut rows: Vec<(Packed, isize)> = state.drain().collect();
            // So that the same rows give the same file.
            rows.sort_unstable();
            if context.failure.borrow().is_some() {
                return;
            }
            for (row, count) in rows {
                let count = u64::try_from(count).unwrap_or(0);
                context.outlets.borrow_mut().write_result(sink, &row.0, count);
            }
            if printed {
                context.print_results();
            }
        }
    });
}

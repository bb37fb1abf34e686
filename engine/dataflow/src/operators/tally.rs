//! `tally`: at the end of the run, equal rows of all workers meet on one of them and their counts
//! are added.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use sage_core::text::fnv1a;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

use super::Time;
use crate::context::Context;
use crate::task::Counted;

pub(crate) fn tally(counts: StreamVec<'_, Time, Counted>, context: &Rc<Context>) {
    let context = Rc::clone(context);
    let mut totals: FxHashMap<(u32, Vec<u8>), u64> = FxHashMap::default();
    let by_row = Exchange::new(|counted: &Counted| fnv1a(&counted.row));
    counts.sink(by_row, "tally", move |(input, frontier)| {
        input.for_each(|_, counts| {
            for counted in counts.drain(..) {
                *totals.entry((counted.sink, counted.row)).or_default() += counted.count;
            }
        });
        if frontier.is_empty() {
            // Sorted, so that the same counts give the same file.
            let mut rows: Vec<_> = totals.drain().collect();
            rows.sort_unstable();
            for ((sink, row), count) in rows {
                context.outlets.borrow_mut().write_counted(sink as usize, &row, count);
            }
        }
    });
}

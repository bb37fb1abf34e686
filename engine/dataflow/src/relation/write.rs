//! Rows that the steps send go to their sinks: what is left once nothing can change it any more, or
//! every change as soon as its round is complete.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::rc::Rc;

use differential_dataflow::{ExchangeData, VecCollection};
use rustc_hash::FxHashMap;
use sage_core::record::{Datum, pack};
use sage_core::text::fnv1a;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

use super::failed::{Failed, FailedRows, Place};
use super::packed::Packed;
use super::steps::{Changing, Round};
use crate::context::Context;

/// The round in which the first contributions come (see [`super::feed`]).
const FIRST: Round = 1;

/// The worker that writes a row of the steps, by its number modulo that of the workers: as [`home`]
/// says, and all rows of a sink that are of use in their order only one, [`sole_writer`].
pub(crate) fn writer_of(in_order: bool, sink: usize, row: &[u8]) -> u64 {
    if in_order { sole_writer(sink) } else { home(row, false) }
}

/// The worker that alone writes to a sink, as [`writer_of`] gives it. Not that of all sinks the first,
/// which has the source and the scheduler besides.
pub(crate) fn sole_writer(sink: usize) -> u64 {
    sink as u64 + 1
}

/// The worker that writes a row that is left. What comes of a row and what takes it back may be on two
/// workers (in a left join they are), so equal rows meet on one; only the first writes to the standard
/// output.
fn home(row: &[u8], printed: bool) -> u64 {
    if printed { 0 } else { fnv1a(row) }
}

/// Write every change of `rows`, with 1 or -1 in a last column: a round at a time, what goes first,
/// and each of the two in order. All changes together are what is left at the end.
///
/// One worker writes all changes of a sink, so that whoever applies them from the top has at the end
/// of each round what was true then. The parts of several workers could only be put behind each other:
/// a row would go before it has come.
pub(super) fn write_changes(rows: Changing<'_>, sink: usize, context: &Rc<Context>) {
    let context = Rc::clone(context);
    let printed = context.outlets.borrow().is_printed(sink);
    let plan = context.plan.sinks.get(sink).filter(|_| !printed);
    let writer = plan.map_or(0, |_| sole_writer(sink));
    let place = Exchange::new(move |_: &(Packed, Round, isize)| writer);
    let mut rounds: BTreeMap<Round, FxHashMap<Packed, isize>> = BTreeMap::new();
    // The first round has all that was committed before; what of that was told is not told again.
    let told = context.outlets.borrow_mut().take_told(sink);
    if !told.is_empty() {
        rounds.insert(FIRST, told.into_iter().map(|(row, count)| (row, -count)).collect());
    }
    rows.inner.sink(place, "write changes", move |(input, frontier)| {
        input.for_each(|_, changes| {
            for (row, round, count) in changes.drain(..) {
                *rounds.entry(round).or_default().entry(row).or_default() += count;
            }
        });
        let complete = |round: &Round| !frontier.less_equal(round);
        let mut written = false;
        while let Some(entry) = rounds.first_entry().filter(|entry| complete(entry.key())) {
            let mut changes: Vec<(isize, Packed)> =
                entry.remove().into_iter().map(|(row, count)| (count, row)).collect();
            changes.retain(|(count, _)| *count != 0);
            changes.sort_unstable();
            if context.failure.borrow().is_some() {
                continue;
            }
            for (count, row) in changes {
                context.outlets.borrow_mut().tell(sink, &row.0, count);
                let mut row = row.0.to_vec();
                pack(&mut row, Datum::Int(count.signum() as i64));
                let times = count.unsigned_abs() as u64;
                context.outlets.borrow_mut().write_result(sink, &row, times);
                written = true;
            }
            if printed {
                context.print_results();
            }
        }
        if written {
            // This worker may have no task whose end would do it.
            context.settle();
        }
    });
}

/// Write what is left of `rows` at the end.
pub(super) fn write_final(rows: Changing<'_>, sink: usize, context: &Rc<Context>) {
    let printed = context.outlets.borrow().is_printed(sink);
    let in_order = context.outlets.borrow().in_order(sink);
    let home = move |row: &Packed| {
        if in_order { sole_writer(sink) } else { home(&row.0, printed) }
    };
    let told = context.outlets.borrow_mut().take_told(sink);
    at_end(rows, told, home, context, move |rows, context| {
        for (row, count) in rows {
            let mut outlets = context.outlets.borrow_mut();
            outlets.tell(sink, &row.0, count);
            outlets.write_result(sink, &row.0, u64::try_from(count).unwrap_or(0));
        }
        if printed {
            context.print_results();
        }
    });
}

/// Bury what has failed and not been taken back at the end.
pub(super) fn write_failed(rows: FailedRows<'_>, places: Vec<Place>, context: &Rc<Context>) {
    let home = |failed: &Failed| home(&failed.row.0, false);
    at_end(rows, FxHashMap::default(), home, context, move |rows, context| {
        for (failed, count) in rows {
            let Some(place) = places.get(failed.place as usize) else { continue };
            (0..count).for_each(|_| context.outlets.borrow_mut().bury_result(place, &failed));
        }
    });
}

/// Equal rows meet on the worker that `home` says; there `write` is given what is left at the end, less
/// what it was given before, in order, so that the same rows give the same file.
fn at_end<D: ExchangeData + Hash>(
    rows: VecCollection<'_, Round, D, isize>,
    before: FxHashMap<D, isize>,
    home: impl Fn(&D) -> u64 + 'static,
    context: &Rc<Context>,
    write: impl Fn(Vec<(D, isize)>, &Context) + 'static,
) {
    let context = Rc::clone(context);
    let place = Exchange::new(move |(row, ..): &(D, Round, isize)| home(row));
    let mut state: FxHashMap<D, isize> =
        before.into_iter().map(|(row, count)| (row, -count)).collect();
    rows.inner.sink(place, "write", move |(input, frontier)| {
        input.for_each(|_, changes| {
            for (row, _, count) in changes.drain(..) {
                *state.entry(row).or_default() += count;
            }
        });
        if frontier.is_empty() && !state.is_empty() {
            let mut rows: Vec<(D, isize)> =
                state.drain().filter(|(_, count)| *count != 0).collect();
            rows.sort_unstable();
            if context.failure.borrow().is_none() {
                write(rows, &context);
            }
        }
    });
}

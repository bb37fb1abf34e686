//! One row of those with one key: the first of the source, or the last version.

use sage_core::expr::Program;
use sage_core::record::{Datum, Items};
use sage_dsl::plan::LatestPlan;

use super::failed::{Evaluator, Failures};
use super::packed::Packed;
use super::steps::Changing;

/// Where a row stood in the source: numbers of its task and record; the same for all without them.
fn place(row: &Packed, order: Option<usize>) -> (i64, i64) {
    let number = |at: usize| Items::new(&row.0).get(at).as_int().unwrap_or(0);
    order.map_or((0, 0), |at| (number(at), number(at + 1)))
}

/// Of the rows with one key the first of the source.
pub(super) fn first<'s>(
    rows: Changing<'s>,
    keys: Vec<Program>,
    order: Option<usize>,
    mut with: Evaluator,
    failures: &mut Failures<'s>,
) -> Changing<'s> {
    let keyed = failures.part(rows.map(move |row| {
        let mut key = Vec::new();
        with.pack(&row, &keys, &mut key).map(|()| (Packed::from(key), row))
    }));
    let picked = keyed.reduce_named::<_, Packed, isize>("dedup", move |_, rows, out| {
        let there = rows.iter().filter(|(_, count)| *count > 0).map(|(row, _)| *row);
        let first =
            there.min_by(|a, b| place(a, order).cmp(&place(b, order)).then_with(|| a.cmp(b)));
        out.extend(first.map(|row| (row.clone(), 1)));
    });
    picked.map(|(_, row)| row)
}

/// Of the versions with one key the last, unless that is a deletion.
pub(super) fn latest<'s>(rows: Changing<'s>, plan: &LatestPlan) -> Changing<'s> {
    let LatestPlan { key, present, order, .. } = *plan;
    let keyed = rows.map(move |row| {
        let mut packed = Vec::new();
        sage_core::record::pack(&mut packed, Items::new(&row.0).get(key));
        (Packed::from(packed), row)
    });
    let picked = keyed.reduce_named::<_, Packed, isize>("latest", move |_, rows, out| {
        let there = rows.iter().filter(|(_, count)| *count > 0).map(|(row, _)| *row);
        let last = there.max_by_key(|row| place(row, Some(order)));
        let last = last.filter(|row| Items::new(&row.0).get(present) == Datum::Bool(true));
        out.extend(last.map(|row| (row.clone(), 1)));
    });
    picked.map(|(_, row)| row)
}

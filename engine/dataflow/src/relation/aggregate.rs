//! What is computed of the rows of one group.
//!
//! A group is computed anew from all of its rows when one of them changes. Its rows come in the order
//! of their bytes, so that even sums of floats are the same however the rows were spread.

use std::cmp::Reverse;

use sage_core::record::{Datum, pack, pack_list};
use sage_dsl::plan::{Aggregate, AggregatePlan};
use sage_dsl::types::{Type, Value};

/// One row of a group, as an aggregate sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell<'a> {
    pub(super) value: Datum<'a>,
    pub(super) by: Datum<'a>,
    /// Numbers of task and record.
    pub(super) order: (i64, i64),
    /// How many equal rows.
    pub(super) count: u64,
}

/// Append the value of an aggregate, of type `ty`, over the rows of a group.
pub(super) fn compute<'a>(
    plan: &AggregatePlan,
    ty: &Type,
    rows: impl Iterator<Item = Cell<'a>>,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    if plan.aggregate == Aggregate::Count && plan.value.is_none() {
        pack(out, int(rows.map(|row| i128::from(row.count)).sum())?);
        return Ok(());
    }
    let mut cells: Vec<Cell<'_>> = rows.filter(|row| row.value != Datum::Null).collect();
    match plan.aggregate {
        Aggregate::Count => {
            let true_ones = cells.iter().filter(|row| row.value == Datum::Bool(true));
            pack(out, int(true_ones.map(|row| i128::from(row.count)).sum())?);
        }
        Aggregate::Sum => pack(out, sum(&cells)?),
        Aggregate::Avg => pack(out, average(&cells, ty)?),
        Aggregate::Min => {
            pack(out, cells.iter().map(|row| row.value).min().unwrap_or(Datum::Null));
        }
        Aggregate::Max => {
            pack(out, cells.iter().map(|row| row.value).max().unwrap_or(Datum::Null));
        }
        Aggregate::Quantile => {
            let share = plan.parameter.as_ref().and_then(Value::as_float).unwrap_or(0.5);
            pack(out, quantile(&mut cells, share));
        }
        Aggregate::TopK => {
            let k = plan.parameter.as_ref().and_then(Value::as_int).unwrap_or(1);
            let k = usize::try_from(k).unwrap_or(1);
            if plan.by.is_some() {
                cells.sort_by_key(|row| Reverse((row.by, row.value)));
            } else {
                cells.sort_by_key(|row| Reverse(row.value));
            }
            list(out, repeated(&cells).take(k));
        }
        Aggregate::Collect => {
            cells.sort_by_key(|row| (row.order, row.value));
            list(out, repeated(&cells));
        }
        Aggregate::Distinct => list(out, distinct(&mut cells)),
        Aggregate::CountDistinct => {
            let different = distinct(&mut cells).count();
            pack(out, int(different as i128)?);
        }
    }
    Ok(())
}

fn list<'a>(out: &mut Vec<u8>, values: impl Iterator<Item = Datum<'a>>) {
    pack_list(out, |out| values.for_each(|value| pack(out, value)));
}

/// Each value as often as it is there.
fn repeated<'a>(cells: &[Cell<'a>]) -> impl Iterator<Item = Datum<'a>> {
    cells.iter().flat_map(|row| {
        std::iter::repeat_n(row.value, usize::try_from(row.count).unwrap_or(usize::MAX))
    })
}

fn distinct<'a>(cells: &mut Vec<Cell<'a>>) -> impl Iterator<Item = Datum<'a>> {
    cells.sort_by_key(|row| row.value);
    cells.dedup_by_key(|row| row.value);
    cells.iter().map(|row| row.value)
}

fn int(total: i128) -> Result<Datum<'static>, String> {
    i64::try_from(total).map(Datum::Int).map_err(|_| format!("{total} is too large for an int"))
}

/// Integers exactly, floats as they come.
enum Total {
    Nothing,
    Ints(i128),
    Floats(f64),
}

fn total(cells: &[Cell<'_>]) -> Total {
    cells.iter().fold(Total::Nothing, |total, row| match (total, row.value) {
        (Total::Nothing, Datum::Int(n)) => Total::Ints(i128::from(n) * i128::from(row.count)),
        (Total::Ints(all), Datum::Int(n)) => {
            Total::Ints(all + i128::from(n) * i128::from(row.count))
        }
        (total, value) => {
            let before = match total {
                Total::Nothing => 0.0,
                Total::Ints(all) => all as f64,
                Total::Floats(all) => all,
            };
            Total::Floats(before + value.as_float().unwrap_or(0.0) * row.count as f64)
        }
    })
}

fn sum(cells: &[Cell<'_>]) -> Result<Datum<'static>, String> {
    match total(cells) {
        Total::Nothing => Ok(Datum::Null),
        Total::Ints(all) => int(all),
        Total::Floats(all) => Ok(Datum::Float(all)),
    }
}

fn average(cells: &[Cell<'_>], ty: &Type) -> Result<Datum<'static>, String> {
    let ty = if let Type::Optional(inner) = ty { inner } else { ty };
    let count: i128 = cells.iter().map(|row| i128::from(row.count)).sum();
    match total(cells) {
        Total::Nothing => Ok(Datum::Null),
        // Nanoseconds stay whole.
        Total::Ints(all) if *ty == Type::Duration => int(all / count.max(1)),
        Total::Ints(all) => Ok(Datum::Float(all as f64 / count as f64)),
        Total::Floats(all) => Ok(Datum::Float(all / count as f64)),
    }
}

/// The smallest value that at least this share of all does not exceed.
fn quantile<'a>(cells: &mut [Cell<'a>], share: f64) -> Datum<'a> {
    cells.sort_by_key(|row| row.value);
    let all: u64 = cells.iter().map(|row| row.count).sum();
    // `0.07 * 100` is a little more than 7.
    let rank = (share * all as f64 - 1e-9).ceil().max(1.0) as u64;
    let mut passed = 0;
    for row in cells.iter() {
        passed += row.count;
        if passed >= rank {
            return row.value;
        }
    }
    cells.last().map_or(Datum::Null, |row| row.value)
}

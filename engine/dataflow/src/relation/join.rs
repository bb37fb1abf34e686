//! Rows beside others: elements of a list, and records of another source.

use std::collections::BTreeMap;

use sage_core::expr::Program;
use sage_core::record::{Datum, Items, pack, pack_record};
use sage_dsl::plan::SourcePlan;

use super::failed::{Evaluator, Failures};
use super::packed::Packed;
use super::steps::Changing;
use crate::error::DataflowError;
use crate::sources::{Batch, open};

/// Rows that are read at a time.
const ROWS: usize = 1_024;

/// The records of a source that is joined. A row that is none ends the run: whoever it belongs to
/// would go without it unnoticed.
pub(super) fn records(plan: &SourcePlan) -> Result<Vec<Packed>, DataflowError> {
    let mut source = open(plan)?;
    let mut rows: Vec<Packed> = Vec::new();
    let mut more = true;
    while more {
        let mut batch = Batch::default();
        more = source.read(&mut batch, ROWS)?;
        if let Some(bad) = batch.bad.first() {
            let message = format!("{}: {} (in a source that is joined)", bad.place, bad.reason);
            return Err(DataflowError::Source {
                name: plan.name.clone(),
                line: plan.line,
                message,
            });
        }
        rows.extend(batch.rows.iter().map(|row| Packed(row.into())));
    }
    let (Some(changes), Some(key)) = (plan.changes, plan.key) else { return Ok(rows) };
    // Of versions the last one counts.
    let mut last: BTreeMap<Vec<u8>, Packed> = BTreeMap::new();
    for row in rows {
        let mut packed = Vec::new();
        pack(&mut packed, Items::new(&row.0).get(key));
        if Items::new(&row.0).get(changes) == Datum::Str("delete") {
            last.remove(&packed);
        } else {
            last.insert(packed, row);
        }
    }
    Ok(last.into_values().collect())
}

/// A row for each record whose field equals the key of the row, with the record behind it.
pub(super) fn joined<'s>(
    rows: Changing<'s>,
    records: Changing<'s>,
    on: Program,
    (field, left): (usize, bool),
    mut with: Evaluator,
    failures: &mut Failures<'s>,
) -> Changing<'s> {
    let on = [on];
    let keyed = failures.part(rows.map(move |row| {
        let mut key = Vec::new();
        with.pack(&row, &on, &mut key).map(|()| (Packed::from(key), row))
    }));
    // What is null equals nothing.
    let records = records.flat_map(move |record| {
        let value = Items::new(&record.0).get(field);
        let mut key = Vec::new();
        pack(&mut key, value);
        (value != Datum::Null).then(|| (Packed::from(key), record))
    });
    let beside = |row: &Packed, fill: &dyn Fn(&mut Vec<u8>)| {
        let mut out = row.0.to_vec();
        fill(&mut out);
        Packed::from(out)
    };
    let both = keyed.clone().join_map(records.clone(), move |_, row, record| {
        beside(row, &|out| pack_record(out, |out| out.extend_from_slice(&record.0)))
    });
    if !left {
        return both;
    }
    let known = records.map(|(key, _)| key).distinct();
    let alone = keyed.antijoin(known);
    both.concat(alone.map(move |(_, row)| beside(&row, &|out| pack(out, Datum::Null))))
}

/// A row for each element of a list, with the element behind it.
pub(super) fn flattened<'s>(
    rows: Changing<'s>,
    list: Program,
    mut with: Evaluator,
    failures: &mut Failures<'s>,
) -> Changing<'s> {
    let list = [list];
    failures.part(rows.flat_map(move |row| {
        let mut packed = Vec::new();
        if let Err(failed) = with.pack(&row, &list, &mut packed) {
            return vec![Err(failed)];
        }
        // A list that is null has no elements.
        let items = Items::new(&packed).get(0).items();
        let element = |item| {
            let mut out = row.0.to_vec();
            pack(&mut out, item);
            Ok(Packed::from(out))
        };
        items.map(element).collect()
    }))
}

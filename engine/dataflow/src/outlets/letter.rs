//! Dead letters: what failed for good, as lines of JSON.
//!
//! What others said of it may have secrets in it, which are masked; the record itself is data.

use sage_core::record::{Datum, Items, write_json, write_json_object};
use sage_core::secrets::Mask;
use sage_dsl::plan::Plan;
use sage_dsl::types::{RecordType, Type};
use serde::Serialize;

use crate::relation::{Failed, Place};
use crate::task::{Dead, EXPRESSION};

/// A dead letter, as a line of the file.
#[derive(Serialize)]
struct Letter<'a> {
    task: Option<u64>,
    stage: &'a str,
    class: &'a str,
    attempts: u16,
    /// HTTP status, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<&'a str>,
}

/// What of a record its letter shows: not what was left behind in the source, which would be a null
/// where the record has a value.
pub(super) struct Shown {
    record: RecordType,
    left_behind: Vec<usize>,
    /// Position and type of its identity.
    key: Option<(usize, Type)>,
}

impl Shown {
    /// Of the records of a plan; `None` without a source.
    pub(super) fn of(plan: &Plan) -> Option<Self> {
        let mut record = plan.given()?;
        let expand = plan.source().and_then(|source| source.expand.as_ref());
        let left_behind = expand.map_or_else(Vec::new, |expand| expand.drops.clone());
        let key = record.fields.iter().enumerate().find(|(_, field)| field.key);
        let key = key.map(|(at, field)| (at, field.ty.clone()));
        let mut at = 0..;
        record.fields.retain(|_| at.next().is_some_and(|at| !left_behind.contains(&at)));
        Some(Shown { record, left_behind, key })
    }
}

/// The line of a failed record.
pub(super) fn of_record(task: u64, dead: &Dead, shown: &Shown, mask: &Mask) -> Vec<u8> {
    let message = mask.hide(&dead.message);
    let letter = Letter {
        task: Some(task),
        stage: &dead.stage,
        class: &dead.class,
        attempts: dead.attempts,
        status: dead.status,
        message: &message,
        place: None,
        row: None,
    };
    let mut line = json(&letter);
    line.pop();
    // The identity of the record, where it has one.
    if let Some((at, ty)) = &shown.key {
        line.extend_from_slice(b",\"key\":");
        write_json(&mut line, ty, Items::new(&dead.row).get(*at));
    }
    line.extend_from_slice(b",\"record\":");
    let values = Items::new(&dead.row).enumerate();
    let values = values.filter(|(at, _)| !shown.left_behind.contains(at)).map(|(_, value)| value);
    write_json_object(&mut line, &shown.record, values);
    line.extend_from_slice(b"}\n");
    line
}

/// The line of a row that is no record.
pub(super) fn of_row(place: &str, row: &str, why: &str, mask: &Mask) -> Vec<u8> {
    let [place, row, why] = [place, row, why].map(|text| mask.hide(text));
    let letter = Letter {
        task: None,
        stage: "source",
        class: "bad_row",
        attempts: 0,
        status: None,
        message: &why,
        place: Some(&place),
        row: Some(&row),
    };
    let mut line = json(&letter);
    line.push(b'\n');
    line
}

/// The line of a request that was lost with the process that had it, and its record with it.
pub(crate) fn lost_letter(task: u64) -> Vec<u8> {
    // As the keys of requests that have none count: tasks do so from 0, requests from 1.
    let place = format!("request {}", task.saturating_add(1));
    let letter = Letter {
        task: Some(task),
        stage: "source",
        class: "lost",
        attempts: 0,
        status: None,
        message: "a worker was lost, or the service was ended at once, before it was settled",
        place: Some(&place),
        row: None,
    };
    let mut line = json(&letter);
    line.push(b'\n');
    line
}

/// The line of a row of the steps over all records, with the columns that it had there.
pub(super) fn of_result(place: &Place, failed: &Failed, mask: &Mask) -> Vec<u8> {
    let message = mask.hide(&failed.message);
    let letter = Letter {
        task: None,
        stage: &place.stage,
        class: EXPRESSION,
        attempts: 1,
        status: None,
        message: &message,
        place: Some(&place.text),
        row: None,
    };
    let mut line = json(&letter);
    line.pop();
    line.extend_from_slice(b",\"columns\":{");
    let columns = place.columns.iter().zip(Items::new(&failed.row.0));
    let shown = columns.filter_map(|(column, value)| Some((column.as_ref()?, value)));
    for (at, (column, value)) in shown.enumerate() {
        if at > 0 {
            line.push(b',');
        }
        write_json(&mut line, &Type::String, Datum::Str(&column.name));
        line.push(b':');
        write_json(&mut line, &column.ty, value);
    }
    line.extend_from_slice(b"}}\n");
    line
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a struct of texts and numbers is JSON")
}

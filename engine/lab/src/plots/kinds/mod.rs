//! The kinds of plots, one a file.

mod admission;
mod bars;
mod distribution;
mod latency;
mod nodes;
mod overhead;
mod split;
mod throughput;
mod tradeoff;
mod versus;

use super::Tasks;
use super::data::Data;
use super::model::{Beads, Mark, Picture};
use super::style::{FAINT, GUIDE, INK, LOOKS, Look, series as look_of};
use crate::LabError;

/// A kind of plot.
pub(super) struct Kind {
    /// The pictures of it that the data allow, maybe none.
    pub(super) pictures: fn(&Data<'_>, Tasks<'_>) -> Result<Vec<Picture>, LabError>,
}

/// All kinds, in the order of a report.
pub(super) const KINDS: &[Kind] = &[
    throughput::KIND,
    latency::KIND,
    tradeoff::KIND,
    versus::KIND,
    split::KIND,
    nodes::KIND,
    overhead::KIND,
    admission::KIND,
    distribution::KIND,
];

/// Whiskers and lines over what has a colour already.
const INK_LOOK: Look = Look { color: INK, ..GUIDE };
/// A bar where there is but one kind of it.
const BAR: Look = look_of(6);
/// From the first to the last mark of a row.
const RANGE: Look = Look { dash: None, ..GUIDE };

/// Marks of a line with very many points; each series has them at other places.
fn beads(number: usize) -> Beads {
    Beads::Some { count: 4, phase: (0.5 + number as f64 / LOOKS as f64) % 1.0 }
}

/// Between points that follow each other but are no series over time.
const PATH: Look = Look { color: FAINT, ..RANGE };

/// Words in the place of a mark at `row`.
fn words(row: f64, text: &str) -> Mark {
    Mark::Words { row, text: text.to_owned(), right: false }
}

/// What to say of series that had no room.
fn left_out(count: usize) -> Option<String> {
    (count > 0).then(|| {
        format!(
            "{count} more are not drawn: baseline, highest and lowest are; the tables have all."
        )
    })
}

//! Plots of results: pictures for a paper and for the report, each as PNG and SVG.
//!
//! ```text
//! Results -> kinds (what is drawn: throughput, latency, ...) -> Picture -> paint (where) -> sheet
//! ```
//!
//! A kind looks at the dimensions and columns that are there and makes no picture where it has
//! nothing to show. A value that was not measured has no mark; it is never drawn as zero.
//!
//! Plotters brings the coordinates, the elements and the SVG; the bitmap and the layout are our
//! own, because its bitmap backend has no smooth lines and its legends cover data.

mod curves;
mod data;
mod fit;
mod font;
mod kinds;
mod model;
mod notes;
mod paint;
mod rows;
mod sheet;
mod style;
mod tasks;
mod ticks;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::LabError;
use crate::files;
use crate::results::Results;
use data::Data;

pub(crate) use sheet::escape;

/// Gives the `tasks.csv` of a run by its folder as in [`Row::folders`](crate::results::Row), or
/// `None` where there is none.
pub type Tasks<'t> = &'t dyn Fn(&str) -> Option<PathBuf>;

/// Draw every plot that makes sense for `results` into `folder`, as `NAME.png` and `NAME.svg`.
/// Gives the names in the order of a report; the same results give the same bytes.
///
/// # Errors
/// A file that cannot be read or written, a `tasks.csv` that is none, or a picture that is too
/// large to draw.
pub fn draw(results: &Results, tasks: Tasks<'_>, folder: &Path) -> Result<Vec<String>, LabError> {
    fs::create_dir_all(folder).map_err(LabError::file("create", folder))?;
    let data = Data::of(results);
    let mut names: Vec<String> = Vec::new();
    let mut taken = BTreeSet::new();
    for kind in kinds::KINDS {
        for mut picture in (kind.pictures)(&data, tasks)? {
            // Two labels may be the same as file names.
            let name = picture.name.clone();
            let mut number = 2;
            while !taken.insert(picture.name.clone()) {
                picture.name = format!("{name}-{number}");
                number += 1;
            }
            let files = paint::paint(&picture)
                .map_err(|reason| LabError::Picture { picture: picture.name.clone(), reason })?;
            files::write(&folder.join(format!("{}.svg", picture.name)), files.svg.as_bytes())?;
            files::write(&folder.join(format!("{}.png", picture.name)), &files.png)?;
            names.push(picture.name);
        }
    }
    Ok(names)
}

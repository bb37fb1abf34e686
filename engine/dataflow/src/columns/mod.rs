//! Parquet files, behind the feature `parquet`: rows from columns, and columns from rows.
//!
//! A Parquet file holds each leaf of a record as a column of its own, with two small numbers beside
//! each value: how much of its path is there (definition level), and which list it goes on with
//! (repetition level). [`shape`] finds for a declared type where its leaves are in a file,
//! [`reader`] puts rows together from a few records of each column at a time, and [`writer`] takes
//! rows apart. The crate `parquet` is used without Arrow: its arrays would only stand between its
//! columns and our rows, and are most of what there is to build.

#[cfg(feature = "parquet")]
mod column;
#[cfg(feature = "parquet")]
mod folder;
#[cfg(all(any(test, feature = "fuzzing"), feature = "parquet"))]
pub(crate) mod fuzzing;
#[cfg(feature = "parquet")]
mod meaning;
#[cfg(feature = "parquet")]
mod reader;
#[cfg(feature = "parquet")]
mod shape;
#[cfg(feature = "parquet")]
mod shred;
#[cfg(all(test, feature = "parquet"))]
mod tests;
#[cfg(feature = "parquet")]
mod writer;

/// Name of source and sink.
pub(crate) const KIND: &str = "parquet";

/// In a program without the feature.
#[cfg(not(feature = "parquet"))]
mod stand_in {
    use std::path::Path;

    use sage_dsl::plan::{SinkPlan, SourcePlan};

    use crate::error::DataflowError;
    use crate::sinks::PartOf;
    use crate::sources::{Source, broken};

    const ABSENT: &str = "this sage-flow was built without Parquet; build it with \
                          `cargo build --release --features parquet`, or use `csv` or `jsonl`";

    fn absent(plan: &SinkPlan) -> DataflowError {
        let message = ABSENT.to_owned();
        DataflowError::Sink { name: plan.name.clone(), line: plan.line, message }
    }

    pub(crate) fn open(plan: &SourcePlan) -> Result<Box<dyn Source>, DataflowError> {
        Err(broken(plan, ABSENT))
    }

    pub(crate) fn check(plan: &SinkPlan) -> Result<(), DataflowError> {
        Err(absent(plan))
    }

    pub(crate) fn join(plan: &SinkPlan, _: &Path, _: &[PartOf]) -> Result<(), DataflowError> {
        Err(absent(plan))
    }
}

#[cfg(feature = "parquet")]
pub(crate) use reader::open;
#[cfg(not(feature = "parquet"))]
pub(crate) use stand_in::{check, join, open};
#[cfg(feature = "parquet")]
pub(crate) use writer::{check, join};

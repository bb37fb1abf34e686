//! The sink: the file is made of what was committed, when the parts are joined.
//!
//! A Parquet file ends with a directory of all that is in it, so it cannot be cut back to what was
//! committed, and a file that is still written cannot be read. So parts are rows as they are packed
//! in memory, each behind its length, which can be cut anywhere between two of them. Rows of all
//! parts become one file at the end, a row group at a time; only that is in memory.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArrayType, DoubleType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use sage_core::record::Items;
use sage_dsl::plan::{SinkPlan, lookup};
use sage_dsl::types::Value;

use super::shred::{Shredder, Values};
use crate::commit::damaged;
use crate::error::DataflowError;
use crate::sinks::PartOf;

/// A row group ends when it has so many rows, or rows of so many bytes.
const MOST_ROWS: u64 = 1 << 17;
const MOST_BYTES: usize = 32 << 20;

/// Whether rows of the sink can be written.
pub(crate) fn check(plan: &SinkPlan) -> Result<(), DataflowError> {
    shredder(plan).map(drop)
}

fn shredder(plan: &SinkPlan) -> Result<Shredder, DataflowError> {
    Shredder::new(&plan.record).map_err(|message| DataflowError::Sink {
        name: plan.name.clone(),
        line: plan.line,
        message,
    })
}

fn properties(plan: &SinkPlan) -> WriterPropertiesPtr {
    let packed = match lookup(&plan.args, "compression").and_then(Value::as_str) {
        Some("none") => Compression::UNCOMPRESSED,
        Some("snappy") => Compression::SNAPPY,
        _ => Compression::ZSTD(ZstdLevel::default()),
    };
    let properties = WriterProperties::builder()
        .set_compression(packed)
        .set_created_by("sage-flow".into())
        // Those of pages stay in memory until the end of the file.
        .set_statistics_enabled(EnabledStatistics::Chunk);
    Arc::new(properties.build())
}

/// Write the rows of `parts` to `path`.
pub(crate) fn join(plan: &SinkPlan, path: &Path, parts: &[PartOf]) -> Result<(), DataflowError> {
    let failed = |reason: std::io::Error| DataflowError::File {
        action: "write",
        path: path.to_owned(),
        reason,
    };
    let unwritten = |error: ParquetError| failed(std::io::Error::other(error));
    let mut shredder = shredder(plan)?;
    let file = File::create(path).map_err(failed)?;
    let out = BufWriter::with_capacity(1 << 16, file);
    let mut writer =
        SerializedFileWriter::new(out, shredder.schema(), properties(plan)).map_err(unwritten)?;
    let (mut rows, mut bytes) = (0, 0);
    for part in parts {
        let mut committed = Committed::open(part)?;
        while let Some(row) = committed.next()? {
            shredder
                .push(Items::new(row))
                .map_err(|why| damaged(&part.path, format!("it has a row that is none: {why}")))?;
            rows += 1;
            bytes += row.len();
            if rows == MOST_ROWS || bytes >= MOST_BYTES {
                row_group(&mut writer, &mut shredder).map_err(unwritten)?;
                (rows, bytes) = (0, 0);
            }
        }
    }
    if rows > 0 {
        row_group(&mut writer, &mut shredder).map_err(unwritten)?;
    }
    let out = writer.into_inner().map_err(unwritten)?;
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)
}

fn row_group(
    writer: &mut SerializedFileWriter<BufWriter<File>>,
    shredder: &mut Shredder,
) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for column in &shredder.columns {
        let Some(mut out) = group.next_column()? else { break };
        let defined = Some(column.defined.as_slice());
        let repeated = (column.most.1 > 0).then_some(column.repeated.as_slice());
        match &column.values {
            Values::Bool(it) => out.typed::<BoolType>().write_batch(it, defined, repeated)?,
            Values::Int(it) => out.typed::<Int64Type>().write_batch(it, defined, repeated)?,
            Values::Float(it) => out.typed::<DoubleType>().write_batch(it, defined, repeated)?,
            Values::Single(it) => out.typed::<FloatType>().write_batch(it, defined, repeated)?,
            Values::Bytes(it) => out.typed::<ByteArrayType>().write_batch(it, defined, repeated)?,
        };
        out.close()?;
    }
    group.close()?;
    shredder.clear();
    Ok(())
}

/// The rows of a part, as far as they were committed.
struct Committed<'p> {
    part: &'p PartOf,
    file: std::io::Take<BufReader<File>>,
    row: Vec<u8>,
}

impl<'p> Committed<'p> {
    fn open(part: &'p PartOf) -> Result<Self, DataflowError> {
        let file = File::open(&part.path).map_err(|reason| DataflowError::File {
            action: "read",
            path: part.path.clone(),
            reason,
        })?;
        let file = BufReader::with_capacity(1 << 16, file).take(part.length);
        Ok(Committed { part, file, row: Vec::new() })
    }

    fn next(&mut self) -> Result<Option<&[u8]>, DataflowError> {
        let short = |_| damaged(&self.part.path, "its last row is not whole".into());
        let left = self.file.limit();
        if left == 0 {
            return Ok(None);
        }
        let mut length = [0; 4];
        self.file.read_exact(&mut length).map_err(short)?;
        let length = u32::from_le_bytes(length);
        if u64::from(length) > left {
            return Err(damaged(&self.part.path, "a row is longer than what was committed".into()));
        }
        self.row.resize(length as usize, 0);
        self.file.read_exact(&mut self.row).map_err(short)?;
        Ok(Some(&self.row))
    }
}

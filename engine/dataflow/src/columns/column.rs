//! One column of a Parquet file: a few records of it at a time, with a place to go on from.

use parquet::column::reader::ColumnReader;
use parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use parquet::errors::{ParquetError, Result};

/// Values of one column that are there, without the nulls between them.
#[derive(Debug)]
pub(super) enum Values {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<Int96>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

impl Values {
    /// The bytes of a value, if it is made of bytes.
    pub(super) fn bytes(&self, at: usize) -> Option<&[u8]> {
        match self {
            Values::Bytes(values) => values.get(at).map(ByteArray::data),
            Values::Fixed(values) => values.get(at).map(|value| value.data()),
            _ => None,
        }
    }

    /// A value as people read it; long ones are cut.
    pub(super) fn shown(&self, at: usize) -> String {
        const LONGEST: usize = 200;
        match self {
            Values::Bool(values) => values.get(at).map(ToString::to_string),
            Values::Int32(values) => values.get(at).map(ToString::to_string),
            Values::Int64(values) => values.get(at).map(ToString::to_string),
            Values::Int96(values) => values.get(at).map(|value| format!("{:?}", value.data())),
            Values::Float(values) => values.get(at).map(ToString::to_string),
            Values::Double(values) => values.get(at).map(ToString::to_string),
            Values::Bytes(_) | Values::Fixed(_) => self.bytes(at).map(|bytes| {
                format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]))
            }),
        }
        .unwrap_or_default()
    }
}

/// A column of one row group.
pub(super) struct Column {
    reader: ColumnReader,
    values: Values,
    /// Definition and repetition levels; none are kept where they can only be zero.
    defined: Vec<i16>,
    repeated: Vec<i16>,
    /// Whether there are levels.
    levels: (bool, bool),
    /// Level that is read next, and value.
    place: Place,
    /// Levels there are.
    length: usize,
}

/// Where one is in a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    level: usize,
    value: usize,
}

impl Column {
    /// `most` are the highest definition and repetition level of the column.
    pub(super) fn new(reader: ColumnReader, most: (i16, i16)) -> Self {
        let values = match &reader {
            ColumnReader::BoolColumnReader(_) => Values::Bool(Vec::new()),
            ColumnReader::Int32ColumnReader(_) => Values::Int32(Vec::new()),
            ColumnReader::Int64ColumnReader(_) => Values::Int64(Vec::new()),
            ColumnReader::Int96ColumnReader(_) => Values::Int96(Vec::new()),
            ColumnReader::FloatColumnReader(_) => Values::Float(Vec::new()),
            ColumnReader::DoubleColumnReader(_) => Values::Double(Vec::new()),
            ColumnReader::ByteArrayColumnReader(_) => Values::Bytes(Vec::new()),
            ColumnReader::FixedLenByteArrayColumnReader(_) => Values::Fixed(Vec::new()),
        };
        Column {
            reader,
            values,
            defined: Vec::new(),
            repeated: Vec::new(),
            levels: (most.0 > 0, most.1 > 0),
            place: Place::default(),
            length: 0,
        }
    }

    /// Read exactly so many records.
    pub(super) fn fill(&mut self, records: usize) -> Result<()> {
        self.defined.clear();
        self.repeated.clear();
        self.place = Place::default();
        let mut left = records;
        let mut length = 0;
        macro_rules! read {
            ($reader:expr, $values:expr) => {{
                $values.clear();
                while left > 0 {
                    let defined = self.levels.0.then_some(&mut self.defined);
                    let repeated = self.levels.1.then_some(&mut self.repeated);
                    let read = $reader.read_records(left, defined, repeated, $values)?;
                    if read == (0, 0, 0) {
                        break;
                    }
                    left = left.saturating_sub(read.0);
                    length += read.2;
                }
            }};
        }
        match (&mut self.reader, &mut self.values) {
            (ColumnReader::BoolColumnReader(it), Values::Bool(values)) => read!(it, values),
            (ColumnReader::Int32ColumnReader(it), Values::Int32(values)) => read!(it, values),
            (ColumnReader::Int64ColumnReader(it), Values::Int64(values)) => read!(it, values),
            (ColumnReader::Int96ColumnReader(it), Values::Int96(values)) => read!(it, values),
            (ColumnReader::FloatColumnReader(it), Values::Float(values)) => read!(it, values),
            (ColumnReader::DoubleColumnReader(it), Values::Double(values)) => read!(it, values),
            (ColumnReader::ByteArrayColumnReader(it), Values::Bytes(values)) => read!(it, values),
            (ColumnReader::FixedLenByteArrayColumnReader(it), Values::Fixed(values)) => {
                read!(it, values);
            }
            _ => {}
        }
        self.length = length;
        if left > 0 {
            return Err(ParquetError::General(
                "a column has fewer records than the file says".into(),
            ));
        }
        Ok(())
    }

    /// Definition level of what comes next; `None` at the end.
    pub(super) fn defined(&self) -> Option<i16> {
        let at = self.place.level;
        if self.levels.0 { self.defined.get(at).copied() } else { (at < self.length).then_some(0) }
    }

    /// Repetition level of what comes next; zero at the end, where a record could begin.
    pub(super) fn repeated(&self) -> i16 {
        self.repeated.get(self.place.level).copied().unwrap_or(0)
    }

    /// Go on behind a value that is not there.
    pub(super) fn skip(&mut self) {
        self.place.level += 1;
    }

    /// Go on behind a value that is there; where it is among the values.
    pub(super) fn take(&mut self) -> (&Values, usize) {
        let at = self.place.value;
        self.place.level += 1;
        self.place.value += 1;
        (&self.values, at)
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn go_back(&mut self, place: Place) {
        self.place = place;
    }
}

//! `csv`: records from a file of comma-separated values with a header line.

use sage_core::record::{pack, pack_value, parse_text, Datum};
use sage_dsl::catalog::{Kind, Param, Signature};
use sage_dsl::plan::SourcePlan;
use sage_dsl::types::{Field, RecordType, Type};

use super::live::{REREAD, ROUNDS, UNTIL_IDLE};
use super::{BadRow, Batch, Source, SourceEntry, broken, file, text};
use crate::error::DataflowError;

pub(super) static ENTRY: SourceEntry = SourceEntry {
    signature: Signature {
        name: "csv",
        summary: "a file of comma-separated values; columns are found by the header line",
        params: &[
            Param {
                name: "path",
                kind: Kind::Path,
                default: None,
                doc: "the file; one packed by gzip or Zstandard is unpacked",
            },
            Param {
                name: "delimiter",
                kind: Kind::String,
                default: Some("\",\""),
                doc: "one character",
            },
            REREAD,
            UNTIL_IDLE,
            ROUNDS,
        ],
        example: "source queries: Query from csv(\"data/queries.csv\")",
        takes_fields: false,
    },
    open,
};

/// How one field of the record is filled.
enum Fill {
    Column(usize),
    Default,
}

/// Rows from anything that reads as CSV.
pub(super) struct Csv<R> {
    reader: csv::Reader<Quotes<R>>,
    columns: usize,
    /// Whether the input is a pipe: a batch ends where a further read may have to wait.
    piped: bool,
    name: String,
    record: RecordType,
    fills: Vec<Fill>,
    row: csv::ByteRecord,
    /// Bytes up to the end of the header, as the parser sees it.
    header_end: u64,
}

fn open(plan: &SourcePlan) -> Result<Box<dyn Source>, DataflowError> {
    let (path, file) = file(plan)?;
    let delimiter = text(plan, "delimiter").unwrap_or(",");
    Ok(Box::new(Csv::new(plan, path.display().to_string(), file, delimiter)?))
}

impl<R: std::io::Read> Csv<R> {
    pub(super) fn new(
        plan: &SourcePlan,
        name: String,
        input: R,
        delimiter: &str,
    ) -> Result<Self, DataflowError> {
        let &[delimiter] = delimiter.as_bytes() else {
            return Err(broken(plan, format!("`delimiter` must be one character, not `{delimiter}`")));
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .buffer_capacity(1 << 16)
            .from_reader(Quotes { input, bytes: 0, odd: false, ended: false, feed: None, left: LONGEST });
        let header = reader.headers().map_err(|error| broken(plan, format!("`{name}`: {error}")))?;
        let header: Vec<String> =
            header.iter().map(|h| h.trim_start_matches('\u{feff}').trim().to_owned()).collect();
        if header.iter().all(String::is_empty) {
            return Err(broken(plan, format!("`{name}` is empty: its first line must name the columns")));
        }
        for (i, column) in header.iter().enumerate() {
            if header[..i].contains(column) {
                let message = format!("`{name}` has two columns `{column}`; rename one of them");
                return Err(broken(plan, message));
            }
        }
        let columns = header.len();
        let fill = |field: &Field| match header.iter().position(|column| *column == field.name) {
            Some(column) => Ok(Fill::Column(column)),
            None if field.default.is_some() || matches!(field.ty, Type::Optional(_)) => {
                Ok(Fill::Default)
            }
            None => Err(broken(
                plan,
                format!(
                    "`{name}` has no column `{}` for {}; its columns are {}. \
                     Rename the field or give it a default",
                    field.name,
                    plan.record.name,
                    header.join(", ")
                ),
            )),
        };
        let fills = plan.record.fields.iter().map(fill).collect::<Result<_, _>>()?;
        let (record, row) = (plan.record.clone(), csv::ByteRecord::new());
        let header_end = reader.position().byte();
        Ok(Csv { reader, columns, piped: false, name, record, fills, row, header_end })
    }
}

impl<R> Csv<R> {
    /// The input is a pipe.
    pub(super) fn piped(self) -> Self {
        Csv { piped: true, ..self }
    }
}

impl<R: std::io::Read + Send> Source for Csv<R> {
    fn read(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, DataflowError> {
        for i in 0..rows {
            let all_parsed = self.reader.position().byte() == self.reader.get_ref().bytes;
            if self.piped && i > 0 && all_parsed {
                break;
            }
            self.reader.get_mut().left = LONGEST;
            match self.reader.read_byte_record(&mut self.row) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => {
                    // The reader cannot go on behind an input error; a quoting error cannot happen,
                    // quotes are read leniently.
                    return Err(DataflowError::File {
                        action: "read",
                        path: self.name.clone().into(),
                        reason: std::io::Error::other(error),
                    });
                }
            }
            let open_quote = self.ends_within_quotes();
            let (fields, fills, row) = (&self.record.fields, &self.fills, &self.row);
            let packed = batch.rows.try_push(|out| {
                if open_quote {
                    return Err("a quote is opened and never closed, up to the end of the file".into());
                }
                if row.len() != self.columns {
                    return Err(format!("the row has {} columns, the header {}", row.len(), self.columns));
                }
                fields.iter().zip(fills).try_for_each(|(field, fill)| fill_one(out, field, fill, row))
            });
            if let Err(reason) = packed {
                let mut text = Vec::new();
                for (i, cell) in self.row.iter().enumerate() {
                    if i > 0 {
                        text.push(b',');
                    }
                    text.extend_from_slice(cell);
                }
                // With another number of cells it is not known which is which.
                let key = self.record.key().filter(|_| !open_quote && row.len() == self.columns);
                let key = key.and_then(|at| {
                    let mut key = Vec::new();
                    fill_one(&mut key, fields.get(at)?, fills.get(at)?, row).ok().map(|()| key)
                });
                batch.bad.push(BadRow::new(self.row_place(), &text, reason).of(key));
            }
        }
        Ok(true)
    }

    fn place(&self) -> Option<String> {
        Some(self.row_place())
    }
}

impl<R: std::io::Read> Csv<R> {
    /// File and line of the row just read.
    fn row_place(&self) -> String {
        let line = self.row.position().map_or(0, csv::Position::line);
        // The parser takes the second half of a line's end for the beginning of the next.
        let line = line + u64::from(self.reader.get_ref().feed == Some(self.header_end));
        format!("{}:{line}", self.name)
    }

    /// Whether the row just read is the last one and ends only because the file does. The parser
    /// reads quotes leniently, and such a row has swallowed all lines behind its quote.
    fn ends_within_quotes(&self) -> bool {
        let input = self.reader.get_ref();
        input.ended && input.odd && self.reader.position().byte() == input.bytes
    }
}

/// What some programs write before a UTF-8 text (byte order mark).
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A longer row is none: a quote is opened and never closed, or it is no text at all.
const LONGEST: u64 = 16 << 20;

/// Counts what is read, and whether the number of quotes so far is odd.
struct Quotes<R> {
    input: R,
    bytes: u64,
    odd: bool,
    ended: bool,
    /// Where the first line feed stands. Right behind what the parser took for the header, lines
    /// end in carriage return and line feed.
    feed: Option<u64>,
    /// Bytes that the row which is being read may still take.
    left: u64,
}

impl<R: std::io::Read> std::io::Read for Quotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            let what = "a row is longer than 16 MiB; is a quote opened there and never closed?";
            return Err(std::io::Error::other(what));
        }
        let mut read = self.input.read(buffer)?;
        self.ended |= read == 0 && !buffer.is_empty();
        // The parser takes a mark that comes alone for an empty file, and half of one for a name.
        while self.bytes == 0 && read > 0 && MARK.starts_with(&buffer[..read]) {
            match self.input.read(&mut buffer[read..])? {
                0 => break,
                more => read += more,
            }
        }
        if self.feed.is_none() {
            let at = buffer[..read].iter().position(|byte| *byte == b'\n');
            self.feed = at.map(|at| self.bytes + at as u64);
        }
        self.bytes += read as u64;
        self.left = self.left.saturating_sub(read as u64);
        // Only whether their number is odd: exclusive or runs many bytes at a time.
        let odd = buffer[..read].iter().fold(0, |odd, byte| odd ^ u8::from(*byte == b'"'));
        self.odd ^= odd == 1;
        Ok(read)
    }
}

fn fill_one(
    out: &mut Vec<u8>,
    field: &Field,
    fill: &Fill,
    row: &csv::ByteRecord,
) -> Result<(), String> {
    let Fill::Column(column) = fill else {
        match &field.default {
            Some(default) => pack_value(out, default),
            None => pack(out, Datum::Null),
        }
        return Ok(());
    };
    let Some(cell) = row.get(*column) else {
        return Err(format!(
            "column `{}` is missing: the row has {} columns",
            field.name,
            row.len()
        ));
    };
    let cell = std::str::from_utf8(cell)
        .map_err(|_| format!("column `{}` is not UTF-8", field.name))?;
    if cell.is_empty() && !matches!(field.ty, Type::String)
        && let Some(default) = &field.default {
            pack_value(out, default);
            return Ok(());
        }
    if field.key && cell.is_empty() {
        return Err(format!("the key `{}` is empty", field.name));
    }
    parse_text(out, &field.ty, cell).map_err(|reason| format!("column `{}`: {reason}", field.name))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// A pipe from which each read gives what was written at once.
    struct Writes(Vec<&'static [u8]>);

    impl Read for Writes {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let Some(first) = self.0.first_mut() else { return Ok(0) };
            let read = first.read(buffer)?;
            if first.is_empty() {
                self.0.remove(0);
            }
            Ok(read)
        }
    }

    fn queries() -> SourcePlan {
        let record = RecordType {
            name: "Query".into(),
            fields: vec![Field { name: "id".into(), ty: Type::String, default: None, key: true }],
        };
        SourcePlan {
            changes: None,
            distinct: None,
            expand: None,
            watermark: None,
            name: "queries".into(),
            kind: "stdin".into(),
            args: Vec::new(),
            fields: Vec::new(),
            record,
            key: Some(0),
            bad_rows: sage_dsl::plan::BadRows::Fail,
            line: 1,
        }
    }

    /// Never ends, and never ends a row.
    struct Endless(u64);

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            assert!(self.0 < 2 * LONGEST, "it reads on and on");
            buffer.fill(0);
            let head: &[u8] = if self.0 == 0 { b"id\na\nb\n" } else { b"" };
            buffer[..head.len()].copy_from_slice(head);
            self.0 += buffer.len() as u64;
            Ok(buffer.len())
        }
    }

    #[test]
    fn a_row_without_end_is_not_read_for_ever() {
        let mut csv = Csv::new(&queries(), "q.csv".into(), Endless(0), ",").unwrap();
        let mut batch = Batch::default();
        let error = csv.read(&mut batch, 10).unwrap_err();
        assert!(error.to_string().contains("longer than 16 MiB"), "{error:?}");
        assert_eq!(batch.rows.len(), 2);
    }

    #[test]
    fn a_byte_order_mark_may_come_alone_or_in_parts() {
        let plan = queries();
        for writes in [
            vec![MARK, b"\"id\"\na\n"],
            vec![&MARK[..1], &MARK[1..], b"\"id\"\na\n"],
            vec![&MARK[..2], b"\xbf\"id\"\na\n"],
            vec![b"\"id\"\na\n"],
        ] {
            let mut csv = Csv::new(&plan, "pipe".into(), Writes(writes), ",").unwrap();
            let mut batch = Batch::default();
            while csv.read(&mut batch, 8).unwrap() {}
            assert_eq!((batch.rows.len(), batch.bad.len()), (1, 0));
        }
        assert!(Csv::new(&plan, "pipe".into(), Writes(vec![MARK]), ",").is_err(), "it is empty");
        for (text, lines) in [
            (&b"id\na\nb,c\nd\n\"e\ne\",f\n,\n"[..], ["pipe:3", "pipe:5", "pipe:7"]),
            (b"id\r\na\r\nb,c\r\nd\r\n\"e\r\ne\",f\r\n,\r\n", ["pipe:3", "pipe:5", "pipe:7"]),
        ] {
            let mut csv = Csv::new(&plan, "pipe".into(), text, ",").unwrap();
            let mut batch = Batch::default();
            while csv.read(&mut batch, 8).unwrap() {}
            let found: Vec<&str> = batch.bad.iter().map(|row| row.place.as_str()).collect();
            assert_eq!(found, lines, "{}", String::from_utf8_lossy(text));
        }
    }
}

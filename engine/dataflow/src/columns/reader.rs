//! The source: rows are put together from a few records of each column that the type needs.
//!
//! What is in memory of a file is a page of each of these columns, however large its row groups are.
//! No bytes of a file may harm the process: what the crate makes of damaged ones, errors and panics
//! alike, is an error that names the file.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, RowGroupMetaData};
use parquet::file::reader::{FileReader, SerializedFileReader};
use sage_core::record::{Datum, Items, pack, pack_list, pack_record, pack_value, pack_vector};
use sage_dsl::plan::{SourcePlan, lookup};
use sage_dsl::types::{Type, Value};

use super::column::Column;
use super::folder;
use super::meaning::{convert, is_bare};
use super::shape::{Finder, Kind, Leaf, Member, Missing, Node};
use crate::error::DataflowError;
use crate::sources::{BadRow, Batch, Source, broken, plain_file};

/// Most records that are read of each column at a time.
const MOST_RECORDS: usize = 4_096;

struct Reader {
    path: PathBuf,
    file: SerializedFileReader<File>,
    fields: Vec<Member>,
    leaves: Vec<Leaf>,
    key: Option<usize>,
    /// Columns of the row group that is read.
    columns: Vec<Column>,
    /// Records of it that are left.
    left: u64,
    next_group: usize,
    /// Of the record that was read last, from 1.
    number: u64,
}

/// Open the file of a plan, or the folder of files.
pub(crate) fn open(plan: &SourcePlan) -> Result<Box<dyn Source>, DataflowError> {
    let named = lookup(&plan.args, "path").and_then(Value::as_str).map(PathBuf::from);
    if let Some(folder) = named.filter(|path| path.is_dir()) {
        return folder::open(plan, &folder);
    }
    let (path, file) = plain_file(plan)?;
    let shown = path.display();
    let file = guarded(|| SerializedFileReader::new(file))
        .map_err(|why| broken(plan, format!("`{shown}` is no Parquet file: {why}")))?;
    let metadata = file.metadata();
    for column in metadata.row_groups().iter().flat_map(RowGroupMetaData::columns) {
        let packed = column.compression();
        let known = matches!(
            packed,
            Compression::UNCOMPRESSED
                | Compression::SNAPPY
                | Compression::GZIP(_)
                | Compression::ZSTD(_)
        );
        if !known {
            let name = column.column_path();
            let message = format!(
                "column `{name}` of `{shown}` is packed by {packed}; write the file with zstd, snappy \
                 or gzip"
            );
            return Err(broken(plan, message));
        }
    }
    let schema = metadata.file_metadata().schema_descr_ptr();
    if let Some(name) = duration_of_arrow(plan, metadata.file_metadata()) {
        let message = format!(
            "column `{name}` of `{shown}`: the unit of a duration stands in a part of the file that \
             only Arrow reads; declare the field as int and give it its unit, as in `.{name} * 1us`"
        );
        return Err(broken(plan, message));
    }
    let mut finder = Finder::new(&schema);
    let fields = finder.record(&plan.record);
    let fields = fields.map_err(|why| broken(plan, format!("`{shown}`: {why}")))?;
    let leaves = finder.leaves;
    Ok(Box::new(Reader {
        path,
        file,
        fields,
        leaves,
        key: plan.record.key(),
        columns: Vec::new(),
        left: 0,
        next_group: 0,
        number: 0,
    }))
}

/// A field of durations in a file of Arrow, for which Parquet has no type: it writes bare numbers of
/// seconds to nanoseconds, and their unit into a schema of its own.
fn duration_of_arrow<'p>(plan: &'p SourcePlan, file: &FileMetaData) -> Option<&'p str> {
    let pairs = file.key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == "ARROW:schema")?;
    let columns = file.schema_descr().root_schema().get_fields();
    let is_duration = |ty: &Type| match ty {
        Type::Optional(inner) => **inner == Type::Duration,
        other => *other == Type::Duration,
    };
    let fields = plan.record.fields.iter().filter(|field| is_duration(&field.ty));
    let bare = |name: &str| columns.iter().any(|it| it.name() == name && is_bare(it));
    fields.map(|field| field.name.as_str()).find(|name| bare(name))
}

/// Run something of the crate; the error is a sentence.
fn guarded<T>(work: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it is damaged".into()),
    }
}

impl Source for Reader {
    fn read(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, DataflowError> {
        let read = guarded(|| self.some(batch, rows));
        read.map_err(|why| DataflowError::File {
            action: "read",
            path: self.path.clone(),
            reason: std::io::Error::other(format!("behind row {}: {why}", self.number)),
        })
    }

    fn place(&self) -> Option<String> {
        Some(self.row_place())
    }
}

impl Reader {
    fn row_place(&self) -> String {
        format!("{}, row {}", self.path.display(), self.number)
    }

    fn some(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, ParquetError> {
        while self.left == 0 {
            if self.next_group == self.file.num_row_groups() {
                return Ok(false);
            }
            let group = self.file.get_row_group(self.next_group)?;
            self.next_group += 1;
            self.left = u64::try_from(group.metadata().num_rows()).unwrap_or(0);
            let column = |leaf: &Leaf| {
                group.get_column_reader(leaf.number).map(|reader| Column::new(reader, leaf.most))
            };
            self.columns = self.leaves.iter().map(column).collect::<Result<_, _>>()?;
        }
        let records = self.left.min(rows.min(MOST_RECORDS) as u64) as usize;
        self.left -= records as u64;
        for column in &mut self.columns {
            column.fill(records)?;
        }
        for _ in 0..records {
            self.number += 1;
            self.row(batch)?;
        }
        Ok(true)
    }

    fn row(&mut self, batch: &mut Batch) -> Result<(), ParquetError> {
        let Reader { fields, columns, key, .. } = self;
        let before: Vec<_> = columns.iter().map(Column::place).collect();
        let mut damaged = false;
        let packed = batch.rows.try_push(|out| {
            let start = out.len();
            let mut row = Row { columns: columns.as_mut_slice(), trouble: None };
            damaged = row.members(fields, out).is_none();
            match (row.trouble, key.map(|key| Items::new(&out[start..]).get(key))) {
                (Some(trouble), _) => Err(trouble),
                (None, Some(Datum::Str(""))) => Err("the key is empty".to_owned()),
                _ => Ok(()),
            }
        });
        if damaged {
            return Err(ParquetError::General("a column ends before the others".into()));
        }
        if let Err(reason) = packed {
            for (column, place) in columns.iter_mut().zip(before) {
                column.go_back(place);
            }
            let mut text = String::new();
            let mut row = Row { columns: columns.as_mut_slice(), trouble: None };
            let shown = row.show_members(fields, &mut text);
            batch.bad.push(BadRow::new(self.row_place(), text.as_bytes(), reason));
            if shown.is_none() {
                return Err(ParquetError::General("a column ends before the others".into()));
            }
        }
        Ok(())
    }
}

/// One record of all columns. Its functions give `None` where a column ends before it should.
struct Row<'c> {
    columns: &'c mut [Column],
    /// What is wrong first.
    trouble: Option<String>,
}

impl Row<'_> {
    fn members(&mut self, members: &[Member], out: &mut Vec<u8>) -> Option<()> {
        for member in members {
            match member {
                Member::Column(node) => self.node(node, out)?,
                Member::Absent(Missing::Default(value)) => pack_value(out, value),
                Member::Absent(_) => pack(out, Datum::Null),
            }
        }
        Some(())
    }

    fn first(&mut self, node: &Node) -> Option<&mut Column> {
        self.columns.get_mut(node.leaves.start)
    }

    /// Whether a value from this level on is there; if not, all of its leaves are passed.
    fn is_there(&mut self, node: &Node, level: i16) -> Option<bool> {
        if self.first(node)?.defined()? >= level {
            return Some(true);
        }
        for column in self.columns.get_mut(node.leaves.clone())? {
            column.defined()?;
            column.skip();
        }
        Some(false)
    }

    fn node(&mut self, node: &Node, out: &mut Vec<u8>) -> Option<()> {
        if !self.is_there(node, node.defined)? {
            match &node.missing {
                Missing::Null => pack(out, Datum::Null),
                Missing::Default(value) => pack_value(out, value),
                Missing::Refused(ty) => {
                    let name = &node.name;
                    self.wrong(|| {
                        format!("column `{name}` is null; a field that may be is `{ty}?`")
                    });
                    pack(out, Datum::Null);
                }
            }
            return Some(());
        }
        let mut whole = Some(());
        match &node.kind {
            Kind::Leaf(reading) => {
                let (values, at) = self.first(node)?.take();
                let start = out.len();
                if let Err(why) = convert(values, at, reading, out) {
                    out.truncate(start);
                    pack(out, Datum::Null);
                    self.wrong(|| format!("column `{}`: {why}", node.name));
                }
            }
            Kind::Record(members) => pack_record(out, |out| whole = self.members(members, out)),
            Kind::List(item, level) => {
                pack_list(out, |out| {
                    whole = self.items(node, item, *level, |row| row.node(item, out));
                });
            }
            Kind::Vector(item, level, length) => {
                let mut packed = Vec::new();
                whole = self.items(node, item, *level, |row| row.node(item, &mut packed));
                let numbers = Items::new(&packed).map(|it| it.as_float().unwrap_or(f64::NAN));
                let floats: Vec<f32> = numbers.map(|x| x as f32).collect();
                if self.trouble.is_none() && !floats.iter().all(|x| x.is_finite()) {
                    let name = &node.name;
                    self.wrong(|| format!("column `{name}`: a number does not fit into 32 bits"));
                }
                if let Some(length) = length
                    && floats.len() != *length as usize
                {
                    let (name, found) = (&node.name, floats.len());
                    self.wrong(|| format!("column `{name}` has {found} numbers, not {length}"));
                }
                pack_vector(out, &floats);
            }
        }
        whole
    }

    /// Do something for each item of a list.
    fn items(
        &mut self,
        list: &Node,
        item: &Node,
        level: super::shape::Level,
        mut each: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        if !self.is_there(list, level.defined)? {
            return Some(());
        }
        loop {
            each(self)?;
            if self.first(item)?.repeated() < level.repeated {
                return Some(());
            }
        }
    }

    fn wrong(&mut self, why: impl FnOnce() -> String) {
        if self.trouble.is_none() {
            self.trouble = Some(why());
        }
    }

    /// The record as text, for people.
    fn show_members(&mut self, members: &[Member], text: &mut String) -> Option<()> {
        text.push('{');
        let mut first = true;
        for member in members {
            let Member::Column(node) = member else { continue };
            if !std::mem::take(&mut first) {
                text.push_str(", ");
            }
            let own = node.name.rsplit('.').next().unwrap_or_default();
            text.push_str(&format!("\"{own}\": "));
            self.show(node, text)?;
        }
        text.push('}');
        Some(())
    }

    fn show(&mut self, node: &Node, text: &mut String) -> Option<()> {
        if !self.is_there(node, node.defined)? {
            text.push_str("null");
            return Some(());
        }
        match &node.kind {
            Kind::Leaf(_) => {
                let (values, at) = self.first(node)?.take();
                text.push_str(&values.shown(at));
            }
            Kind::Record(members) => self.show_members(members, text)?,
            Kind::List(item, level) | Kind::Vector(item, level, _) => {
                let mut first = true;
                text.push('[');
                self.items(node, item, *level, |row| {
                    if !std::mem::take(&mut first) {
                        text.push_str(", ");
                    }
                    row.show(item, text)
                })?;
                text.push(']');
            }
        }
        Some(())
    }
}

//! Rows as columns: the schema of a file for a type, and values with their levels.
//!
//! Every value may be null in the file, as with most writers, whatever the type says: so there is
//! nothing that could fail when the file is made, at the end of a run.

use std::ops::Range;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::schema::types::{Type as FileType, TypePtr};
use sage_core::record::{Datum, write_json};
use sage_dsl::types::{RecordType, Type};

/// Values of one column, with the levels of all, nulls included.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) values: Values,
    pub(super) defined: Vec<i16>,
    pub(super) repeated: Vec<i16>,
    /// Its highest levels.
    pub(super) most: (i16, i16),
}

#[derive(Debug)]
pub(super) enum Values {
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Float(Vec<f64>),
    Single(Vec<f32>),
    Bytes(Vec<ByteArray>),
}

#[derive(Debug)]
struct Node {
    name: String,
    ty: Type,
    /// It is there from this level on.
    defined: i16,
    columns: Range<usize>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Leaf,
    Record(Vec<Node>),
    /// What a further item has as its repetition level.
    List(Box<Node>, i16),
    Vector(i16),
}

/// Takes rows of one type apart.
#[derive(Debug)]
pub(super) struct Shredder {
    schema: TypePtr,
    fields: Vec<Node>,
    pub(super) columns: Vec<Column>,
}

impl Shredder {
    pub(super) fn new(record: &RecordType) -> Result<Self, String> {
        if record.fields.is_empty() {
            return Err("a row without fields cannot be written as Parquet".into());
        }
        let mut columns = Vec::new();
        let mut fields = Vec::new();
        let mut types = Vec::new();
        for field in &record.fields {
            let (ty, node) = node(&field.name, &field.name, &field.ty, (0, 0), &mut columns)?;
            types.push(ty);
            fields.push(node);
        }
        let schema = FileType::group_type_builder("rows").with_fields(types).build();
        Ok(Shredder { schema: Arc::new(schema.map_err(said)?), fields, columns })
    }

    pub(super) fn schema(&self) -> TypePtr {
        Arc::clone(&self.schema)
    }

    /// Add a row.
    pub(super) fn push<'d>(
        &mut self,
        mut row: impl Iterator<Item = Datum<'d>>,
    ) -> Result<(), String> {
        for field in &self.fields {
            let datum = row.next().ok_or("it has fewer columns than its type")?;
            field.push(datum, 0, 0, &mut self.columns)?;
        }
        Ok(())
    }

    /// Forget the rows, keep the memory.
    pub(super) fn clear(&mut self) {
        for column in &mut self.columns {
            column.defined.clear();
            column.repeated.clear();
            match &mut column.values {
                Values::Bool(values) => values.clear(),
                Values::Int(values) => values.clear(),
                Values::Float(values) => values.clear(),
                Values::Single(values) => values.clear(),
                Values::Bytes(values) => values.clear(),
            }
        }
    }
}

fn said(error: ParquetError) -> String {
    error.to_string()
}

/// `level` is that of what is around the value.
fn node(
    path: &str,
    name: &str,
    ty: &Type,
    level: (i16, i16),
    columns: &mut Vec<Column>,
) -> Result<(TypePtr, Node), String> {
    if let Type::Optional(inner) = ty {
        return node(path, name, inner, level, columns);
    }
    let (defined, repeated) = (level.0 + 1, level.1);
    let from = columns.len();
    let group = |of: Vec<TypePtr>, repetition| {
        FileType::group_type_builder(name).with_repetition(repetition).with_fields(of)
    };
    let list = |element: TypePtr| {
        let inner = FileType::group_type_builder("list")
            .with_repetition(Repetition::REPEATED)
            .with_fields(vec![element])
            .build()
            .map_err(said)?;
        group(vec![Arc::new(inner)], Repetition::OPTIONAL)
            .with_logical_type(Some(LogicalType::List))
            .build()
            .map_err(said)
    };
    let (built, kind) = match ty {
        Type::Record(record) => {
            if record.fields.is_empty() {
                return Err(format!("`{path}` is a record without fields, which Parquet has not"));
            }
            let mut nodes = Vec::new();
            let mut types = Vec::new();
            for field in &record.fields {
                let path = format!("{path}.{}", field.name);
                let (ty, one) = node(&path, &field.name, &field.ty, (defined, repeated), columns)?;
                types.push(ty);
                nodes.push(one);
            }
            let built = group(types, Repetition::OPTIONAL).build().map_err(said)?;
            (built, Kind::Record(nodes))
        }
        Type::List(item) => {
            let inside = (defined + 1, repeated + 1);
            let (element, one) = node(&format!("{path}[]"), "element", item, inside, columns)?;
            (list(element)?, Kind::List(Box::new(one), repeated + 1))
        }
        Type::Vector(_) => {
            let element = FileType::primitive_type_builder("element", Physical::FLOAT)
                .with_repetition(Repetition::REQUIRED)
                .build()
                .map_err(said)?;
            columns.push(Column {
                values: Values::Single(Vec::new()),
                defined: Vec::new(),
                repeated: Vec::new(),
                most: (defined + 1, repeated + 1),
            });
            (list(Arc::new(element))?, Kind::Vector(repeated + 1))
        }
        _ => {
            let (physical, logical, values) = leaf(ty);
            columns.push(Column {
                values,
                defined: Vec::new(),
                repeated: Vec::new(),
                most: (defined, repeated),
            });
            let built = FileType::primitive_type_builder(name, physical)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(logical)
                .build();
            (built.map_err(said)?, Kind::Leaf)
        }
    };
    let columns = from..columns.len();
    let node = Node { name: path.to_owned(), ty: ty.clone(), defined, columns, kind };
    Ok((Arc::new(built), node))
}

fn leaf(ty: &Type) -> (Physical, Option<LogicalType>, Values) {
    match ty {
        Type::Bool => (Physical::BOOLEAN, None, Values::Bool(Vec::new())),
        Type::Time => {
            let logical = LogicalType::timestamp(true, TimeUnit::NANOS);
            (Physical::INT64, Some(logical), Values::Int(Vec::new()))
        }
        Type::Int | Type::Duration | Type::Size | Type::Tokens => {
            (Physical::INT64, None, Values::Int(Vec::new()))
        }
        Type::Float | Type::Rate | Type::Percent => {
            (Physical::DOUBLE, None, Values::Float(Vec::new()))
        }
        Type::Bytes => (Physical::BYTE_ARRAY, None, Values::Bytes(Vec::new())),
        // Enums, too: many readers take what is marked as one for bytes.
        _ => (Physical::BYTE_ARRAY, Some(LogicalType::String), Values::Bytes(Vec::new())),
    }
}

impl Node {
    /// Add a value; `around` is the level up to which its surroundings are there.
    fn push(
        &self,
        datum: Datum<'_>,
        around: i16,
        repeated: i16,
        columns: &mut [Column],
    ) -> Result<(), String> {
        let there = columns.get_mut(self.columns.clone()).unwrap_or_default();
        match (&self.kind, datum) {
            (_, Datum::Null) => absent(there, around, repeated),
            (Kind::Record(fields), Datum::Record(items)) => {
                let mut items = items;
                for field in fields {
                    let item = items.next().unwrap_or(Datum::Null);
                    field.push(item, self.defined, repeated, columns)?;
                }
            }
            (Kind::List(..), Datum::List(items)) if items.is_empty() => {
                absent(there, self.defined, repeated);
            }
            (Kind::List(item, further), Datum::List(items)) => {
                for (number, value) in items.enumerate() {
                    let repeated = if number == 0 { repeated } else { *further };
                    item.push(value, self.defined + 1, repeated, columns)?;
                }
            }
            (Kind::Vector(_), Datum::Vector(floats)) if floats.is_empty() => {
                absent(there, self.defined, repeated);
            }
            (Kind::Vector(further), Datum::Vector(floats)) => {
                for column in there {
                    for (number, float) in floats.iter().enumerate() {
                        column.defined.push(self.defined + 1);
                        column.repeated.push(if number == 0 { repeated } else { *further });
                        if let Values::Single(values) = &mut column.values {
                            values.push(float);
                        }
                    }
                }
            }
            (Kind::Leaf, datum) => {
                for column in there {
                    self.value(datum, &mut column.values)?;
                    column.defined.push(self.defined);
                    column.repeated.push(repeated);
                }
            }
            _ => return Err(self.other()),
        }
        Ok(())
    }

    fn value(&self, datum: Datum<'_>, values: &mut Values) -> Result<(), String> {
        let other = || self.other();
        match values {
            Values::Bool(values) => values.push(datum.as_bool().ok_or_else(other)?),
            Values::Int(values) => values.push(datum.as_int().ok_or_else(other)?),
            Values::Float(values) => values.push(datum.as_float().ok_or_else(other)?),
            Values::Single(values) => values.push(datum.as_float().ok_or_else(other)? as f32),
            Values::Bytes(values) => values.push(match datum {
                Datum::Str(text) => text.as_bytes().to_vec().into(),
                Datum::Bytes(bytes) => bytes.to_vec().into(),
                _ if self.ty == Type::Unknown => {
                    let mut text = Vec::new();
                    write_json(&mut text, &Type::Unknown, datum);
                    text.into()
                }
                _ => return Err(self.other()),
            }),
        }
        Ok(())
    }

    fn other(&self) -> String {
        format!("`{}` is not of its type {}", self.name, self.ty)
    }
}

fn absent(columns: &mut [Column], defined: i16, repeated: i16) {
    for column in columns {
        column.defined.push(defined);
        column.repeated.push(repeated);
    }
}

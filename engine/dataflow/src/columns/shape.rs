//! Where the fields of a declared type are in a file: which leaves are read, and at which levels
//! they are there, null, or part of a list.

use std::ops::Range;

use parquet::basic::{ConvertedType, LogicalType, Repetition};
use parquet::schema::types::{SchemaDescriptor, Type as FileType};
use sage_dsl::types::{Field, RecordType, Type, Value};

use super::meaning::{Reading, reading, shown};

/// A value of the file.
#[derive(Debug)]
pub(super) struct Node {
    /// Names from the record on, for messages.
    pub(super) name: String,
    /// It is there from this definition level on.
    pub(super) defined: i16,
    /// The leaves that it is made of, by their place among those that are read.
    pub(super) leaves: Range<usize>,
    pub(super) kind: Kind,
    pub(super) missing: Missing,
}

/// What a value is made of.
#[derive(Debug)]
pub(super) enum Kind {
    Leaf(Reading),
    Record(Vec<Member>),
    List(Box<Node>, Level),
    /// A list of floats, as many as it says if it does.
    Vector(Box<Node>, Level, Option<u32>),
}

/// The levels of a list: it has an item from this definition level on, and an item with this
/// repetition level is one more of the same list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) defined: i16,
    pub(super) repeated: i16,
}

/// What stands for a value that is null.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Missing {
    Null,
    Default(Value),
    /// The row is bad.
    Refused(Type),
}

/// A field of a record.
#[derive(Debug)]
pub(super) enum Member {
    Column(Node),
    /// The file has none.
    Absent(Missing),
}

/// A leaf that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Its number in the file.
    pub(super) number: usize,
    /// Its highest levels.
    pub(super) most: (i16, i16),
}

/// Finds what a type needs in the schema of a file.
pub(super) struct Finder<'s> {
    schema: &'s SchemaDescriptor,
    /// Names from the root of the file to where one is.
    path: Vec<String>,
    pub(super) leaves: Vec<Leaf>,
}

/// The rest of the path of a value.
#[derive(Clone, Copy)]
struct At {
    defined: i16,
    repeated: i16,
}

impl<'s> Finder<'s> {
    pub(super) fn new(schema: &'s SchemaDescriptor) -> Self {
        Finder { schema, path: Vec::new(), leaves: Vec::new() }
    }

    /// The fields of a record.
    pub(super) fn record(&mut self, record: &RecordType) -> Result<Vec<Member>, String> {
        let root = self.schema.root_schema();
        self.members(root, record, At { defined: 0, repeated: 0 }, "")
    }

    fn members(
        &mut self,
        group: &FileType,
        record: &RecordType,
        at: At,
        name: &str,
    ) -> Result<Vec<Member>, String> {
        let columns = group.get_fields();
        let member = |field: &Field| {
            let missing = missing(field);
            let Some(column) = columns.iter().find(|column| column.name() == field.name) else {
                if matches!(missing, Missing::Refused(_)) {
                    let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
                    return Err(format!(
                        "there is no column `{name}{}` for {}; the columns are {}. Rename the field \
                         or give it a default",
                        field.name,
                        record.name,
                        names.join(", ")
                    ));
                }
                return Ok(Member::Absent(missing));
            };
            let own = format!("{name}{}", field.name);
            self.node(column, &field.ty, at, &own, missing).map(Member::Column)
        };
        record.fields.iter().map(member).collect()
    }

    fn node(
        &mut self,
        column: &FileType,
        ty: &Type,
        at: At,
        name: &str,
        missing: Missing,
    ) -> Result<Node, String> {
        let ty = without_optional(ty);
        self.path.push(column.name().to_owned());
        let found = match column.get_basic_info().repetition() {
            // Older writers have lists without a group around them.
            Repetition::REPEATED => self.list_of(column, ty, at, name, missing, true),
            Repetition::OPTIONAL => {
                let at = At { defined: at.defined + 1, ..at };
                self.present(column, ty, at, name, missing)
            }
            Repetition::REQUIRED => self.present(column, ty, at, name, missing),
        };
        self.path.pop();
        found
    }

    /// A value that is no list by itself; `at` is where it is there.
    fn present(
        &mut self,
        column: &FileType,
        ty: &Type,
        at: At,
        name: &str,
        missing: Missing,
    ) -> Result<Node, String> {
        let unfit = || {
            Err(format!("column `{name}` is {}, and the field is declared as {ty}", shown(column)))
        };
        let from = self.leaves.len();
        let kind = match ty {
            Type::List(_) | Type::Vector(_) => {
                let [inner] = children(column) else { return unfit() };
                let repeats = inner.get_basic_info().repetition() == Repetition::REPEATED;
                if !is_list(column) || !repeats {
                    return unfit();
                }
                self.path.push(inner.name().to_owned());
                let list = self.list_of(inner, ty, at, name, missing, is_element(column, inner));
                self.path.pop();
                return list;
            }
            Type::Record(record) => {
                if column.is_primitive() || is_list(column) || is_map(column) {
                    return unfit();
                }
                let members = self.members(column, record, at, &format!("{name}."))?;
                if from == self.leaves.len() {
                    return Err(format!("column `{name}` has no field of {}", record.name));
                }
                Kind::Record(members)
            }
            _ => {
                let found = if column.is_primitive() { reading(column, ty) } else { None };
                let Some(reading) = found else { return unfit() };
                let known =
                    |number: &usize| self.schema.column(*number).path().parts() == self.path;
                let number = (0..self.schema.num_columns()).find(known);
                let Some(number) = number else { return unfit() };
                self.leaves.push(Leaf { number, most: (at.defined, at.repeated) });
                Kind::Leaf(reading)
            }
        };
        let leaves = from..self.leaves.len();
        Ok(Node { name: name.to_owned(), defined: at.defined, leaves, kind, missing })
    }

    /// The list whose items are `repeated`, or what is in that if it is not an `element`.
    fn list_of(
        &mut self,
        repeated: &FileType,
        ty: &Type,
        at: At,
        name: &str,
        missing: Missing,
        element: bool,
    ) -> Result<Node, String> {
        let from = self.leaves.len();
        let item_type = match ty {
            Type::List(item) => item,
            Type::Vector(_) => &Type::Float,
            _ => {
                return Err(format!(
                    "column `{name}` is a list, and the field is declared as {ty}"
                ));
            }
        };
        let inside = At { defined: at.defined + 1, repeated: at.repeated + 1 };
        let name_of_item = format!("{name}[]");
        let null = match item_type {
            Type::Optional(_) => Missing::Null,
            other => Missing::Refused(other.clone()),
        };
        let item = if let (false, [child]) = (element, children(repeated)) {
            self.node(child, item_type, inside, &name_of_item, null)?
        } else {
            self.present(repeated, without_optional(item_type), inside, &name_of_item, null)?
        };
        let level = Level { defined: inside.defined, repeated: inside.repeated };
        let kind = match ty {
            Type::Vector(length) => Kind::Vector(Box::new(item), level, *length),
            _ => Kind::List(Box::new(item), level),
        };
        let leaves = from..self.leaves.len();
        Ok(Node { name: name.to_owned(), defined: at.defined, leaves, kind, missing })
    }
}

fn missing(field: &Field) -> Missing {
    match (&field.ty, &field.default) {
        (_, Some(default)) => Missing::Default(default.clone()),
        (Type::Optional(_), None) => Missing::Null,
        (ty, None) => Missing::Refused(ty.clone()),
    }
}

fn without_optional(ty: &Type) -> &Type {
    if let Type::Optional(inner) = ty { without_optional(inner) } else { ty }
}

fn children(column: &FileType) -> &[std::sync::Arc<FileType>] {
    if column.is_primitive() { &[] } else { column.get_fields() }
}

fn is_list(column: &FileType) -> bool {
    let info = column.get_basic_info();
    let logical = matches!(info.logical_type_ref(), Some(LogicalType::List));
    logical || info.converted_type() == ConvertedType::LIST
}

fn is_map(column: &FileType) -> bool {
    let info = column.get_basic_info();
    let logical = matches!(info.logical_type_ref(), Some(LogicalType::Map));
    logical || matches!(info.converted_type(), ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE)
}

/// Whether what is repeated in a list is its element, and not a group around it: the rules for
/// older writers in the description of the format.
fn is_element(list: &FileType, repeated: &FileType) -> bool {
    match children(repeated) {
        [_] => repeated.name() == "array" || repeated.name() == format!("{}_tuple", list.name()),
        _ => true,
    }
}

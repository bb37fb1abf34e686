//! Types and constant values of the language.
//!
//! A `Type` is what the checker knows; a `Value` is a constant that survives into the plan
//! (literals, folded parameters, stage options). Records at run time are not `Value`s: they are
//! packed rows, see `sage-core`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The type of an expression, a field or a parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Type {
    /// `int`, 64 bits, signed.
    Int,
    /// `float`, 64 bits.
    Float,
    /// `bool`.
    Bool,
    /// `string`, UTF-8.
    String,
    /// `bytes`.
    Bytes,
    /// `time`, nanoseconds since the Unix epoch.
    Time,
    /// `duration`, nanoseconds.
    Duration,
    /// `size`, bytes.
    Size,
    /// `rate`, events per second.
    Rate,
    /// A share such as `99.5%`, held as 0.995.
    Percent,
    /// A number of language-model tokens, `1800 tokens`.
    Tokens,
    /// `vector<N>`: N 32-bit floats; `None` when the length is only known at run time.
    Vector(Option<u32>),
    /// `[T]`.
    List(Box<Type>),
    /// `T?`.
    Optional(Box<Type>),
    /// A declared or built-in record.
    Record(RecordType),
    /// A declared enum; values are held as the name of the variant.
    Enum(EnumType),
    /// The type of `null` and of an empty list's elements; fits everywhere.
    Unknown,
}

/// A record type: fields in declaration order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordType {
    /// Name as declared.
    pub name: String,
    /// Fields, in order; the order is the layout.
    pub fields: Vec<Field>,
}

/// One field of a record type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Name as declared.
    pub name: String,
    /// Declared type.
    pub ty: Type,
    /// Value used when a source does not supply the field.
    pub default: Option<Value>,
    /// Marked `@key`: identity of the record.
    pub key: bool,
}

/// An enum type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnumType {
    /// Name as declared.
    pub name: String,
    /// Variant names in order.
    pub variants: Vec<String>,
}

impl RecordType {
    /// Position and declaration of the field called `name`.
    pub fn field(&self, name: &str) -> Option<(usize, &Field)> {
        self.fields.iter().enumerate().find(|(_, field)| field.name == name)
    }

    /// Position of the `@key` field, if one is declared.
    pub fn key(&self) -> Option<usize> {
        self.fields.iter().position(|field| field.key)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Int => f.write_str("int"),
            Type::Float => f.write_str("float"),
            Type::Bool => f.write_str("bool"),
            Type::String => f.write_str("string"),
            Type::Bytes => f.write_str("bytes"),
            Type::Time => f.write_str("time"),
            Type::Duration => f.write_str("duration"),
            Type::Size => f.write_str("size"),
            Type::Rate => f.write_str("rate"),
            Type::Percent => f.write_str("percent"),
            Type::Tokens => f.write_str("tokens"),
            Type::Vector(Some(n)) => write!(f, "vector<{n}>"),
            Type::Vector(None) => f.write_str("vector"),
            Type::List(item) => write!(f, "[{item}]"),
            Type::Optional(inner) if **inner == Type::Unknown => f.write_str("null"),
            Type::Optional(inner) => write!(f, "{inner}?"),
            Type::Record(record) => f.write_str(&record.name),
            Type::Enum(item) => f.write_str(&item.name),
            Type::Unknown => f.write_str("unknown"),
        }
    }
}

/// A constant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// Whole number.
    Int(i64),
    /// Number with a fraction.
    Float(f64),
    /// Text, also the name of an enum variant.
    String(String),
    /// Nanoseconds since the Unix epoch.
    Time(i64),
    /// Nanoseconds.
    Duration(i64),
    /// Bytes.
    Size(u64),
    /// Events per second.
    Rate(f64),
    /// A share; `99.5%` is 0.995.
    Percent(f64),
    /// Language-model tokens.
    Tokens(i64),
    /// `[a, b]`.
    List(Vec<Value>),
    /// A call used as a constant, such as `auto(max: 256)` or `backoff(max: 4)`; also bare words
    /// with a meaning to the option they stand in (`spread`, `auto`).
    Call {
        /// The word before the parenthesis.
        name: String,
        /// Positional arguments have an empty name.
        args: Vec<(String, Value)>,
    },
}

impl Value {
    /// Text of a `String`, or the name of an argument-less `Call` (a bare word).
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            Value::Call { name, args } if args.is_empty() => Some(name),
            _ => None,
        }
    }

    /// Whole number, also of tokens and sizes.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(n) | Value::Tokens(n) => Some(*n),
            Value::Size(n) => i64::try_from(*n).ok(),
            _ => None,
        }
    }

    /// Any number as a float.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Value::Float(x) | Value::Rate(x) | Value::Percent(x) => Some(*x),
            other => other.as_int().map(|n| n as f64),
        }
    }

    /// Nanoseconds of a `Duration`.
    pub fn as_duration_ns(&self) -> Option<i64> {
        if let Value::Duration(ns) = self { Some(*ns) } else { None }
    }

    /// As `--set name=...` takes it: text, variants of enums and times bare, all else as in a program.
    pub fn to_set(&self) -> String {
        match self {
            Value::String(text) => text.clone(),
            Value::Time(nanos) => crate::time::show(*nanos),
            other => crate::literal::show(other),
        }
    }

    /// A `Bool`.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(flag) = self { Some(*flag) } else { None }
    }
}

//! What the values of a column of a Parquet file stand for, and how they become values of a type.
//!
//! A value that the type cannot hold exactly is refused: a row with another number in it than the
//! file has would be worse than none.

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::schema::types::Type as FileType;
use sage_core::record::{Datum, pack};
use sage_dsl::types::{EnumType, Type};

use super::column::Values;

/// How a column becomes values of a type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reading {
    Bool,
    /// A whole number, times a unit; unsigned ones are held in the bits of signed ones.
    Int {
        unit: i64,
        unsigned: bool,
    },
    /// Of 96 bits: nanoseconds of a day, and the number of the day.
    DayTime,
    Float,
    /// Of 16 bits.
    Half,
    /// A whole number as a float.
    FloatOfInt {
        unsigned: bool,
    },
    /// A whole number of as many digits behind the point.
    Decimal {
        scale: i32,
    },
    Text,
    Word(EnumType),
    Bytes,
}

const MILLISECOND: i64 = 1_000_000;
const DAY: i64 = 86_400_000_000_000;
/// The day 1970-01-01 in the count of days that begins 4713 BC.
const EPOCH: i64 = 2_440_588;
/// Up to here every whole number has a float of its own.
const LARGEST_WHOLE: i64 = 1 << 53;

/// What a column says that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Nothing,
    Unsigned,
    Text,
    Decimal,
    Date,
    /// Of the day, in this many nanoseconds.
    Time(i64),
    /// Since 1970, in this many nanoseconds.
    Timestamp(i64),
    Half,
    Other,
}

fn nanoseconds(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::MILLIS => MILLISECOND,
        TimeUnit::MICROS => 1_000,
        TimeUnit::NANOS => 1,
    }
}

fn says(column: &FileType) -> Says {
    let info = column.get_basic_info();
    match info.logical_type_ref() {
        None => {}
        Some(LogicalType::String | LogicalType::Enum | LogicalType::Json) => return Says::Text,
        Some(LogicalType::Integer(it)) if it.is_signed => return Says::Nothing,
        Some(LogicalType::Integer(_)) => return Says::Unsigned,
        Some(LogicalType::Decimal(_)) => return Says::Decimal,
        Some(LogicalType::Date) => return Says::Date,
        Some(LogicalType::Time(it)) => return Says::Time(nanoseconds(it.unit)),
        Some(LogicalType::Timestamp(it)) => return Says::Timestamp(nanoseconds(it.unit)),
        Some(LogicalType::Float16) => return Says::Half,
        Some(LogicalType::Unknown) => return Says::Nothing,
        Some(_) => return Says::Other,
    }
    match info.converted_type() {
        ConvertedType::NONE
        | ConvertedType::INT_8
        | ConvertedType::INT_16
        | ConvertedType::INT_32
        | ConvertedType::INT_64 => Says::Nothing,
        ConvertedType::UINT_8
        | ConvertedType::UINT_16
        | ConvertedType::UINT_32
        | ConvertedType::UINT_64 => Says::Unsigned,
        ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON => Says::Text,
        ConvertedType::DECIMAL => Says::Decimal,
        ConvertedType::DATE => Says::Date,
        ConvertedType::TIME_MILLIS => Says::Time(MILLISECOND),
        ConvertedType::TIME_MICROS => Says::Time(1_000),
        ConvertedType::TIMESTAMP_MILLIS => Says::Timestamp(MILLISECOND),
        ConvertedType::TIMESTAMP_MICROS => Says::Timestamp(1_000),
        _ => Says::Other,
    }
}

/// What a column holds, for people.
pub(super) fn shown(column: &FileType) -> String {
    if !column.is_primitive() {
        let info = column.get_basic_info();
        return match (info.logical_type_ref(), info.converted_type()) {
            (Some(LogicalType::List), _) | (_, ConvertedType::LIST) => "a list".into(),
            (Some(LogicalType::Map), _) | (_, ConvertedType::MAP) => "a map".into(),
            _ => "a record".into(),
        };
    }
    let physical = column.get_physical_type();
    let what = match (says(column), physical) {
        (Says::Text, _) => "text",
        (Says::Decimal, _) => "a decimal number",
        (Says::Date, _) => "a date",
        (Says::Time(_), _) => "a time of day",
        (Says::Timestamp(_), _) | (_, Physical::INT96) => "a time",
        (Says::Unsigned, _) => "a whole number without a sign",
        (_, Physical::BOOLEAN) => "true or false",
        (_, Physical::INT32 | Physical::INT64) => "a whole number",
        (_, Physical::FLOAT | Physical::DOUBLE) | (Says::Half, _) => "a number with a fraction",
        _ => "bytes",
    };
    format!("{what} ({physical})")
}

/// Whether a column holds whole numbers and nothing says what they stand for.
pub(super) fn is_bare(column: &FileType) -> bool {
    column.is_primitive()
        && matches!(column.get_physical_type(), Physical::INT32 | Physical::INT64)
        && says(column) == Says::Nothing
}

/// How a leaf of the file becomes values of `ty`; `None` if that cannot be.
pub(super) fn reading(column: &FileType, ty: &Type) -> Option<Reading> {
    let says = says(column);
    let physical = column.get_physical_type();
    let whole = matches!(physical, Physical::INT32 | Physical::INT64);
    let bytes = matches!(physical, Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY);
    let unsigned = says == Says::Unsigned;
    let plain = matches!(says, Says::Nothing | Says::Unsigned);
    let int = |unit| Some(Reading::Int { unit, unsigned });
    match ty {
        Type::Bool => (physical == Physical::BOOLEAN).then_some(Reading::Bool),
        Type::Int | Type::Tokens | Type::Size if whole && plain => int(1),
        Type::Int if whole && says == Says::Decimal && column.get_scale() == 0 => int(1),
        Type::Duration | Type::Time if whole && says == Says::Nothing => int(1),
        Type::Duration => match says {
            Says::Time(unit) if whole => int(unit),
            _ => None,
        },
        Type::Time => match says {
            Says::Timestamp(unit) if whole => int(unit),
            Says::Date if whole => int(DAY),
            _ => (physical == Physical::INT96).then_some(Reading::DayTime),
        },
        Type::Float | Type::Rate | Type::Percent => match (physical, says) {
            (Physical::FLOAT | Physical::DOUBLE, _) => Some(Reading::Float),
            (_, Says::Decimal) => Some(Reading::Decimal { scale: column.get_scale() }),
            (Physical::FIXED_LEN_BYTE_ARRAY, Says::Half) => Some(Reading::Half),
            _ => (whole && plain).then_some(Reading::FloatOfInt { unsigned }),
        },
        Type::String if bytes => {
            matches!(says, Says::Text | Says::Nothing).then_some(Reading::Text)
        }
        Type::Enum(words) if bytes => {
            matches!(says, Says::Text | Says::Nothing).then(|| Reading::Word(words.clone()))
        }
        Type::Bytes => bytes.then_some(Reading::Bytes),
        _ => None,
    }
}

/// Append value `at` of a column to `out`.
pub(super) fn convert(
    values: &Values,
    at: usize,
    reading: &Reading,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let odd = || "its values are not what the column says".to_owned();
    match reading {
        Reading::Bool => match values {
            Values::Bool(values) => pack(out, Datum::Bool(*values.get(at).ok_or_else(odd)?)),
            _ => return Err(odd()),
        },
        Reading::Int { unit, unsigned } => {
            let n = whole(values, at, *unsigned).ok_or_else(odd)?;
            let n = n.checked_mul(i128::from(*unit)).and_then(|n| i64::try_from(n).ok());
            let beyond = || "the number is beyond 64 bits with a sign".to_owned();
            pack(out, Datum::Int(n.ok_or_else(beyond)?));
        }
        Reading::DayTime => {
            let Values::Int96(values) = values else { return Err(odd()) };
            let [low, high, day] = *values.get(at).ok_or_else(odd)?.data() else {
                return Err(odd());
            };
            let within = i64::from(low) | i64::from(high) << 32;
            let days = i64::from(day as i32) - EPOCH;
            let time = days.checked_mul(DAY).and_then(|days| days.checked_add(within));
            pack(out, Datum::Int(time.ok_or("the time is beyond the years 1678 to 2262")?));
        }
        Reading::Float => {
            let x = match values {
                Values::Float(values) => values.get(at).map(|x| f64::from(*x)),
                Values::Double(values) => values.get(at).copied(),
                _ => None,
            };
            pack_float(out, x.ok_or_else(odd)?)?;
        }
        Reading::Half => {
            let two = values.bytes(at).and_then(|bytes| <[u8; 2]>::try_from(bytes).ok());
            pack_float(out, half(u16::from_le_bytes(two.ok_or_else(odd)?)))?;
        }
        Reading::FloatOfInt { unsigned } => {
            let n = whole(values, at, *unsigned).ok_or_else(odd)?;
            if n.unsigned_abs() > LARGEST_WHOLE as u128 {
                return Err(format!("no float is exactly {n}; declare the field as int"));
            }
            pack_float(out, n as f64)?;
        }
        Reading::Decimal { scale } => {
            let n = whole(values, at, false).or_else(|| values.bytes(at).and_then(big_endian));
            let n = n.ok_or("the number has more than 38 digits")?;
            pack_float(out, n as f64 / 10_f64.powi(*scale))?;
        }
        Reading::Text | Reading::Word(_) => {
            let text = std::str::from_utf8(values.bytes(at).ok_or_else(odd)?);
            let text = text.map_err(|_| "the text is not UTF-8")?;
            if let Reading::Word(words) = reading
                && !words.variants.iter().any(|word| word == text)
            {
                let found: String = text.chars().take(40).collect();
                return Err(format!(
                    "expected one of {}, found `{found}`",
                    words.variants.join(", ")
                ));
            }
            pack(out, Datum::Str(text));
        }
        Reading::Bytes => pack(out, Datum::Bytes(values.bytes(at).ok_or_else(odd)?)),
    }
    Ok(())
}

fn whole(values: &Values, at: usize, unsigned: bool) -> Option<i128> {
    match values {
        Values::Int32(values) if unsigned => values.get(at).map(|n| i128::from(*n as u32)),
        Values::Int32(values) => values.get(at).map(|n| i128::from(*n)),
        Values::Int64(values) if unsigned => values.get(at).map(|n| i128::from(*n as u64)),
        Values::Int64(values) => values.get(at).map(|n| i128::from(*n)),
        _ => None,
    }
}

fn big_endian(bytes: &[u8]) -> Option<i128> {
    let sign = bytes.first().is_some_and(|first| first & 0x80 != 0);
    (bytes.len() <= 16)
        .then(|| bytes.iter().fold(-i128::from(sign), |n, byte| n << 8 | i128::from(*byte)))
}

fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2_f64.powi(-24),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

fn pack_float(out: &mut Vec<u8>, x: f64) -> Result<(), String> {
    // As in CSV: no other sink could write it again.
    if !x.is_finite() {
        return Err(format!("expected a finite number, found {x}"));
    }
    pack(out, Datum::Float(x));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_other_forms_are_what_they_stand_for() {
        let is = |bits, x: f64| half(bits).to_bits() == x.to_bits();
        assert!(is(0x3c00, 1.0) && is(0xc500, -5.0) && is(0x0001, 2_f64.powi(-24)));
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
        assert_eq!(big_endian(&[0xff, 0xfe]), Some(-2));
        assert_eq!(big_endian(&[0x01, 0x00]), Some(256));
        assert_eq!(big_endian(&[]), Some(0));
        assert_eq!(big_endian(&[0; 17]), None);
    }
}

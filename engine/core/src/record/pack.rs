//! Writing values into a packed buffer.

use sage_dsl::types::Value;

use super::datum::{
    BYTES, Datum, FALSE, FLOAT, Floats, INT8, INT32, INT64, LIST, NULL, RECORD, STR, TRUE, VECTOR,
};

/// Append one value to `out`.
#[inline]
pub fn pack(out: &mut Vec<u8>, datum: Datum<'_>) {
    match datum {
        Datum::Null => out.push(NULL),
        Datum::Bool(false) => out.push(FALSE),
        Datum::Bool(true) => out.push(TRUE),
        Datum::Int(n) => pack_int(out, n),
        Datum::Float(x) => {
            out.push(FLOAT);
            out.extend_from_slice(&x.to_le_bytes());
        }
        Datum::Str(text) => sized(out, STR, text.as_bytes()),
        Datum::Bytes(bytes) => sized(out, BYTES, bytes),
        Datum::List(items) => sized(out, LIST, items.0),
        Datum::Record(items) => sized(out, RECORD, items.0),
        Datum::Vector(Floats(bytes)) => sized(out, VECTOR, bytes),
    }
}

#[inline]
fn pack_int(out: &mut Vec<u8>, n: i64) {
    if let Ok(small) = i8::try_from(n) {
        out.push(INT8);
        out.extend_from_slice(&small.to_le_bytes());
    } else if let Ok(middle) = i32::try_from(n) {
        out.push(INT32);
        out.extend_from_slice(&middle.to_le_bytes());
    } else {
        out.push(INT64);
        out.extend_from_slice(&n.to_le_bytes());
    }
}

#[inline]
fn sized(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    let [a, b, c, d] = (bytes.len() as u32).to_le_bytes();
    out.reserve(5 + bytes.len());
    out.extend_from_slice(&[tag, a, b, c, d]);
    out.extend_from_slice(bytes);
}

/// Append a list; `fill` packs its values.
pub fn pack_list(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    nested(out, LIST, fill);
}

/// Append a record; `fill` packs its fields in order.
pub fn pack_record(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    nested(out, RECORD, fill);
}

fn nested(out: &mut Vec<u8>, tag: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    fill(out);
    let len = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&len.to_le_bytes());
}

/// Append a vector.
pub fn pack_vector(out: &mut Vec<u8>, floats: &[f32]) {
    out.push(VECTOR);
    out.extend_from_slice(&((floats.len() * 4) as u32).to_le_bytes());
    for float in floats {
        out.extend_from_slice(&float.to_le_bytes());
    }
}

/// Append a constant of the language.
pub fn pack_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => pack(out, Datum::Null),
        Value::Bool(flag) => pack(out, Datum::Bool(*flag)),
        Value::Int(n) | Value::Time(n) | Value::Duration(n) | Value::Tokens(n) => {
            pack(out, Datum::Int(*n));
        }
        Value::Size(n) => pack(out, Datum::Int(i64::try_from(*n).unwrap_or(i64::MAX))),
        Value::Float(x) | Value::Rate(x) | Value::Percent(x) => pack(out, Datum::Float(*x)),
        Value::String(text) => pack(out, Datum::Str(text)),
        Value::List(values) => pack_list(out, |out| values.iter().for_each(|v| pack_value(out, v))),
        Value::Call { name, .. } => pack(out, Datum::Str(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::datum::Items;
    use super::*;

    #[test]
    fn what_is_packed_is_read() {
        let mut out = Vec::new();
        pack(&mut out, Datum::Null);
        for n in [0, -1, 127, 128, -129, 1 << 20, i64::MAX, i64::MIN] {
            pack(&mut out, Datum::Int(n));
        }
        pack(&mut out, Datum::Str("grün"));
        pack_list(&mut out, |out| pack_record(out, |out| pack(out, Datum::Bool(true))));
        pack_vector(&mut out, &[1.0, -2.5]);
        let read: Vec<_> = Items::new(&out).collect();
        assert_eq!(read.len(), 12);
        assert_eq!(read[8], Datum::Int(i64::MIN));
        assert_eq!(read[9], Datum::Str("grün"));
        assert_eq!(read[10].items().get(0).items().get(0), Datum::Bool(true));
        let Datum::Vector(floats) = read[11] else { panic!("vector") };
        assert_eq!(floats.iter().collect::<Vec<_>>(), [1.0, -2.5]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            fn walk(items: Items<'_>, depth: usize) {
                for datum in items { if depth < 32 { walk(datum.items(), depth + 1); } }
            }
            walk(Items::new(&bytes), 0);
        }
    }
}

//! The borrowed view of one value, and readers over packed bytes.

use std::cmp::Ordering;

pub(crate) const NULL: u8 = 0;
pub(crate) const FALSE: u8 = 1;
pub(crate) const TRUE: u8 = 2;
pub(crate) const INT8: u8 = 3;
pub(crate) const INT32: u8 = 4;
pub(crate) const INT64: u8 = 5;
pub(crate) const FLOAT: u8 = 6;
pub(crate) const STR: u8 = 7;
pub(crate) const BYTES: u8 = 8;
pub(crate) const LIST: u8 = 9;
pub(crate) const RECORD: u8 = 10;
pub(crate) const VECTOR: u8 = 11;

/// One value, borrowed from a row, an arena or a constant.
///
/// Durations, times, sizes and token counts are `Int`; rates and shares are `Float`; enum values
/// are `Str`. The plan knows the declared type.
///
/// The tag takes a whole word so that every payload begins at one: with a small tag the compiler
/// copies values in unaligned pieces, and reading them back at once stalls.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub enum Datum<'a> {
    /// No value.
    Null,
    /// Truth.
    Bool(bool),
    /// Whole number.
    Int(i64),
    /// Number with a fraction.
    Float(f64),
    /// Text.
    Str(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Values of one type.
    List(Items<'a>),
    /// Values by position.
    Record(Items<'a>),
    /// 32-bit floats.
    Vector(Floats<'a>),
}

/// Packed values, read one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Items<'a>(pub(crate) &'a [u8]);

/// Packed little-endian 32-bit floats.
#[derive(Debug, Clone, Copy)]
pub struct Floats<'a>(pub(crate) &'a [u8]);

impl<'a> Items<'a> {
    /// The values packed in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Items(bytes)
    }

    /// The packed bytes.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The value at `position`, or `Null`. Values before it are stepped over, not read.
    pub fn get(mut self, position: usize) -> Datum<'a> {
        for _ in 0..position {
            if skip(&mut self.0).is_none() {
                return Datum::Null;
            }
        }
        self.next().unwrap_or(Datum::Null)
    }

    /// Number of values.
    pub fn len(mut self) -> usize {
        let mut count = 0;
        while skip(&mut self.0).is_some() {
            count += 1;
        }
        count
    }

    /// The bytes of each value if all are strings, without looking whether they are UTF-8.
    pub(crate) fn raw_strings(self) -> impl Iterator<Item = Option<&'a [u8]>> {
        let mut bytes = self.0;
        std::iter::from_fn(move || {
            let (tag, rest) = bytes.split_first()?;
            bytes = rest;
            let text = if *tag == STR { sized(&mut bytes) } else { None };
            if text.is_none() {
                bytes = &[];
            }
            Some(text)
        })
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

#[expect(clippy::copy_iterator, reason = "a view of two words; a copy is how it is read twice")]
impl<'a> Iterator for Items<'a> {
    type Item = Datum<'a>;

    #[inline]
    fn next(&mut self) -> Option<Datum<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let read = read(&mut self.0);
        if read.is_none() {
            self.0 = &[];
        }
        read
    }
}

impl Floats<'_> {
    /// Number of floats.
    pub fn len(self) -> usize {
        self.0.len() / 4
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The floats, one by one.
    pub fn iter(&self) -> impl Iterator<Item = f32> + '_ {
        self.0.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }
}

#[inline]
fn split<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(len)?;
    *bytes = tail;
    Some(head)
}

#[inline]
fn sized<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = split(bytes, 4)?;
    split(bytes, u32::from_le_bytes(len.try_into().ok()?) as usize)
}

/// Step over one value without reading it; `None` when the bytes end or make no sense.
#[inline]
fn skip(bytes: &mut &[u8]) -> Option<()> {
    let (tag, rest) = bytes.split_first()?;
    *bytes = rest;
    match *tag {
        NULL | FALSE | TRUE => {}
        INT8 => {
            split(bytes, 1)?;
        }
        INT32 => {
            split(bytes, 4)?;
        }
        INT64 | FLOAT => {
            split(bytes, 8)?;
        }
        STR | BYTES | LIST | RECORD | VECTOR => {
            sized(bytes)?;
        }
        _ => return None,
    }
    Some(())
}

/// Read one value and advance; `None` when the bytes end or make no sense.
#[inline]
pub(crate) fn read<'a>(bytes: &mut &'a [u8]) -> Option<Datum<'a>> {
    let (tag, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(match *tag {
        NULL => Datum::Null,
        FALSE => Datum::Bool(false),
        TRUE => Datum::Bool(true),
        INT8 => Datum::Int(i64::from(i8::from_le_bytes(split(bytes, 1)?.try_into().ok()?))),
        INT32 => Datum::Int(i64::from(i32::from_le_bytes(split(bytes, 4)?.try_into().ok()?))),
        INT64 => Datum::Int(i64::from_le_bytes(split(bytes, 8)?.try_into().ok()?)),
        FLOAT => Datum::Float(f64::from_le_bytes(split(bytes, 8)?.try_into().ok()?)),
        STR => Datum::Str(std::str::from_utf8(sized(bytes)?).ok()?),
        BYTES => Datum::Bytes(sized(bytes)?),
        LIST => Datum::List(Items(sized(bytes)?)),
        RECORD => Datum::Record(Items(sized(bytes)?)),
        VECTOR => Datum::Vector(Floats(sized(bytes)?)),
        _ => return None,
    })
}

impl<'a> Datum<'a> {
    /// The text, if it is text.
    pub fn as_str(self) -> Option<&'a str> {
        if let Datum::Str(text) = self { Some(text) } else { None }
    }

    /// The whole number, if it is one.
    pub fn as_int(self) -> Option<i64> {
        if let Datum::Int(n) = self { Some(n) } else { None }
    }

    /// Any number as a float.
    pub fn as_float(self) -> Option<f64> {
        match self {
            Datum::Int(n) => Some(n as f64),
            Datum::Float(x) => Some(x),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        if let Datum::Bool(flag) = self { Some(flag) } else { None }
    }

    /// The values of a list or record; nothing for anything else.
    pub fn items(self) -> Items<'a> {
        match self {
            Datum::List(items) | Datum::Record(items) => items,
            _ => Items(&[]),
        }
    }

    fn kind(self) -> u8 {
        match self {
            Datum::Null => 0,
            Datum::Bool(_) => 1,
            Datum::Int(_) | Datum::Float(_) => 2,
            Datum::Str(_) => 3,
            Datum::Bytes(_) => 4,
            Datum::List(_) => 5,
            Datum::Record(_) => 6,
            Datum::Vector(_) => 7,
        }
    }
}

/// Total order: null first, then by kind; an int equals the float of the same value; floats by
/// `total_cmp`.
impl Ord for Datum<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (*self, *other) {
            (Datum::Bool(a), Datum::Bool(b)) => a.cmp(&b),
            (Datum::Int(a), Datum::Int(b)) => a.cmp(&b),
            (Datum::Float(a), Datum::Float(b)) => a.total_cmp(&b),
            (Datum::Int(a), Datum::Float(b)) => (a as f64).total_cmp(&b),
            (Datum::Float(a), Datum::Int(b)) => a.total_cmp(&(b as f64)),
            (Datum::Str(a), Datum::Str(b)) => a.cmp(b),
            (Datum::Bytes(a), Datum::Bytes(b)) => a.cmp(b),
            (Datum::List(a), Datum::List(b)) | (Datum::Record(a), Datum::Record(b)) => a.cmp(b),
            (Datum::Vector(a), Datum::Vector(b)) => a.0.cmp(b.0),
            (a, b) => a.kind().cmp(&b.kind()),
        }
    }
}

impl PartialOrd for Datum<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Datum<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Datum<'_> {}

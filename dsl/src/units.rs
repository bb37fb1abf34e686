//! Units of durations and sizes: one table for the literals of programs and for texts in data.

/// Units of durations, in nanoseconds.
pub const DURATIONS: &[(&str, i64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Units of sizes, in bytes.
pub const SIZES: &[(&str, i64)] =
    &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// A duration in the largest unit up to hours that divides it.
pub fn show_duration(nanos: i64) -> String {
    let units = DURATIONS.iter().rev().filter(|(unit, _)| !matches!(*unit, "m" | "d"));
    let unit = units.into_iter().find(|(_, factor)| nanos != 0 && nanos % factor == 0);
    unit.map_or_else(|| "0s".to_owned(), |(unit, factor)| format!("{}{unit}", nanos / factor))
}

/// A size in the largest unit that divides it.
pub fn show_size(bytes: u64) -> String {
    let divides = |factor: i64| bytes != 0 && bytes.is_multiple_of(factor.unsigned_abs());
    let unit = SIZES.iter().rev().find(|(_, factor)| divides(*factor));
    let shown = |(name, factor): &(&str, i64)| format!("{}{name}", bytes / factor.unsigned_abs());
    unit.map_or_else(|| "0B".to_owned(), shown)
}

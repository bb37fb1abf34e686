//! `compute_single`: the work of `compute.sage` written by hand, in one thread and with no more
//! memory than one record needs. It stands for the practical limit.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use serde::Serialize;

/// Read a CSV file, lower-case, split into words, hash, keep about half, count per key, write JSON
/// lines and the counts
#[derive(Debug, Parser)]
#[command(name = "compute_single")]
struct Args {
    /// A file of `make_rows`
    input: PathBuf,
    /// Where the kept rows go
    output: PathBuf,
}

#[derive(Serialize)]
struct Kept<'a> {
    id: i64,
    q: &'a str,
    n: usize,
    h: i64,
}

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

fn hash(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |state, byte| (state ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// Number of words, and the hash of the words with one blank between them.
fn words(text: &str) -> (usize, u64) {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.fold((0, OFFSET), |(n, state), word| {
        let state = if n == 0 { state } else { hash(state, b" ") };
        (n + 1, hash(state, word.as_bytes()))
    })
}

fn lower_into(out: &mut String, text: &str) {
    out.clear();
    if text.is_ascii() {
        out.push_str(text);
        out.make_ascii_lowercase();
    } else {
        out.extend(text.chars().flat_map(char::to_lowercase));
    }
}

/// Entry point.
pub fn main(args: &[String]) -> anyhow::Result<()> {
    let args = Args::parse_from(args);
    let began = Instant::now();
    let mut reader = csv::Reader::from_path(&args.input)?;
    let mut out = BufWriter::with_capacity(1 << 16, File::create(&args.output)?);
    let mut record = csv::StringRecord::new();
    let mut lowered = String::new();
    let (mut read, mut kept) = (0_u64, 0_u64);
    let mut counts = [0_u64; 512];
    while reader.read_record(&mut record)? {
        read += 1;
        let id = record.get(0).unwrap_or_default().parse()?;
        lower_into(&mut lowered, record.get(1).unwrap_or_default());
        let (n, state) = words(&lowered);
        let h = state as i64;
        if h % 2 != 0 {
            continue;
        }
        kept += 1;
        counts[(h % 256 + 255) as usize] += 1;
        serde_json::to_writer(&mut out, &Kept { id, q: &lowered, n, h })?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    let mut totals = BufWriter::new(File::create(args.output.with_extension("counts.csv"))?);
    writeln!(totals, "key,count")?;
    for (i, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        writeln!(totals, "{},{count}", i as i64 - 255)?;
    }
    totals.flush()?;
    let report = serde_json::json!({
        "read": read,
        "kept": kept,
        "wall_s": began.elapsed().as_secs_f64(),
        "cpu_s": crate::process::own_cpu_s(),
    });
    super::say(&report)
}

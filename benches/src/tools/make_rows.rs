//! `make_rows`: a CSV file of questions, the same for the same number of rows.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Parser;

/// Write a CSV file with the columns id and question
#[derive(Debug, Parser)]
#[command(name = "make_rows")]
struct Args {
    /// Rows to write
    rows: u64,
    /// The file
    file: PathBuf,
}

/// Mixed case on purpose: lower-casing must have something to do.
const WORDS: &str = "Which river runs through the Old city of and how long is it Who painted a portrait in \
    Year language spoken by most people Mountain higher than any other When did Queen open \
    first railway station What metal melts at lowest temperature species bird Ocean deepest \
    island harbour";

/// One row in so many is quoted: a reader must not take the easy way for all of them.
const QUOTED: u64 = 20;

/// A xorshift generator: fast, and equal on every machine.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Entry point.
pub fn main(args: &[String]) -> anyhow::Result<()> {
    let args = Args::parse_from(args);
    let mut out = BufWriter::with_capacity(1 << 16, File::create(&args.file)?);
    writeln!(out, "id,question")?;
    let mut draw = Draw(0x9e37_79b9_7f4a_7c15);
    let words: Vec<&str> = WORDS.split(' ').collect();
    let mut question = String::new();
    for id in 0..args.rows {
        question.clear();
        for _ in 0..8 + draw.below(5) {
            question.push_str(words[draw.below(words.len() as u64) as usize]);
            question.push(' ');
        }
        let number = draw.below(10_000);
        if draw.below(QUOTED) == 0 {
            writeln!(out, "{id},\"Tell me, {question}{number}?\"")?;
        } else {
            writeln!(out, "{id},{question}{number}?")?;
        }
    }
    Ok(out.flush()?)
}

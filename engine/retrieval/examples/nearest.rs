//! Measures the search of near vectors: `cargo run --release -p sage-retrieval --example nearest --
//! COUNT...`.
//!
//! For each number of vectors an index with a graph and one without are built over the same ones:
//! random, in clusters, of 384 numbers. Printed are the time to build, the length of the file, the
//! time of a query, and how many of the ten nearest the graph finds.

#![allow(clippy::print_stdout, reason = "a program that prints a table")]

use std::collections::HashSet;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use sage_core::index::{Index, Query};
use sage_dsl::plan::VectorPlan;
use sage_retrieval::{BuildOptions, IndexBuilder, MappedIndex, SearchMode};

const DIMS: usize = 384;
const QUESTIONS: usize = 500;
/// Vectors of a cluster, on average.
const CLUSTER: usize = 100;

/// A sequence that looks random.
struct Numbers(u64);

impl Numbers {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From -1 to 1, those near to 0 the commoner.
    fn next(&mut self) -> f32 {
        let half = |bits: u64| (bits & 0xff_ffff) as f32 / (1 << 24) as f32;
        let bits = self.bits();
        half(bits) + half(bits >> 24) - 1.0
    }

    /// Somewhere around the centre of a cluster.
    fn near(&mut self, clusters: u64) -> Vec<f32> {
        let mut centre = Numbers(self.bits() % clusters);
        (0..DIMS).map(|_| centre.next() + 0.7 * self.next()).collect()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let counts =
        std::env::args().skip(1).map(|count| count.parse()).collect::<Result<Vec<usize>, _>>()?;
    if counts.is_empty() {
        return Err("usage: nearest COUNT...".into());
    }
    println!(
        "| vectors | search | built in, s | file, MB | p50, us | p99, us | recall@10 |\n\
         |---|---|---|---|---|---|---|"
    );
    for count in counts {
        let mut numbers = Numbers(count as u64);
        let clusters = (count / CLUSTER).max(1) as u64;
        let vectors: Vec<Vec<f32>> = (0..count).map(|_| numbers.near(clusters)).collect();
        let questions: Vec<Vec<f32>> = (0..QUESTIONS).map(|_| numbers.near(clusters)).collect();
        let folder = tempfile::tempdir()?;
        let mut right: Vec<HashSet<u32>> = Vec::new();
        for (name, nearest) in [("exact", VectorPlan::Exact), ("hnsw", VectorPlan::Hnsw)] {
            let file = folder.path().join(name);
            let built = build(&file, &vectors, nearest)?;
            let index = MappedIndex::open(&file)?;
            let (found, times) = ask(&index, &questions);
            if right.is_empty() {
                right.clone_from(&found);
            }
            let same: usize =
                found.iter().zip(&right).map(|(a, b)| a.intersection(b).count()).sum();
            let micros =
                |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
            println!(
                "| {count} | {name} | {:.1} | {:.1} | {:.0} | {:.0} | {:.3} |",
                built.as_secs_f64(),
                std::fs::metadata(&file)?.len() as f64 / 1e6,
                micros(0.5),
                micros(0.99),
                same as f64 / (QUESTIONS * 10) as f64
            );
        }
    }
    Ok(())
}

fn build(
    file: &Path,
    vectors: &[Vec<f32>],
    nearest: VectorPlan,
) -> Result<Duration, Box<dyn Error>> {
    let started = Instant::now();
    let options = BuildOptions { search: SearchMode::Vector, dims: DIMS };
    let mut builder = IndexBuilder::new(options)?.nearest_by(nearest);
    for (number, vector) in vectors.iter().enumerate() {
        builder.push(&number.to_string(), "", b"", Some(vector.clone()))?;
    }
    builder.build_to(file)?;
    Ok(started.elapsed())
}

/// The ten nearest of each question, and the times it took, in order.
fn ask(index: &MappedIndex, questions: &[Vec<f32>]) -> (Vec<HashSet<u32>>, Vec<Duration>) {
    let mut times = Vec::new();
    let found = questions.iter().map(|question| {
        let started = Instant::now();
        let hits = index.search(Query { text: None, vector: Some(question) }, 10);
        times.push(started.elapsed());
        hits.iter().map(|hit| hit.document).collect()
    });
    let found = found.collect();
    times.sort_unstable();
    (found, times)
}

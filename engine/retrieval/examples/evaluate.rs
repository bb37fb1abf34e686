//! Measures retrieval on a judged set: `evaluate DOCS.jsonl QUERIES.csv QRELS.csv [DIMS]`.
//!
//! Prints, for each way to search, how often a gold passage is first or among the first ten, and
//! the mean reciprocal rank within ten.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use sage_core::index::{Index, Query};
use sage_core::text::hashed_vector;
use sage_retrieval::{BuildOptions, IndexBuilder, MappedIndex, SearchMode};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [documents, queries, judgements, rest @ ..] = &arguments[..] else {
        return Err("usage: evaluate DOCS.jsonl QUERIES.csv QRELS.csv [DIMS]".into());
    };
    let dims = rest.first().map_or(Ok(384), |text| text.parse())?;

    let started = Instant::now();
    let options = BuildOptions { search: SearchMode::Bm25, dims };
    let mut builder = IndexBuilder::new(options)?;
    for line in std::fs::read_to_string(documents)?.lines() {
        let row: HashMap<String, String> = serde_json::from_str(line)?;
        let text = format!("{}\n{}", row["title"], row["text"]);
        builder.push(&row["id"], &text, line.as_bytes(), None)?;
    }
    let file = std::env::temp_dir().join(format!("evaluate-{}.index", std::process::id()));
    let info = builder.build_to(&file)?;
    let built = started.elapsed();
    let started = Instant::now();
    let index = MappedIndex::open(&file)?;
    std::fs::remove_file(&file)?;
    eprintln!("{info:?}, built in {built:.0?}, opened in {:.1?}", started.elapsed());

    let questions = pairs(Path::new(queries))?;
    let mut gold: HashMap<String, HashSet<String>> = HashMap::new();
    for (query, document) in pairs(Path::new(judgements))? {
        gold.entry(query).or_default().insert(document);
    }
    let weighted = [0.1, 0.2, 0.3, 0.5].map(SearchMode::Weighted);
    let modes = [&[SearchMode::Bm25, SearchMode::Vector, SearchMode::Rrf][..], &weighted].concat();
    for mode in modes {
        let (mut first, mut ten, mut reciprocal) = (0.0, 0.0, 0.0);
        let mut spent = std::time::Duration::ZERO;
        for (id, text) in &questions {
            let vector = hashed_vector(text, dims);
            let query = Query { text: Some(text), vector: Some(&vector) };
            let started = Instant::now();
            let hits = index.search_by(mode, query, 10);
            spent += started.elapsed();
            let right = |document| index.key(document).is_some_and(|key| gold[id].contains(key));
            if let Some(rank) = hits.iter().position(|hit| right(hit.document)) {
                first += f64::from(u8::from(rank == 0));
                ten += 1.0;
                reciprocal += 1.0 / (rank as f64 + 1.0);
            }
        }
        let count = questions.len() as f64;
        let name = format!("{mode:?}");
        eprintln!(
            "{name:<15} hit@1 {:.3}  hit@10 {:.3}  MRR@10 {:.3}  {:.2?} a query",
            first / count,
            ten / count,
            reciprocal / count,
            spent / questions.len() as u32
        );
    }
    debug_assert_eq!(index.len(), info.documents);
    Ok(())
}

/// The first two columns of a CSV file with a header.
fn pairs(path: &Path) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let mut pairs = Vec::new();
    for row in csv::Reader::from_path(path)?.into_records() {
        let row = row?;
        pairs.push((row[0].to_owned(), row[1].to_owned()));
    }
    Ok(pairs)
}

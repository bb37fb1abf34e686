//! Search among some documents: exactly what is left of the ranking of all when the others are left
//! out, with a graph of the vectors as without one.

#![allow(clippy::unwrap_used, reason = "a failure here should stop the test")]

use std::path::Path;

use proptest::prelude::*;
use sage_core::index::{Hit, Index, Query};
use sage_core::text::hashed_vector;
use sage_dsl::plan::VectorPlan;
use sage_retrieval::{BuildOptions, IndexBuilder, MappedIndex, SearchMode};

const DIMS: usize = 16;
const WORDS: [&str; 8] =
    ["worker", "gateway", "retry", "queue", "journal", "replay", "vector", "index"];

/// The words that `number` stands for.
fn text(number: u32) -> String {
    let word = |at: u32| WORDS[(number.wrapping_mul(2_654_435_761) >> (at * 3)) as usize % 8];
    (0..5).map(word).collect::<Vec<_>>().join(" ")
}

fn build(path: &Path, count: u32, nearest: VectorPlan, search: SearchMode) -> MappedIndex {
    let options = BuildOptions { search, dims: DIMS };
    let mut builder = IndexBuilder::new(options).unwrap().nearest_by(nearest);
    for number in 0..count {
        let vector = hashed_vector(&format!("{} {number}", text(number)), DIMS);
        builder.push(&number.to_string(), &text(number), b"", Some(vector)).unwrap();
    }
    builder.build_to(path).unwrap();
    MappedIndex::open(path).unwrap()
}

fn bits(hits: &[Hit]) -> Vec<(u32, u32)> {
    hits.iter().map(|hit| (hit.document, hit.score.to_bits())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn one_side_ranks_what_is_left(
        count in 1_u32..80,
        left in prop::collection::vec(any::<bool>(), 80),
        asked in any::<u32>(),
        k in 0_usize..20,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mode = SearchMode::Weighted(0.5);
        let index = build(&folder.path().join("docs"), count, VectorPlan::Usual, mode);
        let wanted: Vec<u32> = (0..count).filter(|at| left[*at as usize]).collect();
        let (text, vector) = (text(asked), hashed_vector(&text(asked), DIMS));
        let query = Query { text: Some(&text), vector: Some(&vector) };
        for mode in [SearchMode::Bm25, SearchMode::Vector] {
            let mut all = index.search_by(mode, query, count as usize);
            all.retain(|hit| wanted.contains(&hit.document));
            all.truncate(k);
            let some = index.search_by_among(mode, query, k, &wanted);
            prop_assert_eq!(bits(&some), bits(&all), "{:?}", mode);
        }
        for mode in [SearchMode::Rrf, SearchMode::Weighted(0.3)] {
            let some = index.search_by_among(mode, query, k, &wanted);
            prop_assert!(some.iter().all(|hit| wanted.contains(&hit.document)));
            prop_assert!(some.len() <= k.min(wanted.len()));
            let everything: Vec<u32> = (0..count).collect();
            let all = index.search_by(mode, query, k);
            let among = index.search_by_among(mode, query, k, &everything);
            prop_assert_eq!(bits(&all), bits(&among), "{:?}", mode);
        }
        // Numbers that no document has are nobody's.
        let beyond: Vec<u32> = wanted.iter().copied().chain([count, u32::MAX]).collect();
        let (with, without) = (
            index.search_by_among(SearchMode::Bm25, query, k, &beyond),
            index.search_by_among(SearchMode::Bm25, query, k, &wanted),
        );
        prop_assert_eq!(bits(&with), bits(&without));
    }
}

#[test]
fn a_graph_changes_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [SearchMode::Vector, SearchMode::Rrf, SearchMode::Weighted(0.7)] {
        let graph = build(&folder.path().join("graph"), 1_100, VectorPlan::Hnsw, mode);
        let exact = build(&folder.path().join("exact"), 1_100, VectorPlan::Exact, mode);
        for step in [1_usize, 3, 50, 400] {
            let wanted: Vec<u32> = (0..1_100).step_by(step).collect();
            for asked in 0..10 {
                let (text, vector) = (text(asked), hashed_vector(&text(asked), DIMS));
                let query = Query { text: Some(&text), vector: Some(&vector) };
                let (a, b) = (
                    graph.search_among(query, 10, &wanted),
                    exact.search_among(query, 10, &wanted),
                );
                assert_eq!(bits(&a), bits(&b), "{mode:?} {step}");
                assert_eq!(a.len(), 10.min(wanted.len()));
            }
        }
    }
}

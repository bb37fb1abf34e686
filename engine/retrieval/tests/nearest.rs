//! The graph of an index against the search that compares all vectors.

#![allow(clippy::unwrap_used, reason = "a failure here should stop the test")]

use std::collections::HashSet;
use std::path::Path;

use proptest::prelude::*;
use sage_core::index::{Index, Query};
use sage_dsl::plan::VectorPlan;
use sage_retrieval::{BuildOptions, IndexBuilder, MappedIndex, SearchMode};

const DIMS: usize = 16;

/// A sequence that looks random, from `seed`.
struct Numbers(u64);

impl Numbers {
    /// Of about the normal distribution.
    fn next(&mut self) -> f32 {
        let mut sum = 0.0;
        for _ in 0..4 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            sum += (self.0 >> 40) as f32 / (1_u64 << 24) as f32 - 0.5;
        }
        sum
    }

    fn vector(&mut self) -> Vec<f32> {
        (0..DIMS).map(|_| self.next()).collect()
    }

    /// Near to one of `centres`, which is chosen by `at`.
    fn near(&mut self, centres: &[Vec<f32>], at: usize) -> Vec<f32> {
        let centre = &centres[at % centres.len()];
        centre.iter().map(|x| x + 0.15 * self.next()).collect()
    }
}

fn build(path: &Path, vectors: &[Vec<f32>], nearest: VectorPlan, search: SearchMode) {
    let options = BuildOptions { search, dims: DIMS };
    let mut builder = IndexBuilder::new(options).unwrap().nearest_by(nearest);
    for (number, vector) in vectors.iter().enumerate() {
        let key = format!("d{number}");
        let text = format!("word{} word{}", number % 97, number % 13);
        builder.push(&key, &text, key.as_bytes(), Some(vector.clone())).unwrap();
    }
    builder.build_to(path).unwrap();
}

/// Share of the first ten that the graph finds, over `questions`; all that it finds has the score
/// of the exact search.
fn recall(vectors: &[Vec<f32>], questions: &[Vec<f32>]) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let (graph, exact) = (folder.path().join("graph"), folder.path().join("exact"));
    build(&graph, vectors, VectorPlan::Hnsw, SearchMode::Vector);
    build(&exact, vectors, VectorPlan::Exact, SearchMode::Vector);
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert!(size(&graph) > size(&exact), "there is a graph");
    let (graph, exact) = (MappedIndex::open(&graph).unwrap(), MappedIndex::open(&exact).unwrap());
    let (mut found, mut all) = (0, 0);
    for question in questions {
        let query = Query { text: None, vector: Some(question) };
        let right: HashSet<(u32, u32)> =
            exact.search(query, 10).iter().map(|hit| (hit.document, hit.score.to_bits())).collect();
        let hits = graph.search(query, 10);
        assert_eq!(hits.len(), 10);
        assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
        found +=
            hits.iter().filter(|hit| right.contains(&(hit.document, hit.score.to_bits()))).count();
        all += right.len();
    }
    found as f64 / all as f64
}

#[test]
fn the_graph_finds_nearly_all_of_random_vectors() {
    let mut numbers = Numbers(1);
    let vectors: Vec<_> = (0..1_500).map(|_| numbers.vector()).collect();
    let questions: Vec<_> = (0..60).map(|_| numbers.vector()).collect();
    let recall = recall(&vectors, &questions);
    assert!(recall >= 0.95, "{recall}");
}

#[test]
fn the_graph_finds_nearly_all_of_clustered_vectors() {
    let mut numbers = Numbers(2);
    let centres: Vec<_> = (0..40).map(|_| numbers.vector()).collect();
    // Cluster by cluster, as the passages of a book come: the hard order for such a graph.
    let vectors: Vec<_> = (0..1_500).map(|at| numbers.near(&centres, at / 40)).collect();
    let questions: Vec<_> = (0..60).map(|at| numbers.near(&centres, at)).collect();
    let recall = recall(&vectors, &questions);
    assert!(recall >= 0.95, "{recall}");
}

#[test]
fn many_equal_vectors_do_not_hide_the_others() {
    let mut numbers = Numbers(3);
    let same = numbers.vector();
    let mut vectors = vec![same; 1_200];
    vectors.extend((0..300).map(|_| numbers.vector()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docs.index");
    build(&path, &vectors, VectorPlan::Hnsw, SearchMode::Vector);
    let index = MappedIndex::open(&path).unwrap();
    for (number, vector) in vectors.iter().enumerate().skip(1_200).step_by(7) {
        let hits = index.search(Query { text: None, vector: Some(vector) }, 1);
        assert_eq!(hits[0].document as usize, number);
    }
}

#[test]
fn a_graph_is_the_same_each_time_and_not_made_for_a_few() {
    let mut numbers = Numbers(4);
    let vectors: Vec<_> = (0..1_001).map(|_| numbers.vector()).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docs.index");
    let bytes = |vectors: &[Vec<f32>], nearest| {
        build(&path, vectors, nearest, SearchMode::Vector);
        std::fs::read(&path).unwrap()
    };
    let graph = bytes(&vectors, VectorPlan::Hnsw);
    assert_eq!(graph, bytes(&vectors, VectorPlan::Hnsw));
    let exact = bytes(&vectors, VectorPlan::Exact);
    assert!(graph.len() > exact.len());
    assert_eq!(exact, bytes(&vectors, VectorPlan::Usual));
    let few = &vectors[..1_000];
    assert_eq!(bytes(few, VectorPlan::Hnsw), bytes(few, VectorPlan::Exact));
}

#[test]
fn fusion_over_the_graph_is_close_to_fusion_over_all() {
    let mut numbers = Numbers(5);
    let centres: Vec<_> = (0..30).map(|_| numbers.vector()).collect();
    let vectors: Vec<_> = (0..1_100).map(|at| numbers.near(&centres, at)).collect();
    let folder = tempfile::tempdir().unwrap();
    let (graph, exact) = (folder.path().join("graph"), folder.path().join("exact"));
    for mode in [SearchMode::Weighted(0.7), SearchMode::Rrf] {
        build(&graph, &vectors, VectorPlan::Hnsw, mode);
        build(&exact, &vectors, VectorPlan::Exact, mode);
        let (graph, exact) =
            (MappedIndex::open(&graph).unwrap(), MappedIndex::open(&exact).unwrap());
        let (mut same, mut all) = (0, 0);
        for at in 0..30 {
            let (vector, text) = (numbers.near(&centres, at), format!("word{at} word{}", at % 13));
            let query = Query { text: Some(&text), vector: Some(&vector) };
            let right: HashSet<u32> = exact.search(query, 10).iter().map(|h| h.document).collect();
            same += graph.search(query, 10).iter().filter(|h| right.contains(&h.document)).count();
            all += right.len();
        }
        assert!(same as f64 >= 0.9 * all as f64, "{mode:?}: {same} of {all}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]

    /// Whatever the vectors: what is found is right, and nearly everything is found.
    #[test]
    fn the_graph_agrees_with_the_exact_search(
        seed in any::<u64>(),
        clusters in 1_usize..200,
        count in 1_001_usize..1_200,
    ) {
        let mut numbers = Numbers(seed);
        let centres: Vec<_> = (0..clusters).map(|_| numbers.vector()).collect();
        let vectors: Vec<_> = (0..count).map(|at| numbers.near(&centres, at * 7)).collect();
        let questions: Vec<_> = (0..20).map(|at| numbers.near(&centres, at)).collect();
        let recall = recall(&vectors, &questions);
        prop_assert!(recall >= 0.9, "{}", recall);
    }
}

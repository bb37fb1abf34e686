//! Builds the graph of an index by the library `hnsw_rs`, and writes its lists.
//!
//! Documents are inserted one after the other, in order: several at once would be quicker and make
//! another graph each time, and an index is the same, byte for byte, however often it is built. The
//! library is given numbers of documents in the place of vectors, and compares what is stored for
//! them, so nothing is held twice and a document is as near as a search will find it.
//!
//! A list that is full loses its farthest entry, so that a document may be in nobody's list any
//! more. Each one that cannot be reached gets a place in the list of one that can.

use std::collections::{BTreeMap, HashMap};

use hnsw_rs::anndists::dist::distances::Distance;
use hnsw_rs::prelude::Hnsw;

use crate::graph::MAX_LAYERS;
use crate::vectors::Stored;

/// Length of the lists, twice that in the lowest layer.
const LINKS: usize = 16;
/// Candidates that are looked at for a list.
const CANDIDATES: usize = 200;

/// One over the cosine of two stored vectors.
struct Angle<'a>(Stored<'a>);

impl Distance<u32> for Angle<'_> {
    fn eval(&self, a: &[u32], b: &[u32]) -> f32 {
        match (a, b) {
            (&[a], &[b]) => (1.0 - self.0.cosine(a, b)).max(0.0),
            _ => 1.0,
        }
    }
}

/// The lists of the documents of the lowest layer, which has all.
type Lists = Vec<Vec<u32>>;
/// Lists of some documents.
type Few = BTreeMap<u32, Vec<u32>>;

/// The section for `documents` vectors; empty where there are none.
pub(crate) fn build(stored: Stored<'_>, documents: u32) -> Vec<u8> {
    if documents == 0 {
        return Vec::new();
    }
    let angle = Angle(stored);
    let graph = Hnsw::new(LINKS, documents as usize, MAX_LAYERS, CANDIDATES, angle);
    let mut firsts = HashMap::new();
    let mut equals = Few::new();
    for document in 0..documents {
        let first = *firsts.entry(stored.bytes(document)).or_insert(document);
        if first == document {
            graph.insert((&[document], document as usize));
        } else {
            equals.entry(first).or_default().push(document);
        }
    }
    let mut lowest: Lists = vec![Vec::new(); documents as usize];
    let mut upper: Vec<Few> = Vec::new();
    for point in graph.get_point_indexation() {
        let document = point.get_origin_id();
        let level = usize::from(point.get_point_id().0);
        if upper.len() < level {
            upper.resize_with(level, Few::default);
        }
        for (layer, list) in point.get_neighborhood_id().into_iter().take(level + 1).enumerate() {
            let others = list.iter().map(|near| near.d_id).filter(|near| *near != document);
            let list = others.map(|near| near as u32).collect();
            match layer.checked_sub(1) {
                None => lowest[document] = list,
                Some(above) => drop(upper[above].insert(document as u32, list)),
            }
        }
    }
    drop(graph);
    let entry = upper.last().and_then(|top| top.keys().next()).copied().unwrap_or(0);
    let others: Vec<u32> = equals.values().flatten().copied().collect();
    reach_all(&mut lowest, entry, &others);
    write(&lowest, &upper, &equals, entry)
}

/// Gives each document that cannot be reached from `entry` a place in the list of one that can, but
/// for those `outside` of the graph.
fn reach_all(lists: &mut Lists, entry: u32, outside: &[u32]) {
    let mut reached = vec![false; lists.len()];
    outside.iter().for_each(|document| reached[*document as usize] = true);
    reach(lists, entry, &mut reached);
    loop {
        let mut progress = false;
        for document in 0..lists.len() {
            if reached[document] {
                continue;
            }
            // Its nearest that can be reached; the lists begin with the nearest.
            let near = lists[document].iter().copied().find(|near| reached[*near as usize]);
            if let Some(near) = near {
                lists[near as usize].push(document as u32);
                reach(lists, document as u32, &mut reached);
                progress = true;
            }
        }
        let Some(left) = reached.iter().position(|reached| !reached) else { return };
        if !progress {
            lists[entry as usize].push(left as u32);
            reach(lists, left as u32, &mut reached);
        }
    }
}

fn reach(lists: &Lists, from: u32, reached: &mut [bool]) {
    let mut open = vec![from];
    reached[from as usize] = true;
    while let Some(document) = open.pop() {
        for &near in &lists[document as usize] {
            if !std::mem::replace(&mut reached[near as usize], true) {
                open.push(near);
            }
        }
    }
}

fn write(lowest: &Lists, upper: &[Few], equals: &Few, entry: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    push(&mut bytes, [upper.len() as u32 + 1, entry]);
    push(&mut bytes, [lowest.len() as u32, lowest.iter().map(|list| list.len() as u32).sum()]);
    for layer in upper.iter().chain([equals]) {
        push(&mut bytes, [layer.len() as u32, layer.values().map(|list| list.len() as u32).sum()]);
    }
    push_lists(&mut bytes, lowest.iter());
    for layer in upper.iter().chain([equals]) {
        push(&mut bytes, layer.keys().copied());
        push_lists(&mut bytes, layer.values());
    }
    bytes
}

fn push(bytes: &mut Vec<u8>, numbers: impl IntoIterator<Item = u32>) {
    numbers.into_iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
}

/// Their ends, then the lists.
fn push_lists<'l>(bytes: &mut Vec<u8>, lists: impl Iterator<Item = &'l Vec<u32>> + Clone) {
    let mut end = 0;
    for list in lists.clone() {
        end += list.len() as u32;
        push(bytes, [end]);
    }
    lists.for_each(|list| push(bytes, list.iter().copied()));
}

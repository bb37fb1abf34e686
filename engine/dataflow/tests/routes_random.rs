//! Random routes and loops, one in another, against a walk through what is written.

#![allow(clippy::unwrap_used, reason = "tests fail")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use common::Run;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use sage_core::text::fnv1a;

const COUNT: i64 = 24;

/// `(name * by + plus) % 97`; the name is `.id` or one in sight, chosen by `of`.
#[derive(Debug, Clone)]
struct Sum {
    of: usize,
    by: i64,
    plus: i64,
}

#[derive(Debug, Clone)]
enum Part {
    /// A column by an expression.
    Map(Sum),
    /// A column by a stage that computes, and one that waits beside it.
    Chain(Sum),
    /// Drop records whose sum is at or below the bound.
    Where(Sum, i64),
    Emit(Sum),
    /// Arms for 0, 1 and all others, each with a value that goes on behind the route.
    Route(Sum, Vec<(Vec<Part>, Sum)>),
    /// Rounds, the bound of `until`, the first value, the body, the next value.
    Loop(u32, i64, Sum, Vec<Part>, Sum),
}

fn sum() -> impl Strategy<Value = Sum> {
    (0..8_usize, 1..40_i64, 0..97_i64).prop_map(|(of, by, plus)| Sum { of, by, plus })
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let leaf = prop_oneof![
        3 => sum().prop_map(Part::Map),
        1 => sum().prop_map(Part::Chain),
        1 => (sum(), 0..20_i64).prop_map(|(sum, bound)| Part::Where(sum, bound)),
        1 => sum().prop_map(Part::Emit),
    ];
    let part = leaf.prop_recursive(3, 24, 4, |inner| {
        let body = prop::collection::vec(inner, 0..3);
        let arm = (body.clone(), sum());
        prop_oneof![
            (sum(), prop::collection::vec(arm, 3)).prop_map(|(of, arms)| Part::Route(of, arms)),
            (1..4_u32, 0..97_i64, sum(), body, sum()).prop_map(
                |(rounds, bound, first, body, next)| {
                    Part::Loop(rounds, bound, first, body, next)
                }
            ),
        ]
    });
    prop::collection::vec(part, 1..5)
}

/// Writes a program. A program has filters or emits in its middle, not both: a filter behind an emit
/// is an error.
struct Writer {
    text: String,
    filters: bool,
    next: usize,
}

impl Writer {
    fn name(&mut self, of: &str) -> String {
        self.next += 1;
        format!("{of}{}", self.next)
    }

    fn body(&mut self, parts: &[Part], seen: &mut Vec<String>) {
        for part in parts {
            match part {
                Part::Map(sum) => {
                    let name = self.name("m");
                    let _ = writeln!(self.text, "stage {name} = {}", shown(sum, seen));
                    seen.push(name);
                }
                Part::Chain(sum) => {
                    let (chain, wait, name) = (self.name("c"), self.name("w"), self.name("h"));
                    let sum = shown(sum, seen);
                    let _ = writeln!(
                        self.text,
                        "stage {chain} = hash_chain(to_string({sum}), rounds: 2)\n\
                         stage {wait} = sleep(1us * ({sum}))\n\
                         stage {name} = length({chain}) + {sum}"
                    );
                    seen.push(name);
                }
                Part::Where(sum, bound) if self.filters => {
                    let _ = writeln!(self.text, "where {} > {bound}", shown(sum, seen));
                }
                Part::Emit(sum) if !self.filters => {
                    let sum = shown(sum, seen);
                    let _ = writeln!(self.text, "emit Out {{ id: .id, x: {sum} }} into outs");
                }
                Part::Where(..) | Part::Emit(_) => {}
                Part::Route(sum, arms) => {
                    let name = self.name("r");
                    let _ = writeln!(self.text, "route ({}) % 3 {{", shown(sum, seen));
                    for (head, (body, value)) in ["when 0", "when 1", "else"].iter().zip(arms) {
                        let before = seen.len();
                        let _ = writeln!(self.text, "{head} => {{");
                        self.body(body, seen);
                        let _ = writeln!(self.text, "stage {name} = {}\n}}", shown(value, seen));
                        seen.truncate(before);
                    }
                    self.text.push_str("}\n");
                    seen.push(name);
                }
                Part::Loop(rounds, bound, first, body, next) => {
                    let (name, before) = (self.name("l"), seen.len());
                    let _ = writeln!(
                        self.text,
                        "loop up to {rounds} until {name} > {bound} {{\ncarry {name} = {}",
                        shown(first, seen)
                    );
                    seen.push(name.clone());
                    self.body(body, seen);
                    let _ = writeln!(self.text, "carry {name} = {}\n}}", shown(next, seen));
                    seen.truncate(before);
                    seen.push(name);
                }
            }
        }
    }
}

fn shown(sum: &Sum, seen: &[String]) -> String {
    let name = sum.of.checked_rem(seen.len() + 1).filter(|at| *at < seen.len());
    let name = name.map_or(".id", |at| &seen[at]);
    format!("({name} * {} + {}) % 97", sum.by, sum.plus)
}

/// Walks one record.
struct Walker {
    id: i64,
    filters: bool,
    rows: Vec<String>,
}

impl Walker {
    fn value(&self, sum: &Sum, seen: &[i64]) -> i64 {
        let at = sum.of.checked_rem(seen.len() + 1).filter(|at| *at < seen.len());
        (at.map_or(self.id, |at| seen[at]) * sum.by + sum.plus) % 97
    }

    /// Whether the record goes on.
    fn body(&mut self, parts: &[Part], seen: &mut Vec<i64>) -> bool {
        for part in parts {
            match part {
                Part::Map(sum) => seen.push(self.value(sum, seen)),
                Part::Chain(sum) => {
                    let sum = self.value(sum, seen);
                    let mut digest = fnv1a(sum.to_string().as_bytes());
                    for _ in 0..2 {
                        digest = fnv1a(&digest.to_le_bytes());
                    }
                    seen.push(format!("{digest:016x}").len() as i64 + sum);
                }
                Part::Where(sum, bound) => {
                    if self.filters && self.value(sum, seen) <= *bound {
                        return false;
                    }
                }
                Part::Emit(sum) => {
                    if !self.filters {
                        let x = self.value(sum, seen);
                        self.emit(x);
                    }
                }
                Part::Route(sum, arms) => {
                    let at = (self.value(sum, seen) % 3) as usize;
                    let (body, value) = &arms[at];
                    let before = seen.len();
                    if !self.body(body, seen) {
                        return false;
                    }
                    let value = self.value(value, seen);
                    seen.truncate(before);
                    seen.push(value);
                }
                Part::Loop(rounds, bound, first, body, next) => {
                    let before = seen.len();
                    let mut carried = self.value(first, seen);
                    for _ in 0..*rounds {
                        seen.push(carried);
                        if !self.body(body, seen) {
                            return false;
                        }
                        carried = self.value(next, seen);
                        seen.truncate(before);
                        if carried > *bound {
                            break;
                        }
                    }
                    seen.push(carried);
                }
            }
        }
        true
    }

    fn emit(&mut self, x: i64) {
        self.rows.push(format!(r#"{{"id":{},"x":{x}}}"#, self.id));
    }
}

fn program(parts: &[Part], filters: bool) -> String {
    let mut writer = Writer { text: String::new(), filters, next: 0 };
    let mut seen = Vec::new();
    writer.body(parts, &mut seen);
    let last = Sum { of: seen.len().saturating_sub(1), by: 1, plus: 0 };
    let last = shown(&last, &seen);
    format!(
        "sage 1\ntype Task {{ id: int @key }}\ntype Out {{ id: int, x: int }}\n\
         source tasks: Task from generate(count: {COUNT})\nsink outs: Out to jsonl(\"outs.jsonl\")\n\
         flow f {{\nfrom tasks\n{}emit Out {{ id: .id, x: {last} }} into outs\n}}\n\
         schedule {{ policy: fifo, slots: 4 }}\n",
        writer.text
    )
}

fn oracle(parts: &[Part], filters: bool) -> Vec<String> {
    let mut rows = Vec::new();
    for id in 1..=COUNT {
        let mut walker = Walker { id, filters, rows: Vec::new() };
        let mut seen = Vec::new();
        if walker.body(parts, &mut seen) {
            let last = Sum { of: seen.len().saturating_sub(1), by: 1, plus: 0 };
            let x = walker.value(&last, &seen);
            walker.emit(x);
        }
        rows.append(&mut walker.rows);
    }
    rows.sort();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn a_plan_does_what_its_text_says(parts in parts(), filters in any::<bool>(), workers in 1..3_usize) {
        let text = program(&parts, filters);
        let left = Run::new(&text).workers(workers).go();
        prop_assert_eq!(left.lines("outs.jsonl"), oracle(&parts, filters), "{}", text);
        prop_assert_eq!(left.summary.counts.tasks_ok, COUNT as u64);
    }
}

/// The generator makes what it is to make.
#[test]
fn the_programs_are_not_all_alike() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..100 {
        let parts = parts().new_tree(&mut runner).unwrap().current();
        let text = program(&parts, false);
        for word in ["route", "loop", "emit", "hash_chain"] {
            *seen.entry(word).or_default() += text.matches(word).count();
        }
    }
    assert!(seen.values().all(|count| *count > 30), "{seen:?}");
}

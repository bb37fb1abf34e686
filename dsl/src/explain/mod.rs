//! A plan as text: what runs where, in which order, and what runs side by side.

mod endpoint;
mod experiment;
mod operators;
mod relation;
mod rewrites;
mod stage;
mod touches;
mod tree;

use std::fmt::Write as _;

use crate::catalog::StageClass;
use crate::literal::{show, show_args, show_duration};
use crate::plan::{
    EmitPlan, FigurePlan, MeasurePlan, Node, Plan, SearchPlan, SourcePlan, Turn, VectorPlan,
};

use tree::Tree;

pub use experiment::explain_experiment;
pub use rewrites::explain_rewrites;
pub use touches::explain_touches;

/// Nodes behind the scheduling operator, in groups. Neighbouring stages that wait for something
/// outside and do not read each other share a group: they run side by side. All others stand alone.
pub fn levels(plan: &Plan) -> Vec<Vec<usize>> {
    let schedule = plan.nodes.iter().position(|node| matches!(node, Node::Schedule));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    // Columns of the group at hand; empty when it cannot grow.
    let mut columns: Vec<usize> = Vec::new();
    for (at, node) in plan.nodes.iter().enumerate().skip(schedule.map_or(0, |at| at + 1)) {
        match node {
            Node::Stage(stage) if stage.class == StageClass::Wait => {
                let joins =
                    !columns.is_empty() && !stage.reads.iter().any(|read| columns.contains(read));
                match groups.last_mut() {
                    Some(group) if joins => group.push(at),
                    _ => {
                        groups.push(vec![at]);
                        columns.clear();
                    }
                }
                columns.push(stage.column);
            }
            _ => {
                groups.push(vec![at]);
                columns.clear();
            }
        }
    }
    groups
}

/// The plan as a tree, one line a node.
pub fn explain(plan: &Plan) -> String {
    let mut out = format!("flow {}", plan.name);
    if let Some(summary) = &plan.summary {
        let _ = write!(out, " - {summary}");
    }
    out.push('\n');
    let schedule = plan.nodes.iter().position(|node| matches!(node, Node::Schedule));
    let mut depth = 0;
    let mut tree = Tree::default();
    for node in plan.nodes.iter().take(schedule.unwrap_or(plan.nodes.len())) {
        if let Some(depth) = tree.enter(&mut out, depth, turns(node)) {
            line(&mut out, depth, &node_text(plan, node, " on the source worker"));
        }
        depth = 1;
    }
    if schedule.is_some() {
        line(&mut out, 1, &schedule_text(plan));
    }
    let mut tree = Tree::default();
    for group in levels(plan) {
        // Neighbours of two arms are in one operator, but no record waits for both.
        for beside in group.chunk_by(|a, b| turns(&plan.nodes[*a]) == turns(&plan.nodes[*b])) {
            let Some(depth) = tree.enter(&mut out, 2, turns(&plan.nodes[beside[0]])) else {
                continue;
            };
            let side_by_side = beside.len() > 1;
            if side_by_side {
                line(&mut out, depth, "side by side");
            }
            for at in beside {
                let depth = depth + usize::from(side_by_side);
                line(&mut out, depth, &node_text(plan, &plan.nodes[*at], ""));
                if let Node::Relate(relation) = &plan.nodes[*at] {
                    relation::steps(plan, relation, |text| line(&mut out, depth + 1, text));
                }
            }
        }
    }
    for index in &plan.indexes {
        let from = show_args(&index.args);
        let vectors = match index.embedder.and_then(|at| plan.endpoints.get(at)) {
            Some(endpoint) => format!("vectors by {}", endpoint.name),
            None => "built-in vectors".to_owned(),
        };
        let nearest = match index.vectors {
            VectorPlan::Usual => "",
            VectorPlan::Exact => ", compared one by one",
            VectorPlan::Hnsw => ", found by a graph (hnsw)",
        };
        let text = format!(
            "index {} = {}({from}) {}, {vectors}{nearest} ({})",
            index.name,
            index.kind,
            search_text(index.search),
            place(plan, &index.name, index.line)
        );
        line(&mut out, 0, &text);
    }
    for endpoint in &plan.endpoints {
        line(&mut out, 0, &endpoint::text(plan, endpoint));
    }
    for measure in &plan.measures {
        line(&mut out, 0, &measure_text(measure));
    }
    for objective in &plan.slo {
        line(&mut out, 0, &format!("objective {} (line {})", objective.text, objective.line));
    }
    out
}

/// Where something is declared; the file is said where it is another one than the flow's.
fn place(plan: &Plan, name: &str, line: u32) -> String {
    match plan.imported.0.get(name) {
        Some(file) => format!("line {line} of {file}"),
        None => format!("line {line}"),
    }
}

/// How an index is searched, as it is written.
fn search_text(search: SearchPlan) -> String {
    match search {
        SearchPlan::Bm25 => "bm25".to_owned(),
        SearchPlan::Vector => "vector".to_owned(),
        SearchPlan::Rrf => "hybrid(fuse: rrf)".to_owned(),
        SearchPlan::Weighted(share) => format!("hybrid(weight: {share})"),
    }
}

fn line(out: &mut String, depth: usize, text: &str) {
    let _ = writeln!(out, "{}{text}", "  ".repeat(depth + 1));
}

/// Arms and rounds that a node stands in.
fn turns(node: &Node) -> &[Turn] {
    match node {
        Node::Source(_) | Node::Schedule | Node::Relate(_) => &[],
        Node::Filter(filter) => &filter.turns,
        Node::Stage(stage) => &stage.turns,
        Node::Emit(emit) => &emit.turns,
    }
}

fn node_text(plan: &Plan, node: &Node, place: &str) -> String {
    match node {
        Node::Source(source) => source_text(plan, source),
        Node::Filter(filter) => format!("where {}{place}", filter.text),
        Node::Stage(stage) => stage::text(plan, stage, place),
        Node::Schedule => schedule_text(plan),
        Node::Emit(emit) => emit_text(plan, emit),
        Node::Relate(relation) => relation::text(relation),
    }
}

fn source_text(plan: &Plan, source: &SourcePlan) -> String {
    let mut args = source.args.clone();
    args.extend(source.fields.iter().cloned());
    let dropped = source.expand.as_ref().map_or_else(String::new, |it| without(plan, &it.drops));
    let steps: String = source.as_read(&dropped).iter().map(|line| format!(", {line}")).collect();
    format!(
        "source {}: {} from {}({}) ({}){steps}",
        source.name,
        source.record.name,
        source.kind,
        show_args(&args),
        place(plan, &source.name, source.line)
    )
}

fn schedule_text(plan: &Plan) -> String {
    let schedule = &plan.schedule;
    let mut policy = schedule.policy.clone();
    if !schedule.policy_args.is_empty() {
        let _ = write!(policy, "({})", show_args(&schedule.policy_args));
    }
    let mut text =
        format!("schedule policy={policy} slots={} queue={}", schedule.slots, schedule.queue);
    let of_record = [
        ("priority", &schedule.priority),
        ("fair", &schedule.fair),
        ("due", &schedule.due),
        ("affinity", &schedule.affinity),
    ];
    for (name, given) in of_record {
        let Some(given) = given else { continue };
        let shown = match given {
            crate::plan::Expr::Column(at) => {
                plan.columns.get(*at).map_or_else(String::new, |column| format!(".{}", column.name))
            }
            crate::plan::Expr::Literal(value) => show(value),
            other => stage::reads_text(plan, other),
        };
        let _ = write!(text, " {name}={shown}");
    }
    if let Some(deadline) = schedule.deadline_ns {
        let _ = write!(text, " deadline={}", show_duration(deadline));
    }
    if schedule.morsel > 0 {
        let _ = write!(text, " morsel={}", schedule.morsel);
    }
    text.push_str(", exchange: by decision of the scheduler");
    if !schedule.drops.is_empty() {
        let _ = write!(text, ",{}", without(plan, &schedule.drops));
    }
    text
}

/// Names of columns that are left behind.
fn without(plan: &Plan, columns: &[usize]) -> String {
    let names = columns.iter().filter_map(|at| plan.columns.get(*at));
    let names: Vec<&str> = names.map(|column| column.name.as_str()).collect();
    if names.is_empty() { String::new() } else { format!(" without {}", names.join(", ")) }
}

fn measure_text(measure: &MeasurePlan) -> String {
    let figures: Vec<String> = measure.figures.iter().map(FigurePlan::text).collect();
    format!(
        "measure {} every {} into {}({}) (line {})",
        figures.join("; "),
        show_duration(i64::try_from(measure.every_ns).unwrap_or(i64::MAX)),
        measure.kind,
        show_args(&measure.args),
        measure.line
    )
}

fn emit_text(plan: &Plan, emit: &EmitPlan) -> String {
    let Some(sink) = plan.sinks.get(emit.sink) else { return "emit".to_owned() };
    let condition = emit.text.as_ref().map_or_else(String::new, |text| format!(" if {text}"));
    let mode = if sink.changes { " every change" } else { "" };
    format!(
        "emit {}{mode} into {} = {}({}){condition} (sink on {})",
        sink.record.name,
        sink.name,
        sink.kind,
        show_args(&sink.args),
        place(plan, &sink.name, sink.line)
    )
}

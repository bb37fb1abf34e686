//! What is drawn: shapes and the lines between them.
//!
//! A plan is one line of nodes; the picture is what depends on what. A stage follows the stages it
//! reads. Filters, the scheduling operator and routes are barriers: all that follows depends on them.

use std::collections::HashMap;

use sage_dsl::catalog::StageClass;
use sage_dsl::plan::{EmitPlan, FilterPlan, Node, Plan, RelationStep, StagePlan, Turn};

/// Longest line of text in a shape; a picture is no listing.
const LONGEST: usize = 40;

/// What a shape stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Source,
    Filter,
    /// Microseconds.
    Cheap,
    /// Milliseconds of a core.
    Compute,
    /// Waits for something outside.
    Wait,
    Schedule,
    /// Where records meet.
    Group,
    Route,
    Sink,
    Endpoint,
    Index,
}

impl Kind {
    /// Beside the flow and not in it.
    pub(super) fn is_beside(self) -> bool {
        matches!(self, Kind::Endpoint | Kind::Index)
    }
}

#[derive(Debug)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    /// The first is its name.
    pub(super) lines: Vec<String>,
    /// Arms and loops around it, outside first.
    pub(super) groups: Vec<String>,
    /// How many of them there are up to the loop nearest to it, that one included; 0 without one.
    pub(super) loops: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label: String,
    pub(super) way: Way,
}

/// What goes along a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Records.
    On,
    /// No record: a call of an endpoint, a search of an index.
    Beside,
    /// What a loop carries into its next round.
    Back,
}

#[derive(Debug)]
pub(super) struct Picture {
    pub(super) title: String,
    pub(super) shapes: Vec<Shape>,
    pub(super) lines: Vec<Line>,
}

/// Where the next shape of a path hangs.
struct Barrier {
    turns: Vec<Turn>,
    shape: usize,
    label: String,
}

pub(super) struct Draft<'a> {
    pub(super) plan: &'a Plan,
    picture: Picture,
    barriers: Vec<Barrier>,
    /// Shapes of the flow, each with its turns.
    placed: Vec<(usize, Vec<Turn>)>,
    /// Shape of a column, by its position.
    pub(super) columns: HashMap<usize, usize>,
    /// Shape of a stage, by its name without the number of a round.
    named: HashMap<String, usize>,
    sinks: HashMap<usize, usize>,
}

pub(super) fn of(plan: &Plan) -> Picture {
    let title = plan.summary.as_ref().map_or_else(
        || format!("flow {}", plan.name),
        |summary| format!("flow {}: {summary}", plan.name),
    );
    let mut draft = Draft {
        plan,
        picture: Picture { title, shapes: Vec::new(), lines: Vec::new() },
        barriers: Vec::new(),
        placed: Vec::new(),
        columns: HashMap::new(),
        named: HashMap::new(),
        sinks: HashMap::new(),
    };
    plan.nodes.iter().for_each(|node| draft.node(node));
    draft.beside();
    draft.picture
}

impl Draft<'_> {
    pub(super) fn shape(&mut self, kind: Kind, lines: Vec<String>, turns: &[Turn]) -> usize {
        let lines = lines.iter().filter(|line| !line.is_empty()).map(|line| cut(line)).collect();
        let groups = turns.iter().map(group).collect();
        let nearest = turns.iter().rposition(|turn| matches!(turn, Turn::Round { .. }));
        let loops = nearest.map_or(0, |at| at + 1);
        self.picture.shapes.push(Shape { kind, lines, groups, loops });
        self.picture.shapes.len() - 1
    }

    pub(super) fn line(&mut self, from: usize, to: usize, label: &str, way: Way) {
        let line = Line { from, to, label: cut(label), way };
        if from != to && !self.picture.lines.contains(&line) {
            self.picture.lines.push(line);
        }
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Source(source) => {
                let mut lines = vec![source.name.clone(), format!("source {}", source.kind)];
                lines.extend(source.as_read(""));
                let shape = self.shape(Kind::Source, lines, &[]);
                self.barrier(shape, &[]);
            }
            Node::Filter(filter) => self.filter(filter),
            Node::Schedule => {
                let schedule = &self.plan.schedule;
                let lines = vec![
                    format!("schedule: {}", schedule.policy),
                    format!("{} slots, queue {}", schedule.slots, schedule.queue),
                    "exchange to the workers".to_owned(),
                ];
                let shape = self.shape(Kind::Schedule, lines, &[]);
                self.after_all(shape, &[], "");
                self.barrier(shape, &[]);
            }
            Node::Stage(stage) => self.stage(stage),
            Node::Emit(emit) => self.emit(emit),
            Node::Relate(relation) => relation.steps.iter().for_each(|step| self.relation(step)),
        }
    }

    fn filter(&mut self, filter: &FilterPlan) {
        if drawn(&filter.turns) {
            self.route(&filter.turns);
            let lines = vec!["where".to_owned(), filter.text.clone()];
            let shape = self.shape(Kind::Filter, lines, &filter.turns);
            self.after_all(shape, &filter.turns, "");
            self.barrier(shape, &filter.turns);
        }
    }

    fn emit(&mut self, emit: &EmitPlan) {
        if drawn(&emit.turns) {
            self.route(&emit.turns);
            let shape = match self.sinks.get(&emit.sink) {
                Some(shape) => *shape,
                None => self.sink(emit.sink),
            };
            let label = emit.text.as_ref().map_or(String::new(), |text| format!("if {text}"));
            self.after_all(shape, &emit.turns, &label);
        }
    }

    /// A step over the rows of all records.
    fn relation(&mut self, step: &RelationStep) {
        let (kind, lines) = match step {
            RelationStep::Filter(filter) => return self.filter(filter),
            RelationStep::Emit(emit) => return self.emit(emit),
            RelationStep::Compute(compute) => {
                (Kind::Cheap, vec![compute.name.clone(), compute.ty.to_string()])
            }
            RelationStep::Dedup(step) => (Kind::Group, vec![step.text.clone()]),
            RelationStep::FlatMap(list) => {
                (Kind::Group, vec![list.name.clone(), format!("flat_map: {}", list.ty)])
            }
            RelationStep::Join(join) => (Kind::Group, vec![join.text.clone()]),
            RelationStep::Latest(_) => (Kind::Group, vec!["latest of each key".to_owned()]),
            // Named by the group that follows.
            RelationStep::Window(_) => return,
            RelationStep::Group(group) => {
                let shown = group.aggregates.iter().map(|it| format!("{}: {}", it.name, it.text));
                (Kind::Group, std::iter::once(group.text.clone()).chain(shown.take(4)).collect())
            }
        };
        let shape = self.shape(kind, lines, &[]);
        self.after_all(shape, &[], "");
        self.barrier(shape, &[]);
    }

    fn sink(&mut self, at: usize) -> usize {
        let sink = self.plan.sinks.get(at);
        let lines = sink.map_or(vec!["sink".to_owned()], |sink| {
            vec![sink.name.clone(), format!("sink {}", sink.kind)]
        });
        let shape = self.shape(Kind::Sink, lines, &[]);
        self.sinks.insert(at, shape);
        shape
    }

    fn stage(&mut self, stage: &StagePlan) {
        let name = without_round(&stage.name);
        if !drawn(&stage.turns) {
            // A later round is drawn as the first.
            if let Some(shape) = self.named.get(name) {
                self.columns.insert(stage.column, *shape);
            }
            return;
        }
        self.route(&stage.turns);
        let kind = match stage.class {
            StageClass::Cheap => Kind::Cheap,
            StageClass::Compute => Kind::Compute,
            StageClass::Wait => Kind::Wait,
        };
        let ty = format!("{}: {}", stage.kind, stage.ty);
        let rounds = stage.turns.iter().rev().find_map(|turn| match turn {
            Turn::Round { of, number: 1.., .. } => Some(format!("each round, up to {of}")),
            _ => None,
        });
        let lines = vec![name.to_owned(), ty, rounds.unwrap_or_default()];
        let shape = self.shape(kind, lines, &stage.turns);
        let barrier = self.barrier_of(&stage.turns);
        let behind = barrier.map_or(0, |at| self.barriers[at].shape);
        let mut read: Vec<usize> =
            stage.reads.iter().filter_map(|column| self.columns.get(column)).copied().collect();
        read.retain(|before| *before > behind);
        read.sort_unstable();
        read.dedup();
        if let (true, Some(at)) = (read.is_empty(), barrier) {
            let label = self.barriers[at].label.clone();
            self.line(behind, shape, &label, Way::On);
        }
        read.iter().for_each(|before| self.line(*before, shape, "", Way::On));
        // What ends a round has the name of what begins the loop.
        if let (true, Some(first)) = (in_round(&stage.turns), self.named.get(name).copied()) {
            self.line(shape, first, "next round", Way::Back);
        }
        self.placed.push((shape, stage.turns.clone()));
        self.columns.insert(stage.column, shape);
        self.named.insert(name.to_owned(), shape);
    }

    /// Draws the routes around a node that are not drawn yet, and the ways into their arms.
    fn route(&mut self, turns: &[Turn]) {
        for depth in 1..=turns.len() {
            let path = &turns[..depth];
            let Some(Turn::Arm { subject, pattern, line }) = path.last() else { continue };
            if self.barriers.iter().any(|barrier| barrier.turns == path) {
                continue;
            }
            let name = format!("route on line {line}");
            let shape = if let Some(shape) = self.named.get(&name) {
                *shape
            } else {
                let around = &path[..depth - 1];
                let lines = vec!["route".to_owned(), subject.clone()];
                let shape = self.shape(Kind::Route, lines, around);
                self.after_all(shape, around, "");
                self.named.insert(name, shape);
                shape
            };
            let label = pattern.clone().unwrap_or_else(|| "else".to_owned());
            self.barriers.push(Barrier { turns: path.to_vec(), shape, label });
        }
    }

    fn barrier(&mut self, shape: usize, turns: &[Turn]) {
        self.placed.push((shape, turns.to_vec()));
        self.barriers.push(Barrier { turns: turns.to_vec(), shape, label: String::new() });
    }

    /// The last barrier of the path, or of one around it.
    fn barrier_of(&self, turns: &[Turn]) -> Option<usize> {
        self.barriers.iter().rposition(|barrier| begins(turns, &barrier.turns))
    }

    /// Lines from all that nothing follows yet on the way to `shape`.
    fn after_all(&mut self, shape: usize, turns: &[Turn], label: &str) {
        let barrier = self.barrier_of(turns);
        let behind = barrier.map_or(0, |at| self.barriers[at].shape);
        let open: Vec<usize> = self
            .placed
            .iter()
            .filter(|(at, other)| {
                // What a loop carries stays in it; what it is for is what reads it.
                let mut deeper = other.iter().skip(turns.len());
                let carried = deeper.any(|turn| matches!(turn, Turn::Round { .. }));
                let on_the_way = (begins(turns, other) || begins(other, turns)) && !carried;
                let followed = self.picture.lines.iter().any(|line| {
                    let to_sink = self.picture.shapes[line.to].kind == Kind::Sink;
                    line.from == *at && line.way == Way::On && !to_sink
                });
                *at > behind && *at != shape && on_the_way && !followed
            })
            .map(|(at, _)| *at)
            .collect();
        if let (true, Some(at)) = (open.is_empty(), barrier) {
            let label =
                if label.is_empty() { self.barriers[at].label.clone() } else { label.to_owned() };
            self.line(behind, shape, &label, Way::On);
        }
        open.iter().for_each(|before| self.line(*before, shape, label, Way::On));
    }
}

/// Whether `path` lies within `around`.
fn begins(path: &[Turn], around: &[Turn]) -> bool {
    let rounds = |a: &Turn, b: &Turn| a.goes_on(b);
    path.len() >= around.len() && path.iter().zip(around).all(|(a, b)| rounds(a, b))
}

/// Of the rounds of a loop only the first is drawn, and what is carried into it.
pub(super) fn drawn(turns: &[Turn]) -> bool {
    !turns.iter().any(|turn| matches!(turn, Turn::Round { number: 2.., .. }))
}

/// Whether the loop nearest to a node has begun.
fn in_round(turns: &[Turn]) -> bool {
    let rounds = turns.iter().rev().find_map(|turn| match turn {
        Turn::Round { number, .. } => Some(*number),
        Turn::Arm { .. } => None,
    });
    rounds.is_some_and(|number| number > 0)
}

fn group(turn: &Turn) -> String {
    match turn {
        Turn::Arm { subject, pattern: Some(pattern), .. } => format!("{subject} is {pattern}"),
        Turn::Arm { subject, pattern: None, .. } => format!("{subject} is anything else"),
        Turn::Round { of, until: Some(until), .. } => format!("up to {of} rounds until {until}"),
        Turn::Round { of, until: None, .. } => format!("{of} rounds"),
    }
}

/// A name without the number of a round behind it.
fn without_round(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((before, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => before,
        _ => name,
    }
}

fn cut(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= LONGEST {
        return text;
    }
    let kept: String = text.chars().take(LONGEST - 3).collect();
    format!("{kept}...")
}

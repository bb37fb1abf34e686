//! What may stand at a cursor, from the words before it.

use super::brackets::{Inside, brackets};
use super::token::{Kind, Token, tokens};

/// What is to be named at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A comment or a string.
    Nothing,
    /// A declaration.
    Declaration,
    /// A step of a flow.
    Step,
    /// A field of what ends at this byte.
    FieldOf(usize),
    /// A field of the record at hand.
    OwnField,
    Type,
    Endpoint,
    Source,
    Sink,
    SourceKind,
    DocumentsKind,
    SinkKind,
    Policy,
    /// A flow, for an experiment.
    Flow,
    /// What a test is made of.
    TestPart,
    /// A stage that is mocked.
    Mocked,
    /// A field of what a mocked stage makes.
    FieldOfStage(String),
    /// What a run has left: of a test, with its sinks and endpoints, or its columns alone.
    Outcome {
        of_test: bool,
    },
    /// How a group goes by time.
    Window,
    /// A figure of a `measure`, and what else the one before it may be taken apart by.
    Figure(Option<String>),
    /// A statistic of this figure.
    Statistic(String),
    /// What this figure may be taken apart by.
    Dimension(String),
    /// One of these words.
    Words(&'static [&'static str]),
    /// An argument of a source, a sink, documents or a policy.
    Argument(Leaf, String),
    /// The name of an entry of a block.
    Entry(Owner),
    /// The value of an entry of a block.
    Value(Owner, String),
    /// An expression; of the arguments of a call, with the name of what is called.
    Expression(Option<String>),
}

/// Whose block it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// A stage that calls this.
    Stage(String),
    Endpoint,
    Schedule,
    Index,
    Source,
    Sink,
    /// The aggregates of a `group`.
    Group,
    /// A `fault` of a test.
    Fault,
    Experiment,
    /// What a stage called this makes, in a test.
    Mock(String),
    /// A record of this type.
    Record(String),
    Other,
}

/// What is called and is none of the program's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaf {
    Source,
    Documents,
    Sink,
    Policy,
}

/// Where a cursor is.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) place: Place,
    /// Where the word begins that the cursor is in or behind.
    pub(super) word: usize,
    /// The flow around it.
    pub(super) flow: Option<String>,
    /// The function or prompt that the cursor is in the declaration of.
    pub(super) declaration: Option<String>,
    /// What a value is given for here, by the name in front of a colon.
    pub(super) given: Option<String>,
}

pub(super) fn context(text: &str, cursor: usize) -> Context {
    let before = text.get(..cursor).unwrap_or(text);
    let word = before.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let word = word.map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let all = tokens(before);
    let mut context =
        Context { place: Place::Nothing, word, flow: None, declaration: None, given: None };
    if all.last().is_some_and(|last| within_text(last, before)) {
        return context;
    }
    let known: Vec<Token<'_>> =
        all.into_iter().filter(|token| token.kind != Kind::Comment && token.start < word).collect();
    let (open, flow, declaration) = brackets(&known);
    (context.flow, context.declaration) = (flow, declaration);
    context.place = place(before, word, &known, open.last());
    if let [.., name, colon] = &known[..]
        && colon.is(":")
        && name.kind == Kind::Word
    {
        context.given = Some(name.text.to_owned());
    }
    context
}

/// Whether the cursor is in a comment or within quotes.
fn within_text(last: &Token<'_>, before: &str) -> bool {
    let at_its_end = last.end() == before.len();
    match last.kind {
        Kind::Comment => at_its_end,
        Kind::Text => {
            let quotes = if last.text.starts_with("\"\"\"") { "\"\"\"" } else { "\"" };
            let closed = last.text.len() >= 2 * quotes.len() && last.text.ends_with(quotes);
            at_its_end && !closed
        }
        Kind::Word | Kind::Sign => false,
    }
}

fn place(before: &str, word: usize, tokens: &[Token<'_>], inside: Option<&Inside>) -> Place {
    let last = tokens.last();
    let second = tokens.len().checked_sub(2).map(|at| &tokens[at]);
    let is = |text: &str| last.is_some_and(|last| last.is(text));
    let fresh_line = before[..word].rsplit('\n').next().is_some_and(|line| line.trim().is_empty());
    let line_words: Vec<&str> = line_of(tokens);
    let starts = |word: &str| line_words.first() == Some(&word);
    if is(".") && last.is_some_and(|dot| dot.end() == word) {
        if matches!(inside, Some(Inside::Test)) && starts("mock") && !line_words.contains(&"=") {
            return Place::FieldOfStage(second.map_or("", |stage| stage.text).to_owned());
        }
        let dot = last.map_or(0, |dot| dot.start);
        let of = second.filter(|it| it.end() == dot);
        let expression = of.is_some_and(|it| {
            it.kind == Kind::Word || it.kind == Kind::Text || it.is(")") || it.is("]")
        });
        if let (Some(Inside::Figures), Some(figure)) = (inside, of) {
            return Place::Statistic(figure.text.to_owned());
        }
        return if expression { Place::FieldOf(dot) } else { Place::OwnField };
    }
    match inside {
        None if fresh_line => return Place::Declaration,
        Some(Inside::Steps) if fresh_line || is("{") => return Place::Step,
        Some(Inside::Test) => return in_test(&line_words, fresh_line || is("{")),
        Some(Inside::Results) => return Place::Outcome { of_test: false },
        Some(Inside::Figures) => return measured(&line_words, fresh_line || is("{")),
        Some(Inside::Call(_) | Inside::Other) if starts("expect") => {
            return Place::Outcome { of_test: true };
        }
        Some(Inside::Leaf(leaf, name)) => return Place::Argument(*leaf, name.clone()),
        Some(Inside::Steps) => {
            if let Some(place) = in_step(&line_words) {
                return place;
            }
        }
        Some(Inside::Other) if starts("jobs") => return Place::Flow,
        Some(Inside::Other) if line_words.starts_with(&["sweep", "policy"]) => {
            return Place::Policy;
        }
        _ => {}
    }
    if is("on") {
        return Place::Endpoint;
    }
    if is("into") {
        return Place::Sink;
    }
    if is("from") {
        return match inside {
            Some(Inside::Steps) => Place::Source,
            _ if starts("index") => Place::DocumentsKind,
            _ => Place::SourceKind,
        };
    }
    if is("to") && (starts("sink") || starts("measure")) {
        return Place::SinkKind;
    }
    if inside.is_none() && starts("measure") {
        return match last.map_or("", |last| last.text) {
            "measure" => Place::Words(&["to"]),
            "every" => Place::Expression(None),
            _ => Place::Words(&["every"]),
        };
    }
    let typed = is(":") || is("[") || is(">") && second.is_some_and(|it| it.is("-"));
    let declares =
        ["param", "source", "sink", "index", "fn", "prompt", "carry"].iter().any(|it| starts(it));
    if typed && (matches!(inside, Some(Inside::Types)) || inside.is_none() && declares)
        || is(":") && (starts("carry") || starts("stage") && line_words.len() == 3)
        || is(">") && second.is_some_and(|it| it.is("-"))
    {
        return Place::Type;
    }
    match inside {
        Some(Inside::Block(owner)) => in_block(owner, tokens, fresh_line),
        Some(Inside::Call(name)) => Place::Expression(Some(name.clone())),
        Some(
            Inside::Leaf(..) | Inside::Test | Inside::Results | Inside::Figures | Inside::Types,
        ) => Place::Nothing,
        None if is("=") || starts("fn") => Place::Expression(None),
        None => Place::Nothing,
        Some(Inside::Steps | Inside::Other) => {
            // A name is being given; there is nothing to choose.
            let gives = is("stage") || is("carry");
            if gives { Place::Nothing } else { Place::Expression(None) }
        }
    }
}

/// In a step that relates records, by the words of its line; `None` where an expression stands.
fn in_step(line: &[&str]) -> Option<Place> {
    match line {
        ["join"] | ["join", "left"] => Some(Place::Source),
        ["join", .., "on"] => Some(Place::Expression(None)),
        ["group"] => Some(Place::Words(&["by", "window"])),
        ["group", .., "window"] => Some(Place::Window),
        ["dedup"] => Some(Place::Words(&["by"])),
        ["loop"] => Some(Place::Words(&["up to"])),
        ["flat_map" | "stage" | "carry"] => Some(Place::Nothing),
        ["loop", "up", "to", bound] if bound.parse::<u32>().is_ok() => {
            Some(Place::Words(&["until"]))
        }
        _ => None,
    }
}

/// Within a `measure`, by the words of its line.
fn measured(line: &[&str], fresh: bool) -> Place {
    // What is said of the figure that has not come to its end: `latency . p99 by node ,`.
    let from = line.iter().rposition(|word| *word == "{").map_or(0, |at| at + 1);
    let by = line[from..].iter().rposition(|word| *word == "by").map(|at| at + from);
    let figure = || {
        let before = &line[from..by?];
        let start = before.iter().rposition(|word| *word == ",").map_or(0, |at| at + 1);
        Some((*before.get(start)?).to_owned())
    };
    match (line.last().copied(), by) {
        _ if fresh => Place::Figure(None),
        (Some("by"), _) => figure().map_or(Place::Nothing, Place::Dimension),
        (Some(","), Some(by)) => {
            let dimensions =
                line[by + 1..].iter().all(|word| matches!(*word, "node" | "stage" | ","));
            Place::Figure(figure().filter(|_| dimensions))
        }
        (Some(","), None) => Place::Figure(None),
        _ => Place::Words(&["by"]),
    }
}

/// Within a `test`, by the words of its line.
fn in_test(line: &[&str], fresh: bool) -> Place {
    match line {
        _ if fresh => Place::TestPart,
        ["given", _, "of"] => Place::Source,
        ["given", count] if count.parse::<u32>().is_ok() => Place::Words(&["of"]),
        ["given", ..] => Place::Type,
        ["mock"] => Place::Mocked,
        ["mock", .., "="] => Place::Expression(None),
        ["fault"] => Place::Endpoint,
        ["expect", ..] => Place::Outcome { of_test: true },
        _ => Place::Expression(None),
    }
}

fn in_block(owner: &Owner, tokens: &[Token<'_>], fresh_line: bool) -> Place {
    let Some(last) = tokens.last() else { return Place::Nothing };
    if fresh_line || last.is("{") || last.is(",") {
        return Place::Entry(owner.clone());
    }
    let colon = tokens.iter().rposition(|it| it.is(":") || it.is("{") || it.is(","));
    let key = colon
        .filter(|at| tokens[*at].is(":"))
        .and_then(|at| at.checked_sub(1))
        .map(|at| tokens[at].text.to_owned());
    match key {
        Some(key) if *owner == Owner::Schedule && key == "policy" && last.is(":") => Place::Policy,
        Some(key) if *owner == Owner::Experiment && key == "policy" && last.is(":") => {
            Place::Policy
        }
        Some(key) if *owner == Owner::Index && key == "with" => Place::Endpoint,
        Some(_) if matches!(owner, Owner::Record(_) | Owner::Mock(_) | Owner::Other) => {
            Place::Expression(None)
        }
        Some(key) => Place::Value(owner.clone(), key),
        None => Place::Nothing,
    }
}

/// The words of the line, or of the declaration, that the cursor is in.
fn line_of<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let start = tokens.iter().rposition(|token| token.first_of_line).unwrap_or(0);
    tokens[start..].iter().map(|token| token.text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of the `|`.
    fn at(text: &str) -> Place {
        let cursor = text.find('|').unwrap_or(text.len());
        context(&text.replacen('|', "", 1), cursor).place
    }

    #[test]
    fn places_are_told_apart_by_the_words_before_them() {
        let owned = |name: &str| Some(name.to_owned());
        for (text, place) in [
            ("|", Place::Declaration),
            ("sage 1\npar|", Place::Declaration),
            ("// a |", Place::Nothing),
            ("param x: string = \"a |", Place::Nothing),
            ("param x: |", Place::Type),
            ("type A { x: in|", Place::Type),
            ("type A { x: int\n  y: [|", Place::Type),
            ("type A { x: int = [|", Place::Expression(None)),
            ("param x: [|", Place::Type),
            ("flow f {\n  stage x: |", Place::Type),
            ("fn f(a: |", Place::Type),
            ("prompt p(a: string) -> |", Place::Type),
            ("source s: |", Place::Type),
            ("source s: A from |", Place::SourceKind),
            ("index s: A from |", Place::DocumentsKind),
            ("sink s: A to |", Place::SinkKind),
            ("flow f {\n  from |", Place::Source),
            ("flow f {\n  from a\n  st|", Place::Step),
            ("flow f {\n  from a\n  stage x = ge|", Place::Expression(None)),
            ("flow f {\n  stage x = generate(|", Place::Expression(owned("generate"))),
            ("flow f {\n  stage x = generate(.te|", Place::OwnField),
            ("flow f {\n  stage x = y.te|", Place::FieldOf(22)),
            ("flow f {\n  stage x = y[0].|", Place::FieldOf(25)),
            ("flow f {\n  stage x = generate(.t) on |", Place::Endpoint),
            (
                "flow f {\n  stage x = generate(.t) on e { max|",
                Place::Entry(Owner::Stage("generate".to_owned())),
            ),
            (
                "flow f {\n  stage x = generate(.t) on e { lane: |",
                Place::Value(Owner::Stage("generate".to_owned()), "lane".to_owned()),
            ),
            ("flow f {\n  emit A { |", Place::Entry(Owner::Record("A".to_owned()))),
            ("flow f {\n  emit A { id: |", Place::Expression(None)),
            ("flow f {\n  emit A { id: .id } into |", Place::Sink),
            ("flow f {\n  route .x {\n    when a => {\n      |", Place::Step),
            ("endpoint e { |", Place::Entry(Owner::Endpoint)),
            ("schedule {\n  policy: |", Place::Policy),
            ("schedule {\n  policy: fifo\n  |", Place::Entry(Owner::Schedule)),
            ("index d: A from csv(\"x\") { with: |", Place::Endpoint),
            ("source s: A from csv(|", Place::Argument(Leaf::Source, "csv".to_owned())),
            ("schedule { policy: priority(|", Place::Argument(Leaf::Policy, "priority".to_owned())),
            ("sink s: A to csv(\"x\") { |", Place::Entry(Owner::Sink)),
            ("sink s: A to csv(\"x\") { mode: |", Place::Value(Owner::Sink, "mode".to_owned())),
            ("flow f {\n  join |", Place::Source),
            ("flow f {\n  join left cu|", Place::Source),
            ("flow f {\n  join customers on |", Place::Expression(None)),
            ("flow f {\n  group |", Place::Words(&["by", "window"])),
            ("flow f {\n  group by .x window |", Place::Window),
            ("flow f {\n  group by .x {\n    n: |", Place::Value(Owner::Group, "n".to_owned())),
            ("flow f {\n  group by .x { n: top_k(|", Place::Expression(owned("top_k"))),
            ("test \"t\" {\n  |", Place::TestPart),
            ("test \"t\" {\n  given 3 of |", Place::Source),
            ("test \"t\" {\n  given |", Place::Type),
            ("test \"t\" {\n  given A { |", Place::Entry(Owner::Record("A".to_owned()))),
            ("test \"t\" {\n  mock |", Place::Mocked),
            ("test \"t\" {\n  mock x.|", Place::FieldOfStage("x".to_owned())),
            ("test \"t\" {\n  mock x = { |", Place::Entry(Owner::Mock("x".to_owned()))),
            ("test \"t\" {\n  mock x = |", Place::Expression(None)),
            ("test \"t\" {\n  fault |", Place::Endpoint),
            ("test \"t\" {\n  fault e { |", Place::Entry(Owner::Fault)),
            ("test \"t\" {\n  expect |", Place::Outcome { of_test: true }),
            ("test \"t\" {\n  expect p99(|", Place::Outcome { of_test: true }),
            ("slo { |", Place::Outcome { of_test: false }),
            ("measure |", Place::Words(&["to"])),
            ("measure to |", Place::SinkKind),
            ("measure to csv(|", Place::Argument(Leaf::Sink, "csv".to_owned())),
            ("measure to csv(\"x\") |", Place::Words(&["every"])),
            ("measure to csv(\"x\") every 1s { |", Place::Figure(None)),
            ("measure to stdout {\n  throughput\n  la|", Place::Figure(None)),
            ("measure to stdout { throughput, |", Place::Figure(None)),
            ("measure to stdout { latency.|", Place::Statistic("latency".to_owned())),
            ("measure to stdout { latency |", Place::Words(&["by"])),
            ("measure to stdout { calls, latency.p99 by |", Place::Dimension("latency".to_owned())),
            ("measure to stdout { calls by node, |", Place::Figure(Some("calls".to_owned()))),
            ("measure to stdout { calls by node, retries, |", Place::Figure(None)),
            ("experiment e {\n  |", Place::Entry(Owner::Experiment)),
            ("experiment e {\n  jobs: [|", Place::Flow),
            ("experiment e {\n  sweep policy in [|", Place::Policy),
        ] {
            assert_eq!(at(text), place, "{text}");
        }
    }

    #[test]
    fn any_cursor_in_any_text_is_some_place() {
        let text = "sage 1\nflow f {\n  stage é = \"\"\"\n}}) ]\n\"\"\" . -> { ( [ : on\n";
        for cursor in 0..=text.len() + 3 {
            if text.is_char_boundary(cursor.min(text.len())) {
                context(text, cursor);
            }
        }
    }
}

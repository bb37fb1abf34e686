//! What the open brackets before a cursor belong to, by the words in front of each.

use super::context::{Leaf, Owner};
use super::token::{Kind, Token};

/// What an open bracket belongs to.
#[derive(Debug, Clone)]
pub(super) enum Inside {
    Steps,
    /// Of a `test`.
    Test,
    /// Conditions over results: `slo` and `claim`.
    Results,
    /// The figures of a `measure`.
    Figures,
    Block(Owner),
    Call(String),
    /// The arguments of a source, a sink, documents or a policy.
    Leaf(Leaf, String),
    Types,
    Other,
}

/// The brackets that are open at the end, the flow and the declaration around it.
pub(super) fn brackets(tokens: &[Token<'_>]) -> (Vec<Inside>, Option<String>, Option<String>) {
    let mut open: Vec<Inside> = Vec::new();
    let (mut flow, mut declaration) = (None, None);
    for (at, token) in tokens.iter().enumerate() {
        if token.kind == Kind::Text {
            continue;
        }
        let name = || tokens.get(at + 1).map(|name| name.text.to_owned());
        match token.text {
            // A declaration begins a line; what was left open before it is a mistake.
            "param" | "type" | "enum" | "endpoint" | "source" | "sink" | "index" | "prompt"
            | "fn" | "flow" | "schedule" | "slo" | "measure" | "experiment"
                if token.first_of_line
                    && !matches!(open.last(), Some(Inside::Block(_) | Inside::Call(_))) =>
            {
                open.clear();
                flow = if token.is("flow") { name() } else { None };
                declaration = if token.is("fn") || token.is("prompt") { name() } else { None };
            }
            "test" if token.first_of_line && is_text(tokens.get(at + 1)) => {
                open.clear();
                (flow, declaration) = (None, None);
            }
            "{" | "(" | "[" => open.push(opened(&tokens[..at], token.text, open.last())),
            "}" | ")" | "]" => {
                open.pop();
            }
            _ => {}
        }
    }
    (open, flow, declaration)
}

/// What a bracket belongs to, by the words before it.
fn opened(before: &[Token<'_>], bracket: &str, around: Option<&Inside>) -> Inside {
    let Some(last) = before.last() else { return Inside::Other };
    if bracket == "[" {
        // `y: [` of a field, a param or a parameter is the beginning of a list's type.
        let of_type = last.is(":") || last.is("[");
        return match around {
            None | Some(Inside::Types) if of_type => Inside::Types,
            _ => Inside::Other,
        };
    }
    if bracket == "(" {
        let declares = before.iter().rev().nth(1).is_some_and(|it| it.is("fn") || it.is("prompt"));
        return match last.kind {
            _ if declares => Inside::Types,
            Kind::Word => match leaf(before) {
                Some(leaf) => Inside::Leaf(leaf, last.text.to_owned()),
                None => Inside::Call(last.text.to_owned()),
            },
            _ => Inside::Other,
        };
    }
    if last.kind == Kind::Word && last.text.starts_with(|c: char| c.is_ascii_uppercase()) {
        // `type Name {` declares fields, `Name {` gives values to them.
        let declares = before.iter().rev().nth(1).is_some_and(|it| it.is("type"));
        let record = Inside::Block(Owner::Record(last.text.to_owned()));
        return if declares { Inside::Types } else { record };
    }
    if last.is(":") || last.is("=") {
        // `mock stage = {` gives fields of what the stage makes.
        let line = before.iter().rposition(|token| token.first_of_line).map(|at| &before[at..]);
        return match line {
            Some([mock, target @ .., _]) if mock.is("mock") && target.len() == 1 => {
                Inside::Block(Owner::Mock(target[0].text.to_owned()))
            }
            _ => Inside::Block(Owner::Other),
        };
    }
    let mut depth = 0;
    for (at, token) in before.iter().enumerate().rev() {
        match token.text {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" if depth == 0 => break,
            "(" | "[" | "{" => depth -= 1,
            _ if depth > 0 || token.kind != Kind::Word => {}
            "test" if is_text(before.get(at + 1)) => return Inside::Test,
            "flow" | "loop" | "else" => return Inside::Steps,
            "when" if matches!(around, Some(Inside::Steps | Inside::Other)) => {
                return Inside::Steps;
            }
            "stage" => {
                let called = before[at..]
                    .windows(2)
                    .find(|pair| pair[0].kind == Kind::Word && pair[1].is("("));
                let called = called.map(|pair| pair[0].text.to_owned());
                return Inside::Block(called.map_or(Owner::Other, Owner::Stage));
            }
            "endpoint" => return Inside::Block(Owner::Endpoint),
            "schedule" => return Inside::Block(Owner::Schedule),
            "index" => return Inside::Block(Owner::Index),
            "source" => return Inside::Block(Owner::Source),
            "sink" => return Inside::Block(Owner::Sink),
            "fault" => return Inside::Block(Owner::Fault),
            "group" => return Inside::Block(Owner::Group),
            "experiment" | "quick" => return Inside::Block(Owner::Experiment),
            "slo" | "claim" => return Inside::Results,
            "measure" => return Inside::Figures,
            // `source s: T from ...` is a declaration, `from s` a step.
            "from"
                if at
                    .checked_sub(4)
                    .is_some_and(|at| before[at].is("index") || before[at].is("source")) => {}
            "emit" | "from" => return Inside::Block(Owner::Other),
            "match" | "route" | "enum" => return Inside::Other,
            _ => {}
        }
    }
    Inside::Block(Owner::Other)
}

/// What is called in front of a bracket, where that is none of the program's own: the words before it
/// say so.
fn leaf(before: &[Token<'_>]) -> Option<Leaf> {
    let (_, words) = before.split_last()?;
    let last = words.last()?;
    if last.is(":") {
        let key = words.iter().rev().nth(1)?;
        return key.is("policy").then_some(Leaf::Policy);
    }
    let line = words.iter().rposition(|token| token.first_of_line).unwrap_or(0);
    let first = words.get(line)?;
    match last.text {
        "from" if first.is("source") => Some(Leaf::Source),
        "from" if first.is("index") => Some(Leaf::Documents),
        "to" if first.is("sink") || first.is("measure") => Some(Leaf::Sink),
        _ => None,
    }
}

fn is_text(token: Option<&Token<'_>>) -> bool {
    token.is_some_and(|token| token.kind == Kind::Text)
}

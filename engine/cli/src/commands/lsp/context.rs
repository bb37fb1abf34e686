//! What may stand at a cursor, from the words before it.

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
    /// A record of this type.
    Record(String),
    Other,
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
}

/// What an open bracket belongs to.
#[derive(Debug, Clone)]
enum Inside {
    Steps,
    Block(Owner),
    Call(String),
    Types,
    Other,
}

pub(super) fn context(text: &str, cursor: usize) -> Context {
    let before = text.get(..cursor).unwrap_or(text);
    let word = before.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let word = word.map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let all = tokens(before);
    let mut context = Context { place: Place::Nothing, word, flow: None, declaration: None };
    if all.last().is_some_and(|last| within_text(last, before)) {
        return context;
    }
    let known: Vec<Token<'_>> =
        all.into_iter().filter(|token| token.kind != Kind::Comment && token.start < word).collect();
    let (open, flow, declaration) = brackets(&known);
    (context.flow, context.declaration) = (flow, declaration);
    context.place = place(before, word, &known, open.last());
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

/// The brackets that are open at the end, the flow and the declaration around it.
fn brackets(tokens: &[Token<'_>]) -> (Vec<Inside>, Option<String>, Option<String>) {
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
            | "fn" | "flow" | "schedule" | "slo" | "experiment"
                if token.first_of_line
                    && !matches!(open.last(), Some(Inside::Block(_) | Inside::Call(_))) =>
            {
                open.clear();
                flow = if token.is("flow") { name() } else { None };
                declaration = if token.is("fn") || token.is("prompt") { name() } else { None };
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
            Kind::Word => Inside::Call(last.text.to_owned()),
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
        return Inside::Block(Owner::Other);
    }
    let mut depth = 0;
    for (at, token) in before.iter().enumerate().rev() {
        match token.text {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" if depth == 0 => break,
            "(" | "[" | "{" => depth -= 1,
            _ if depth > 0 || token.kind != Kind::Word => {}
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
            // `source s: T from ...` is a declaration, `from s` a step.
            "from"
                if at
                    .checked_sub(4)
                    .is_some_and(|at| before[at].is("index") || before[at].is("source")) => {}
            "emit" | "sink" | "experiment" | "quick" | "from" => {
                return Inside::Block(Owner::Other);
            }
            "match" | "route" | "enum" | "slo" => return Inside::Other,
            _ => {}
        }
    }
    Inside::Block(Owner::Other)
}

fn place(before: &str, word: usize, tokens: &[Token<'_>], inside: Option<&Inside>) -> Place {
    let last = tokens.last();
    let second = tokens.len().checked_sub(2).map(|at| &tokens[at]);
    let is = |text: &str| last.is_some_and(|last| last.is(text));
    let fresh_line = before[..word].rsplit('\n').next().is_some_and(|line| line.trim().is_empty());
    if is(".") && last.is_some_and(|dot| dot.end() == word) {
        let dot = last.map_or(0, |dot| dot.start);
        let of = second.filter(|it| it.end() == dot);
        let expression = of.is_some_and(|it| {
            it.kind == Kind::Word || it.kind == Kind::Text || it.is(")") || it.is("]")
        });
        return if expression { Place::FieldOf(dot) } else { Place::OwnField };
    }
    match inside {
        None if fresh_line => return Place::Declaration,
        Some(Inside::Steps) if fresh_line || is("{") => return Place::Step,
        _ => {}
    }
    let line_words: Vec<&str> = line_of(tokens);
    let starts = |word: &str| line_words.first() == Some(&word);
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
    if is("to") && starts("sink") {
        return Place::SinkKind;
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
        Some(Inside::Types) => Place::Nothing,
        None if is("=") || starts("fn") => Place::Expression(None),
        None => Place::Nothing,
        Some(Inside::Steps | Inside::Other) => {
            // A name is being given; there is nothing to choose.
            let gives = is("stage") || is("carry");
            if gives { Place::Nothing } else { Place::Expression(None) }
        }
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
        Some(key) if *owner == Owner::Index && key == "with" => Place::Endpoint,
        Some(_) if matches!(owner, Owner::Record(_) | Owner::Other) => Place::Expression(None),
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

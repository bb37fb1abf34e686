//! Room for a structured answer: whether `max_tokens` can hold any answer of its type at all.
//!
//! An answer that is cut off is no JSON, so every call of such a stage would fail, be asked for again
//! and paid for each time. How many tokens a text has depends on the model; four characters a token
//! is more than tokenisers reach with JSON, so what is said here is true of all of them.

use super::Checker;
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::lookup;
use crate::schema::{VALUE, wrapped};
use crate::types::{Type, Value};

/// Characters that a token of JSON has at most, on average.
const CHARACTERS: usize = 4;

impl Checker<'_> {
    /// Warns of an answer of type `ty` that does not fit into the `max_tokens` of its stage.
    pub(super) fn room_for(&mut self, ty: &Type, options: &[(String, Value)], stage: &ast::Stage) {
        let Some(most) = lookup(options, "max_tokens").and_then(Value::as_int) else { return };
        let answer =
            if wrapped(ty) { format!("{{\"{VALUE}\":{}}}", shortest(ty)) } else { shortest(ty) };
        let least = answer.chars().count().div_ceil(CHARACTERS);
        if usize::try_from(most).is_ok_and(|most| most >= least) {
            return;
        }
        let written = stage.block.entries.iter().find(|entry| entry.key.text == "max_tokens");
        let span = written.map_or(stage.value.span, |entry| entry.value.span);
        let message = format!(
            "`max_tokens: {most}` cuts every answer off: {ty} takes at least {least} tokens"
        );
        let shown: String = answer.chars().take(60).collect();
        let dots = if shown.len() < answer.len() { "..." } else { "" };
        let diagnostic = Diagnostic::warning(codes::NO_ROOM, span, message).help(format!(
            "answers are JSON, such as `{shown}{dots}`; give some room, as in `max_tokens: {}`",
            (2 * least).next_power_of_two().max(16)
        ));
        self.report(diagnostic);
    }
}

/// The shortest JSON of a type in which each word of an enum has room.
fn shortest(ty: &Type) -> String {
    match ty {
        Type::Enum(item) => {
            let longest = item.variants.iter().max_by_key(|variant| variant.len());
            format!("\"{}\"", longest.map_or("", String::as_str))
        }
        Type::Record(record) => {
            let field =
                |field: &crate::types::Field| format!("\"{}\":{}", field.name, shortest(&field.ty));
            format!("{{{}}}", record.fields.iter().map(field).collect::<Vec<_>>().join(","))
        }
        Type::List(_) => "[]".to_owned(),
        Type::String => "\"\"".to_owned(),
        Type::Bool => "true".to_owned(),
        Type::Optional(_) => "null".to_owned(),
        _ => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{EnumType, Field, RecordType};

    #[test]
    fn the_shortest_answer_has_all_fields_and_the_longest_word() {
        let words = vec!["low".to_owned(), "medium".to_owned()];
        let level = Type::Enum(EnumType { name: "Level".to_owned(), variants: words });
        let field = |name: &str, ty| Field { name: name.to_owned(), ty, default: None, key: false };
        let fields = vec![
            field("level", level),
            field("why", Type::String),
            field("parts", Type::List(Box::new(Type::String))),
            field("n", Type::Optional(Box::new(Type::Int))),
        ];
        let record = Type::Record(RecordType { name: "Judged".to_owned(), fields });
        assert_eq!(shortest(&record), r#"{"level":"medium","why":"","parts":[],"n":null}"#);
    }
}

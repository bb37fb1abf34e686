//! `context`: the text of found documents, cut to a budget, for a prompt.

use sage_core::expr::{EvalError, Program};
use sage_core::record::{Datum, pack, pack_record};
use sage_core::text::count_tokens;
use sage_dsl::catalog::{Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec};
use sage_dsl::types::{Field, RecordType, Type};

use super::hits::text_field;
use super::{Build, LocalStage, Row, Stage, StageEntry};
use crate::error::DataflowError;

pub(super) static ENTRY: StageEntry = StageEntry {
    spec: StageSpec {
        signature: Signature {
            name: "context",
            summary: "the text of found documents within a token budget; fields text, tokens, count",
            params: &[
                Param { name: "hits", kind: Kind::Hits, default: None, doc: "found documents, best first" },
                Param {
                    name: "budget",
                    kind: Kind::Tokens,
                    default: Some("1800 tokens"),
                    doc: "most tokens; whole documents as long as they fit, the first is cut if it alone is too long",
                },
            ],
            example: "stage ctx = context(best, budget: 1800 tokens)",
            takes_fields: false,
        },
        options: &[],
        result: |types| text_field(&types[0]).map(|_| Type::Record(context_type())),
        calls: EndpointUse::None,
        class: StageClass::Cheap,
        cost: Cost { fixed_us: 35.0, per_unit: None },
    },
    build,
};

fn context_type() -> RecordType {
    let field = |name: &str, ty| Field { name: name.into(), ty, default: None, key: false };
    RecordType {
        name: "Context".into(),
        fields: vec![
            field("text", Type::String),
            field("tokens", Type::Int),
            field("count", Type::Int),
        ],
    }
}

struct Context {
    hits: Program,
    budget: Program,
    text: usize,
    key: usize,
}

fn build(build: &Build<'_>) -> Result<Stage, DataflowError> {
    let argument = build.stage.reads.iter().find_map(|column| build.plan.columns.get(*column));
    let hits = argument.map_or(&Type::Unknown, |column| &column.ty);
    let text = text_field(hits).map_err(|message| build.broken(&message))?;
    let key = match hits {
        Type::List(item) => match item.as_ref() {
            Type::Record(record) => {
                record.key().or_else(|| record.field("id").map(|(i, _)| i)).unwrap_or(0)
            }
            _ => 0,
        },
        _ => 0,
    };
    let (hits, budget) = (build.program("hits")?, build.program("budget")?);
    Ok(Stage::Local(Box::new(Context { hits, budget, text, key })))
}

impl LocalStage for Context {
    fn apply(&self, row: Row<'_, '_>, out: &mut Vec<u8>) -> Result<(), EvalError> {
        let budget = row.count(&self.budget)? as u64;
        let (mut text, mut tokens, mut count) = (String::new(), 0, 0);
        for hit in row.get(&self.hits)?.items() {
            let hit = hit.items();
            let passage = hit.get(self.text).as_str().unwrap_or("");
            let marked = match hit.get(self.key) {
                Datum::Str(id) => format!("[{id}] {passage}"),
                Datum::Int(id) => format!("[{id}] {passage}"),
                _ => passage.to_owned(),
            };
            let more = count_tokens(&marked);
            if count > 0 && tokens + more > budget {
                continue;
            }
            if count > 0 {
                text.push_str("\n\n");
            }
            if more > budget {
                let cut = cut(&marked, budget);
                tokens = count_tokens(cut);
                text.push_str(cut);
            } else {
                tokens += more;
                text.push_str(&marked);
            }
            count += 1;
        }
        pack_record(out, |out| {
            pack(out, Datum::Str(&text));
            pack(out, Datum::Int(tokens as i64));
            pack(out, Datum::Int(count));
        });
        Ok(())
    }
}

/// The longest start of `text`, ending between words, that has at most `budget` tokens.
fn cut(text: &str, budget: u64) -> &str {
    let ends: Vec<usize> = text.match_indices(char::is_whitespace).map(|(at, _)| at).collect();
    let fit = ends.partition_point(|end| count_tokens(&text[..*end]) <= budget);
    fit.checked_sub(1).map_or("", |last| &text[..ends[last]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_words_within_the_budget() {
        let text = "one two three four five";
        assert_eq!(cut(text, 0), "");
        let three = cut(text, 3);
        assert!(count_tokens(three) <= 3 && three.starts_with("one two"));
    }
}

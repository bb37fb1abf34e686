//! Cuts a text into passages by paragraphs, sentences or tokens, as the program says.
//!
//! Paragraphs are the default (see [`super::split`]); how sentences and words are filled up to a size
//! is the business of [`sage_core::text::pieces`], which the stage `chunk` uses, too.

use sage_core::text::{Units, pieces};
use sage_dsl::catalog::{Kind, Param};
use sage_dsl::plan::lookup;
use sage_dsl::types::Value;

use super::{Arguments, split};

/// Parameters of every source that cuts texts.
pub(super) const CHUNK: Param = Param {
    name: "chunk",
    kind: Kind::Word(&["paragraphs", "sentences", "tokens"]),
    default: Some("paragraphs"),
    doc: "where a long text is cut",
};
/// How long a passage may become.
pub(super) const SIZE: Param = Param {
    name: "size",
    kind: Kind::Tokens,
    default: Some("200 tokens"),
    doc: "most tokens of a passage, for sentences and tokens",
};
/// What two neighbours have in common.
pub(super) const OVERLAP: Param = Param {
    name: "overlap",
    kind: Kind::Tokens,
    default: Some("0 tokens"),
    doc: "tokens that are repeated at the beginning of the next passage, for sentences and tokens",
};

/// A way to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunks {
    /// Whole paragraphs up to a fixed length.
    Paragraphs,
    /// Whole units up to `size` tokens.
    Filled { units: Units, size: u64, overlap: u64 },
}

impl Chunks {
    /// What the arguments of a source say.
    pub(super) fn of(args: &Arguments) -> Self {
        let number = |name: &str, default: u64| {
            let given = lookup(args, name).and_then(Value::as_int);
            given.and_then(|given| u64::try_from(given).ok()).unwrap_or(default)
        };
        let (size, overlap) = (number("size", 200), number("overlap", 0));
        match lookup(args, "chunk").and_then(Value::as_str) {
            Some("sentences") => Chunks::Filled { units: Units::Sentences, size, overlap },
            Some("tokens") => Chunks::Filled { units: Units::Words, size, overlap },
            _ => Chunks::Paragraphs,
        }
    }

    /// `text` as passages with the number of lines before each; none when it is blank.
    pub(super) fn cut(self, text: &str) -> Vec<(u32, String)> {
        match self {
            Chunks::Paragraphs => split::passages(text),
            Chunks::Filled { units, size, overlap } => {
                let (mut lines, mut counted) = (0, 0);
                let passages = pieces(text, units, size, overlap).into_iter();
                passages
                    .map(|piece| {
                        let between = text.as_bytes()[counted..piece.start].iter();
                        lines += between.filter(|byte| **byte == b'\n').count() as u32;
                        counted = piece.start;
                        (lines, text[piece].to_owned())
                    })
                    .collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_know_the_lines_before_them() {
        let text =
            "One is here. Two, e.g. this one, is there!\nThree?\n\nno capital but a new line";
        let cut = Chunks::Filled { units: Units::Sentences, size: 12, overlap: 0 }.cut(text);
        let lines: Vec<u32> = cut.iter().map(|(line, _)| *line).collect();
        let texts: Vec<&str> = cut.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, [&text[..12], &text[13..42], &text[43..]]);
        assert_eq!(lines, [0, 0, 1]);
    }
}

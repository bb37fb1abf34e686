//! Cuts a text into passages by paragraphs, sentences or tokens, as the program says.
//!
//! What a passage should be depends on the texts and the model: a model that reads 256 tokens sees
//! only the beginning of a longer passage. Paragraphs are the default (see [`super::split`]).
//! Sentences are whole and filled up to a size; tokens cut anywhere between words, which makes
//! passages of even length from text without structure. An overlap repeats the end of a passage at
//! the beginning of the next, so that what stands at the border is found whole.

use sage_core::text::count_tokens;
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
    /// Whole sentences up to `size` tokens.
    Sentences { size: u64, overlap: u64 },
    /// Words up to `size` tokens.
    Tokens { size: u64, overlap: u64 },
}

impl Chunks {
    /// What the arguments of a source say.
    pub(super) fn of(args: &Arguments) -> Self {
        let number = |name: &str, default: u64| {
            let given = lookup(args, name).and_then(Value::as_int);
            given.and_then(|given| u64::try_from(given).ok()).unwrap_or(default)
        };
        let size = number("size", 200).max(1);
        // Less than half, so that each passage goes on.
        let overlap = number("overlap", 0).min(size / 2);
        match lookup(args, "chunk").and_then(Value::as_str) {
            Some("sentences") => Chunks::Sentences { size, overlap },
            Some("tokens") => Chunks::Tokens { size, overlap },
            _ => Chunks::Paragraphs,
        }
    }

    /// `text` as passages with the number of lines before each; none when it is blank.
    pub(super) fn cut(self, text: &str) -> Vec<(u32, String)> {
        match self {
            Chunks::Paragraphs => split::passages(text),
            Chunks::Sentences { size, overlap } => fill(text, &sentences(text), size, overlap),
            Chunks::Tokens { size, overlap } => fill(text, &words(text), size, overlap),
        }
    }
}

/// Starts and ends of the units of a text.
type Spans = Vec<(usize, usize)>;

/// Passages of units that follow each other. A unit that is too long by itself is a passage.
fn fill(text: &str, units: &Spans, size: u64, overlap: u64) -> Vec<(u32, String)> {
    let tokens = |&(start, end): &(usize, usize)| count_tokens(&text[start..end]).max(1);
    let mut passages = Vec::new();
    let (mut first, mut lines, mut counted) = (0, 0, 0);
    while first < units.len() {
        let (mut last, mut sum) = (first, 0);
        while let Some(unit) = units.get(last) {
            sum += tokens(unit);
            if sum > size && last > first {
                break;
            }
            last += 1;
        }
        let (start, end) = (units[first].0, units[last - 1].1);
        lines += text[counted..start].bytes().filter(|byte| *byte == b'\n').count() as u32;
        counted = start;
        passages.push((lines, text[start..end].to_owned()));
        if last == units.len() {
            break;
        }
        // Back by the overlap, but never to where this passage began.
        let (mut next, mut repeated) = (last, 0);
        while next > first + 1 {
            repeated += tokens(&units[next - 1]);
            if repeated > overlap {
                break;
            }
            next -= 1;
        }
        first = next;
    }
    passages
}

/// Runs between white space.
fn words(text: &str) -> Spans {
    let mut spans: Spans = Vec::new();
    let mut start = None;
    for (at, symbol) in text.char_indices() {
        match (start, symbol.is_whitespace()) {
            (None, false) => start = Some(at),
            (Some(begin), true) => {
                spans.push((begin, at));
                start = None;
            }
            _ => {}
        }
    }
    spans.extend(start.map(|begin| (begin, text.len())));
    spans
}

/// Sentences: words up to one that ends with a mark of its end before a capital letter or a new
/// paragraph; blank lines end one, too.
fn sentences(text: &str) -> Spans {
    let words = words(text);
    let mut spans: Spans = Vec::new();
    let mut start = None;
    for (number, &(begin, end)) in words.iter().enumerate() {
        let first = *start.get_or_insert(begin);
        let closing: &[char] = &['"', '\'', ')', ']', '\u{201d}', '\u{2019}'];
        let bare = text[begin..end].trim_end_matches(closing);
        let ends = bare.ends_with(['.', '!', '?', '\u{3002}']);
        let next = words.get(number + 1);
        let begins = next.is_none_or(|&(next, _)| {
            let gap = &text[end..next];
            let blank = gap.bytes().filter(|byte| *byte == b'\n').count() > 1;
            let small = text[next..].chars().next().is_some_and(char::is_lowercase);
            blank || (ends && !small && !abbreviation(bare))
        });
        if begins {
            spans.push((first, end));
            start = None;
        }
    }
    spans
}

/// Whether a word with a dot usually does not end a sentence: `e.g.`, an initial, a number.
fn abbreviation(word: &str) -> bool {
    let body = word.trim_start_matches(['(', '"', '\'']).trim_end_matches('.');
    let known = ["cf", "dr", "etc", "fig", "mr", "mrs", "no", "prof", "vs"];
    word.ends_with('.')
        && (body.contains('.')
            || body.chars().count() == 1
            || known.contains(&body.to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(chunks: Chunks, text: &str) -> Vec<String> {
        chunks.cut(text).into_iter().map(|(_, passage)| passage).collect()
    }

    #[test]
    fn sentences_stay_whole() {
        let text =
            "One is here. Two, e.g. this one, is there!\nThree?\n\nno capital but a new line";
        let cut = |size| texts(Chunks::Sentences { size, overlap: 0 }, text);
        assert_eq!(
            cut(1),
            [
                "One is here.",
                "Two, e.g. this one, is there!",
                "Three?",
                "no capital but a new line"
            ]
        );
        assert_eq!(cut(1000), [text]);
        let lines = Chunks::Sentences { size: 1, overlap: 0 }.cut(text);
        assert_eq!(lines.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [0, 0, 1, 3]);
    }

    #[test]
    fn an_overlap_repeats_the_end() {
        let text = "a b c d e f";
        let cut = texts(Chunks::Tokens { size: 3, overlap: 1 }, text);
        assert_eq!(cut, ["a b c", "c d e", "e f"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_passages_keep_their_size(
            text in "([a-zA-Z]{1,9}[.!?,]{0,1}[ \n]{1,2}){0,60}",
            size in 1_u64..40,
            overlap in 0_u64..40,
            sentences in any::<bool>(),
        ) {
            let overlap = overlap.min(size / 2);
            let chunks = if sentences {
                Chunks::Sentences { size, overlap }
            } else {
                Chunks::Tokens { size, overlap }
            };
            let passages = texts(chunks, &text);
            let mut at = 0;
            for passage in &passages {
                // Each passage is a piece of the text that begins not behind the end of the last.
                let found = text.find(passage.as_str());
                prop_assert!(found.is_some());
                prop_assert!(!passage.trim().is_empty());
                if !sentences && passage.contains([' ', '\n']) {
                    let own: u64 =
                        passage.split_whitespace().map(|word| count_tokens(word).max(1)).sum();
                    prop_assert!(own <= size, "{own} > {size}: {passage}");
                }
            }
            for word in text.split_whitespace() {
                let rest = passages[at..].iter().position(|passage| {
                    passage.split_whitespace().any(|own| own == word)
                });
                prop_assert!(rest.is_some(), "`{word}` is lost");
                at += rest.unwrap_or(0);
            }
        }
    }
}

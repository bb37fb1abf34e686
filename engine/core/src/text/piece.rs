//! Cuts a text into pieces of a size, between paragraphs, sentences or words.
//!
//! What a piece should be depends on the texts and the model: a model that reads 256 tokens sees only
//! the beginning of a longer one. Pieces are filled with whole units up to the size; a unit that is
//! too long by itself is taken apart into smaller ones, so that only a single word may be longer, and a
//! sentence that must be taken apart begins a piece of its own. An overlap repeats the end of a piece at the beginning of the next, so that what stands at the border
//! is found whole. The passages of an index and the stage `chunk` are cut here.

use std::ops::Range;

use super::fence::Fence;
use super::token::{IDEOGRAPHS, Run, count_tokens, run_of};

/// Between what a text is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// Blocks between blank lines; fenced code is one.
    Paragraphs,
    /// Sentences.
    Sentences,
    /// Words.
    Words,
}

/// Where a unit begins and ends.
type Span = (usize, usize);

/// Where the pieces of a text are, of at most `size` tokens each: in its order, and without white space
/// at their ends; none when it is blank. Up to `overlap` tokens of each, at most half of the size, are
/// repeated in the next, as far as that leaves room for something new.
pub fn pieces(text: &str, units: Units, size: u64, overlap: u64) -> Vec<Range<usize>> {
    let size = size.max(1);
    let overlap = overlap.min(size / 2);
    let mut found = Found::default();
    take_apart(text, (0, text.len()), units, size, &mut found);
    let Found { spans, broken } = found;
    // Tokens up to the end of each unit; between two units no run of characters goes on, so that the
    // tokens of a piece are the sum of its parts.
    let mut ends = Vec::with_capacity(spans.len());
    let (mut sum, mut last) = (0, spans.first().map_or(0, |span| span.0));
    for &(start, end) in &spans {
        let before = sum + count_tokens(&text[last..start]);
        sum = before + count_tokens(&text[start..end]);
        last = end;
        ends.push((before, sum));
    }
    let tokens = |first: usize, last: usize| ends[last].1 - ends[first].0;
    // Units that begin a piece.
    let mut broken = broken.into_iter().peekable();
    let mut pieces = Vec::new();
    let mut first = 0;
    while first < spans.len() {
        while broken.next_if(|at| *at <= first).is_some() {}
        let end = broken.peek().map_or(spans.len(), |at| spans.len().min(*at));
        let mut next = first + 1;
        while next < end && tokens(first, next) <= size {
            next += 1;
        }
        pieces.push(spans[first].0..spans[next - 1].1);
        if next == spans.len() {
            break;
        }
        // Back by the overlap, but never to where this piece began, nor so far that nothing is new.
        let mut back = next;
        while broken.peek() != Some(&next)
            && back > first + 1
            && tokens(back - 1, next - 1) <= overlap
            && tokens(back - 1, next) <= size
        {
            back -= 1;
        }
        first = back;
    }
    pieces
}

/// Units of a text.
#[derive(Default)]
struct Found {
    spans: Vec<Span>,
    /// Which of them are the first words of a sentence that is too long.
    broken: Vec<usize>,
}

/// Append the units of a part of the text, those that are too long as smaller ones.
fn take_apart(text: &str, (from, to): Span, units: Units, size: u64, into: &mut Found) {
    let part = &text[from..to];
    let (found, smaller) = match units {
        Units::Paragraphs => (paragraphs(part), Some(Units::Sentences)),
        Units::Sentences => (sentences(part), Some(Units::Words)),
        Units::Words => (words(part), None),
    };
    for (start, end) in found {
        let span = (from + start, from + end);
        match smaller {
            Some(smaller) if count_tokens(&text[span.0..span.1]) > size => {
                if smaller == Units::Words {
                    into.broken.push(into.spans.len());
                }
                take_apart(text, span, smaller, size, into);
            }
            _ => into.spans.push(span),
        }
    }
}

/// Blocks between blank lines, without the white space around them.
fn paragraphs(text: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let (mut open, mut fence, mut at) = (false, Fence::default(), 0);
    for line in text.split_inclusive('\n') {
        let begin = at;
        at += line.len();
        let code = fence.step(line.trim_end_matches(['\n', '\r']));
        let bare = line.trim();
        if bare.is_empty() {
            open &= code;
            continue;
        }
        let start = begin + (line.len() - line.trim_start().len());
        let end = begin + line.trim_end().len();
        match spans.last_mut() {
            Some(span) if open => span.1 = end,
            _ => spans.push((start, end)),
        }
        open = true;
    }
    spans
}

/// Runs between white space. Scripts that are written without it are cut between their characters,
/// but not in front of a mark.
fn words(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut start = None;
    let mut before = Run::Blank;
    for (at, symbol) in text.char_indices() {
        let run = run_of(symbol);
        if matches!(run, Run::Blank | Run::Break) {
            spans.extend(start.take().map(|begin| (begin, at)));
        } else if let Some(begin) = start {
            let apart =
                (run == Run::Ideograph || (symbol >= IDEOGRAPHS && opens(run))) && !opens(before);
            if apart || (before == Run::Ideograph && run == Run::Word) {
                spans.push((begin, at));
                start = Some(at);
            }
        } else {
            start = Some(at);
        }
        before = run;
    }
    spans.extend(start.map(|begin| (begin, text.len())));
    spans
}

/// Whether a mark belongs to what follows it.
fn opens(run: Run) -> bool {
    matches!(
        run,
        Run::Mark(
            '(' | '[' | '{' | '\u{201c}' | '\u{2018}' | '「' | '『' | '（' | '《' | '〈' | '【'
        )
    )
}

/// Sentences: words up to one that ends with a mark of its end before a capital letter or a new
/// paragraph; blank lines end one, too.
fn sentences(text: &str) -> Vec<Span> {
    let words = words(text);
    let mut spans: Vec<Span> = Vec::new();
    let mut start = None;
    for (number, &(begin, end)) in words.iter().enumerate() {
        let first = *start.get_or_insert(begin);
        let closing: &[char] = &['"', '\'', ')', ']', '\u{201d}', '\u{2019}', '」', '』', '）'];
        let bare = text[begin..end].trim_end_matches(closing);
        let ends = bare.ends_with(['.', '!', '?', '。', '！', '？']);
        let begins = words.get(number + 1).is_none_or(|&(next, _)| {
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

    fn texts(text: &str, units: Units, size: u64, overlap: u64) -> Vec<&str> {
        pieces(text, units, size, overlap).into_iter().map(|piece| &text[piece]).collect()
    }

    #[test]
    fn sentences_stay_whole() {
        let text =
            "One is here. Two, e.g. this one, is there!\nThree?\n\nno capital but a new line";
        let whole = |size| texts(text, Units::Sentences, size, 0);
        assert_eq!(
            whole(12),
            [
                "One is here.",
                "Two, e.g. this one, is there!",
                "Three?\n\nno capital but a new line"
            ]
        );
        assert_eq!(whole(1000), [text]);
    }

    #[test]
    fn an_overlap_repeats_the_end() {
        let cut = |size, overlap| texts("a b c d e f", Units::Words, size, overlap);
        assert_eq!(cut(3, 1), ["a b c", "c d e", "e f"]);
        assert_eq!(cut(3, 0), ["a b c", "d e f"]);
        // What is to come does not fit beside what was to be repeated.
        let text = "One two three. Four five six. Seven eight nine ten eleven twelve.";
        let sentences = texts(text, Units::Sentences, 8, 4);
        assert_eq!(
            sentences,
            ["One two three. Four five six.", "Seven eight nine ten eleven twelve."]
        );
    }

    #[test]
    fn a_paragraph_that_is_too_long_is_cut_between_sentences_and_then_between_words() {
        let text =
            "# Head\n\n```\na\n\nb\n```\n\nOne two. Three four five six seven eight nine.\n\nEnd";
        let cut = texts(text, Units::Paragraphs, 8, 0);
        assert_eq!(
            cut,
            [
                "# Head",
                "```\na\n\nb\n```",
                "One two.",
                "Three four five six seven eight nine.",
                "End"
            ]
        );
        assert_eq!(texts(text, Units::Paragraphs, 1000, 0), [text]);
        assert_eq!(
            texts(text, Units::Paragraphs, 4, 0),
            [
                "# Head",
                "```\na",
                "b\n```",
                "One two.",
                "Three four five six",
                "seven eight nine.",
                "End"
            ]
        );
    }

    #[test]
    fn scripts_without_blanks_are_cut_between_characters() {
        let text = "今日は雨です。明日は晴れ！「そう」と言った。";
        assert_eq!(
            texts(text, Units::Sentences, 9, 0),
            ["今日は雨です。", "明日は晴れ！", "「そう」と言った。"]
        );
        let words = texts(text, Units::Words, 4, 0);
        assert_eq!(words.concat(), text);
        assert!(words.iter().all(|word| count_tokens(word) <= 4), "{words:?}");
    }

    #[test]
    fn nothing_is_cut_into_nothing() {
        for units in [Units::Paragraphs, Units::Sentences, Units::Words] {
            assert!(texts("", units, 5, 2).is_empty());
            assert!(texts(" \n\t\u{3000}\n\n", units, 0, 0).is_empty());
        }
    }

    proptest! {
        #[test]
        fn pieces_cover_the_text_in_its_order_and_keep_size_and_overlap(
            text in prop_oneof![
                "([a-zA-Z]{1,9}[.!?,]{0,1}[ \n]{1,2}){0,60}",
                "([a-z]{1,30}[.]{0,1} {0,1}|\n\n|```\n|[日本語。「」]{1,9}|é|\u{3000}){0,60}",
                any::<String>(),
            ],
            size in 0_u64..40,
            overlap in 0_u64..40,
            units in prop_oneof![
                Just(Units::Paragraphs), Just(Units::Sentences), Just(Units::Words)
            ],
        ) {
            let cut = pieces(&text, units, size, overlap);
            let (size, overlap) = (size.max(1), overlap.min(size.max(1) / 2));
            prop_assert_eq!(cut.is_empty(), text.trim().is_empty());
            let mut last = 0..0;
            for place in cut {
                let piece = &text[place.clone()];
                prop_assert_eq!(piece.trim(), piece);
                prop_assert!(count_tokens(piece) <= size || words(piece).len() == 1, "{piece:?}");
                // Each goes on where the one before it ended, but for what is repeated.
                if place.start >= last.end {
                    prop_assert!(text[last.end..place.start].trim().is_empty());
                } else {
                    prop_assert!(count_tokens(&text[place.start..last.end]) <= overlap);
                    prop_assert!(place.start > last.start);
                }
                prop_assert!(place.end > last.end);
                last = place;
            }
            prop_assert!(text[last.end..].trim().is_empty());
        }

        #[test]
        fn pieces_are_as_full_as_they_can_be(
            text in "([a-zA-Z]{1,9}[.!?]{0,1} ){0,60}", size in 1_u64..40,
        ) {
            let cut = texts(&text, Units::Words, size, 0);
            for pair in cut.windows(2) {
                let next = words(pair[1])[0];
                let both = count_tokens(pair[0]) + count_tokens(&pair[1][next.0..next.1]);
                prop_assert!(both > size, "{pair:?}");
            }
        }
    }
}

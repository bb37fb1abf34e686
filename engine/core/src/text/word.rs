//! Words: maximal runs of letters and digits, in lower case.
//!
//! This is on the path of millions of records a second, so ASCII is classified by table and a word
//! that is already in lower case is borrowed from the text; only others are copied.

use std::borrow::Cow;

/// What a byte means for finding words: 0 is a separator, anything else a set of these. One table
/// look-up and one branch a byte that the processor predicts; a `match` over four classes becomes
/// an indirect jump, which it does not.
const LETTER: u8 = 1;
const UPPER: u8 = 2;
/// Part of a longer character; decided by decoding it.
const WIDE: u8 = 4;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'0'..=b'9' => LETTER,
            b'A'..=b'Z' => LETTER | UPPER,
            0x80..=0xff => WIDE,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// Where the next word lies and what it takes to put it into lower case.
struct Span {
    start: usize,
    end: usize,
    upper: bool,
    wide: bool,
}

fn wide_at(text: &str, at: usize) -> char {
    text[at..].chars().next().unwrap_or(' ')
}

/// The first word at or after byte `at`, which must be a character boundary.
#[inline]
fn next_span(text: &str, mut at: usize) -> Option<Span> {
    let bytes = text.as_bytes();
    loop {
        let class = CLASSES[usize::from(*bytes.get(at)?)];
        if class & LETTER != 0 {
            break;
        }
        if class & WIDE == 0 {
            at += 1;
            continue;
        }
        let symbol = wide_at(text, at);
        if symbol.is_alphanumeric() {
            break;
        }
        at += symbol.len_utf8();
    }
    let mut span = Span { start: at, end: at, upper: false, wide: false };
    let mut seen = 0;
    while let Some(&byte) = bytes.get(span.end) {
        let class = CLASSES[usize::from(byte)];
        if class == 0 {
            break;
        }
        if class & WIDE != 0 {
            let symbol = wide_at(text, span.end);
            if !symbol.is_alphanumeric() {
                break;
            }
            span.wide = true;
            span.end += symbol.len_utf8();
            continue;
        }
        seen |= class;
        span.end += 1;
    }
    span.upper = seen & UPPER != 0;
    Some(span)
}

/// Calls `f` with each word of `text`; `buffer` holds the words that had to be put into lower case,
/// so that a caller with many texts allocates once.
#[inline]
pub fn for_each_word(text: &str, buffer: &mut String, mut f: impl FnMut(&str)) {
    let mut at = 0;
    while let Some(span) = next_span(text, at) {
        let word = &text[span.start..span.end];
        at = span.end;
        if span.wide {
            buffer.clear();
            buffer.extend(word.chars().flat_map(char::to_lowercase));
            f(buffer);
        } else if span.upper {
            buffer.clear();
            buffer.push_str(word);
            buffer.make_ascii_lowercase();
            f(buffer);
        } else {
            f(word);
        }
    }
}

/// The words of `text`; borrowed where the text already has them in lower case.
pub fn words(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let span = next_span(text, at)?;
        at = span.end;
        let word = &text[span.start..span.end];
        Some(if span.wide {
            Cow::Owned(word.to_lowercase())
        } else if span.upper {
            Cow::Owned(word.to_ascii_lowercase())
        } else {
            Cow::Borrowed(word)
        })
    })
}

/// A lower-case English word without its most common endings, so that `schedules`, `scheduled` and
/// `scheduling` meet. Cruder than a real stemmer (the index has one), but needs no table and no
/// allocation, and only has to agree with itself.
pub fn root(word: &str) -> &str {
    if !word.is_ascii() {
        return word;
    }
    let plural = word.strip_suffix("ies").or_else(|| {
        word.strip_suffix('s').filter(|rest| !rest.ends_with('s') && !rest.ends_with('u'))
    });
    let word = plural.filter(|rest| rest.len() >= 3).unwrap_or(word);
    for ending in ["ing", "ed", "er", "ly", "e", "y"] {
        if let Some(rest) = word.strip_suffix(ending)
            && rest.len() >= 4
        {
            return rest;
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        assert_eq!(words(text).collect::<Vec<_>>(), expect, "{text:?}");
        let (mut buffer, mut seen) = (String::new(), Vec::new());
        for_each_word(text, &mut buffer, |word| seen.push(word.to_owned()));
        assert_eq!(seen, expect, "{text:?}");
    }

    #[test]
    fn words_are_lower_case_runs() {
        check("", &[]);
        check("  \t--", &[]);
        check("Hello, World 42!", &["hello", "world", "42"]);
        check("load_aware(Spread)", &["load", "aware", "spread"]);
        check("Äpfel über“straße”", &["äpfel", "über", "straße"]);
        check("x→Y", &["x", "y"]);
        check("日本語 text", &["日本語", "text"]);
    }

    #[test]
    fn roots_meet() {
        assert_eq!(root("schedules"), root("scheduling"));
        assert_eq!(root("scheduled"), root("schedule"));
        assert_eq!(root("retries"), "retr");
        assert_eq!(root("policy"), "polic");
        assert_eq!(root("process"), "process");
        assert_eq!(root("status"), "status");
        assert_eq!(root("is"), "is");
        assert_eq!(root("über"), "über");
    }
}

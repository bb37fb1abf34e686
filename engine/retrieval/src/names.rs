//! Names of programs in a text: `MappedIndex`, `max_in_flight`, `os.path`.
//!
//! A question says "the mapped index" or "path", the document `MappedIndex` or `os.path.join`; and
//! who does write the whole name wants the passage that has it, not one with its parts. So both are
//! terms. Words that stand between separators are found anyway; what is added here is each whole name
//! with `_` or `.` inside, and the parts of words whose letters change their case or turn to digits.

/// What a name adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// A whole name in lower case; it is a term as it is.
    Whole(&'a str),
    /// A part of a word in lower case, to be treated like a word.
    Word(&'a str),
}

/// Longer names are no names but tables and encoded data.
const MAX_NAME: usize = 80;

/// Calls `each` with all that the names of `text` add to its words.
pub(crate) fn for_each_part(text: &str, buffer: &mut String, mut each: impl FnMut(Part<'_>)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(skip) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| begins(*b))) {
        let start = at + skip;
        at = end_of_name(bytes, start);
        if let Some(name) = text.get(start..at).filter(|name| name.len() <= MAX_NAME) {
            one(name, buffer, &mut each);
        }
    }
}

fn begins(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

/// Letters of other scripts go on with a name, so that it is not cut at them.
fn goes_on(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn end_of_name(bytes: &[u8], start: usize) -> usize {
    let mut end = start;
    while let Some(&byte) = bytes.get(end) {
        let dotted = byte == b'.' && bytes.get(end + 1).is_some_and(|next| begins(*next));
        if !goes_on(byte) && !dotted {
            break;
        }
        end += 1;
    }
    end
}

fn one(name: &str, buffer: &mut String, each: &mut impl FnMut(Part<'_>)) {
    let whole = name.trim_matches('_');
    if whole.contains(['_', '.']) {
        buffer.clear();
        buffer.extend(whole.chars().flat_map(char::to_lowercase));
        each(Part::Whole(buffer));
    }
    for word in name.split(['_', '.']).filter(|word| word.is_ascii()) {
        // A word that is one part is a word already; one without small letters is an abbreviation.
        if !word.bytes().any(|byte| byte.is_ascii_lowercase()) || first_part(word) == word.len() {
            continue;
        }
        let mut rest = word;
        while !rest.is_empty() {
            let (part, more) = rest.split_at(first_part(rest));
            buffer.clear();
            buffer.extend(part.chars().map(|symbol| symbol.to_ascii_lowercase()));
            each(Part::Word(buffer));
            rest = more;
        }
    }
}

/// Length of the first part: digits, `small`, `Capital` or `ABBREVIATION`, whose last letter belongs
/// to the next part when small ones follow.
fn first_part(word: &str) -> usize {
    let bytes = word.as_bytes();
    let run = |from: usize, kind: fn(&u8) -> bool| {
        bytes[from..].iter().take_while(|byte| kind(byte)).count()
    };
    match bytes.first() {
        Some(first) if first.is_ascii_uppercase() => {
            let upper = run(0, u8::is_ascii_uppercase);
            match (upper, run(upper, u8::is_ascii_lowercase)) {
                (_, 0) => upper,
                (1, lower) => 1 + lower,
                _ => upper - 1,
            }
        }
        Some(first) if first.is_ascii_lowercase() => run(0, u8::is_ascii_lowercase),
        Some(first) if first.is_ascii_digit() => run(0, u8::is_ascii_digit),
        Some(_) => 1,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str) -> Vec<String> {
        let mut parts = Vec::new();
        for_each_part(text, &mut String::new(), |part| match part {
            Part::Whole(name) => parts.push(format!("={name}")),
            Part::Word(word) => parts.push(word.to_owned()),
        });
        parts
    }

    #[test]
    fn names_give_themselves_and_their_parts() {
        for (text, expect) in [
            ("a plain sentence. Another", vec![]),
            ("call max_in_flight()", vec!["=max_in_flight"]),
            ("os.path.join", vec!["=os.path.join"]),
            ("MappedIndex", vec!["mapped", "index"]),
            ("HTTPServer2 ABC", vec!["http", "server", "2"]),
            ("an __init__ method", vec![]),
            ("self.assertTrue", vec!["=self.asserttrue", "assert", "true"]),
            ("utf8", vec!["utf", "8"]),
            ("na\u{ef}veWord", vec![]),
        ] {
            assert_eq!(parts(text), expect, "{text}");
        }
    }

    proptest! {
        #[test]
        fn parts_of_any_text_are_in_it(text in "[a-zA-Z0-9_. \u{e9}]{0,60}") {
            let lower = text.to_lowercase();
            for part in parts(&text) {
                prop_assert!(lower.contains(part.trim_start_matches('=')), "{part}");
            }
        }
    }
}

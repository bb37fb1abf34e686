//! Reads a prompt as a person would: where is the question, and what is there to answer it from.
//!
//! Prompts of retrieval pipelines look alike: a line `Context:` with passages, often marked with
//! `[id]`, and a line `Question:`, in either order. Anything else is one instruction.

/// A prompt taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reading<'a> {
    pub(super) question: &'a str,
    pub(super) passages: Vec<Passage<'a>>,
}

/// A piece of context.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Passage<'a> {
    /// What stands in the brackets before it.
    pub(super) id: Option<&'a str>,
    pub(super) lines: Vec<&'a str>,
}

const CONTEXT: &[&str] = &["context", "passages", "documents", "sources", "excerpts", "evidence"];
const QUESTION: &[&str] = &["question", "query", "q"];
const ANSWER: &[&str] = &["answer", "a"];

/// What follows `heading:` in a line.
fn after_heading<'a>(line: &'a str, headings: &[&str]) -> Option<&'a str> {
    let (head, rest) = line.split_once(':')?;
    let head = head.trim_matches(|symbol: char| !symbol.is_alphanumeric());
    headings.iter().any(|heading| head.eq_ignore_ascii_case(heading)).then(|| rest.trim())
}

/// The id and the text of a line that begins with `[id]`.
fn marked(line: &str) -> Option<(&str, &str)> {
    let (id, rest) = line.strip_prefix('[')?.split_once(']')?;
    let plain = !id.is_empty() && id.len() <= 120 && !id.contains(['[', '\n']);
    // `[text](target)` is a link, not a mark.
    (plain && !rest.starts_with('(')).then(|| (id, rest.trim_start_matches([':', ' '])))
}

impl<'a> Reading<'a> {
    pub(super) fn of(prompt: &'a str) -> Self {
        let mut reading = Reading::default();
        let (mut in_context, mut question_next, mut last) = (false, false, "");
        for line in prompt.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(question) = after_heading(line, QUESTION) {
                (in_context, question_next) = (false, question.is_empty());
                reading.question = question;
            } else if std::mem::take(&mut question_next) {
                reading.question = line;
            } else if let Some(rest) = after_heading(line, CONTEXT) {
                in_context = true;
                reading.add(rest);
            } else if after_heading(line, ANSWER).is_some() {
                in_context = false;
            } else if in_context || marked(line).is_some() {
                in_context = true;
                reading.add(line);
            } else {
                last = line;
            }
        }
        if reading.question.is_empty() {
            reading.question = last;
        }
        reading
    }

    fn add(&mut self, line: &'a str) {
        if let Some((id, text)) = marked(line) {
            self.passages.push(Passage { id: Some(id), lines: vec![text] });
        } else if let Some(passage) = self.passages.last_mut() {
            passage.lines.push(line);
        } else if !line.is_empty() {
            self.passages.push(Passage { id: None, lines: vec![line] });
        }
    }
}

/// The sentences of a line.
pub(super) fn sentences(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .match_indices(['.', '!', '?'])
            .map(|(at, mark)| at + mark.len())
            .find(|&end| rest[end..].starts_with(char::is_whitespace))
            .unwrap_or(rest.len());
        let (sentence, after) = rest.split_at(end);
        rest = after;
        Some(sentence.trim_end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_marked_passages_and_the_question() {
        let prompt = "Use the context.\n\nContext:\n[README.md#a] One. Two\nmore.\n[b] Three.\n\n\
                      Question: What is one?\nAnswer:";
        let reading = Reading::of(prompt);
        assert_eq!(reading.question, "What is one?");
        let ids: Vec<_> = reading.passages.iter().map(|p| (p.id, p.lines.len())).collect();
        assert_eq!(ids, [(Some("README.md#a"), 2), (Some("b"), 1)]);
    }

    #[test]
    fn the_question_may_come_first_or_have_no_heading() {
        let reading = Reading::of("Question:\nWhy?\nContext: Because.\nStill context.");
        assert_eq!((reading.question, reading.passages[0].lines.len()), ("Why?", 2));
        let reading = Reading::of("Be brief.\nSummarise the plan.");
        assert_eq!((reading.question, reading.passages.len()), ("Summarise the plan.", 0));
        assert_eq!(Reading::of(""), Reading::default());
    }

    #[test]
    fn sentences_end_at_marks_before_space() {
        let cut: Vec<_> = sentences(" Version 1.2 is out. Use it!  Or not").collect();
        assert_eq!(cut, ["Version 1.2 is out.", "Use it!", "Or not"]);
    }
}

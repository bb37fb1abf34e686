//! Makes up answers: deterministic in prompt and seed, and plausible enough to test a pipeline on.
//!
//! With context, the answer is extractive: the sentences that share the rarest words with the
//! question, each with its passage's id (term weighting after Spärck Jones, 1972). Without a shared
//! word it is `not found`. A prompt that offers a choice gets one of its options. Any other prompt
//! gets a few sentences about its own words. **Nothing here knows anything**: a pipeline's quality
//! cannot be judged on it, its plumbing, citations and token flow can.

use std::collections::{HashMap, HashSet};

use sage_core::text::{fnv1a, fnv1a_more, is_stop_word, overlap_score, root, words};

use super::reading::{Reading, sentences};

/// The answer when the context has nothing to do with the question.
const NOT_FOUND: &str = "not found";

/// The number that all choices of an answer are drawn from.
pub(super) fn draw(prompt: &str, seed: u64) -> u64 {
    let hash = fnv1a_more(fnv1a(prompt.as_bytes()), &seed.to_le_bytes());
    (hash ^ (hash >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8
}

/// An answer to `prompt`.
pub(super) fn answer(prompt: &str, seed: u64) -> String {
    let number = draw(prompt, seed);
    let reading = Reading::of(prompt);
    if let Some(options) = options(prompt) {
        return choose(&options, prompt, number).to_owned();
    }
    if !reading.passages.is_empty() {
        return extract(&reading, 1 + (number % 3) as usize);
    }
    let count = 2 + number % 5;
    let remarks = Remarks::on(prompt, seed);
    let told: Vec<String> = (0..count).map(|turn| remarks.say(turn as usize)).collect();
    told.join(" ")
}

/// The best of `options` for `prompt`; by lot when the words decide nothing.
pub(super) fn choose<'a>(options: &[&'a str], prompt: &str, number: u64) -> &'a str {
    let offers = options.iter().map(|option| option.len()).sum::<usize>();
    // The list of options itself must not vote.
    let text = if prompt.len() > offers { prompt } else { "" };
    let votes = |option: &str| {
        let mentions = text.to_lowercase().matches(&option.to_lowercase()).count();
        if mentions > 1 { 1.0 + overlap_score(option, text) } else { 0.0 }
    };
    let scores: Vec<f32> = options.iter().map(|option| votes(option)).collect();
    let best = scores.iter().copied().fold(0.0, f32::max);
    let tied: Vec<&str> =
        options.iter().zip(&scores).filter(|(_, score)| **score >= best).map(|(o, _)| *o).collect();
    tied.get((number % tied.len().max(1) as u64) as usize).copied().unwrap_or("")
}

/// The options of a line such as `Answer with one of: a, b, c`.
fn options(prompt: &str) -> Option<Vec<&str>> {
    let lower = prompt.to_ascii_lowercase();
    let start = lower.rfind("one of")?;
    let line = prompt.get(start..)?.lines().next()?;
    let (_, list) = line.split_once(':')?;
    let list = list.split(". ").next().unwrap_or(list);
    let clean = |option: &'_ str| -> bool { !option.is_empty() && option.len() <= 40 };
    let options: Vec<&str> = list
        .split([',', '|', '/', ';'])
        .flat_map(|part| part.split(" or "))
        .map(|part| part.trim().trim_start_matches("or ").trim_matches(['"', '\'', '`', '.', ' ']))
        .filter(|option| clean(option))
        .collect();
    (options.len() >= 2).then_some(options)
}

/// The words that carry what a text is about, without endings.
fn topics(text: &str) -> HashSet<String> {
    let kept = words(text).filter(|word| !is_stop_word(word));
    kept.map(|word| root(&word).to_owned()).collect()
}

/// Up to `most` sentences of the context that fit the question.
fn extract(reading: &Reading<'_>, most: usize) -> String {
    let wanted = topics(reading.question);
    let all = reading.passages.iter().flat_map(|passage| {
        let lines = passage.lines.iter().flat_map(|line| sentences(line));
        lines.map(move |sentence| (sentence, passage.id))
    });
    let mut candidates: Vec<(&str, Option<&str>, HashSet<String>)> = all
        .map(|(sentence, id)| {
            let shared = topics(sentence).intersection(&wanted).cloned().collect();
            (sentence, id, shared)
        })
        .collect();
    let mut frequency: HashMap<&str, f64> = HashMap::new();
    for topic in candidates.iter().flat_map(|(_, _, shared)| shared) {
        *frequency.entry(topic).or_default() += 1.0;
    }
    let total = candidates.len() as f64;
    let score = |shared: &HashSet<String>| -> f64 {
        // Summed in order of the words, so that rounding is the same in every run.
        let mut weights: Vec<f64> =
            shared.iter().map(|topic| (1.0 + total / frequency[topic.as_str()]).ln()).collect();
        weights.sort_by(f64::total_cmp);
        weights.iter().sum()
    };
    let scores: Vec<f64> = candidates.iter().map(|(_, _, shared)| score(shared)).collect();
    let best = scores.iter().copied().fold(0.0, f64::max);
    if best == 0.0 {
        return NOT_FOUND.to_owned();
    }
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.retain(|&at| scores[at] >= 0.6 * best);
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    order.dedup_by_key(|at| candidates[*at].0);
    order.truncate(most);
    order.sort_unstable();
    let cite = |(sentence, id): (&str, Option<&str>)| match id {
        Some(id) => format!("{sentence} [{id}]"),
        None => sentence.to_owned(),
    };
    let told: Vec<String> = order
        .into_iter()
        .map(|at| {
            let (sentence, id, _) = &mut candidates[at];
            cite((sentence, *id))
        })
        .collect();
    told.join(" ")
}

const REMARKS: &[&str] = &[
    "In short, the {a} depends on the {b}.",
    "The {a} comes first, because the {b} cannot do without it.",
    "What matters here is how {a} and {b} work together with the {c}.",
    "A simple way is to start from the {a} and to check the {b} afterwards.",
    "Note that {a} is not the same as {b}.",
    "With respect to {c}, the {a} stays as it is.",
    "Overall, {a} explains most of what is said about {b}.",
    "The {c} follows from the {a}.",
];

/// Sentences about the words of a prompt.
pub(super) struct Remarks<'a> {
    prompt: &'a str,
    seed: u64,
    known: Vec<String>,
}

impl<'a> Remarks<'a> {
    /// Reads the prompt once, however many sentences are wanted.
    pub(super) fn on(prompt: &'a str, seed: u64) -> Self {
        let mut seen = HashSet::new();
        let known = words(prompt)
            .filter(|word| word.len() >= 4 && !is_stop_word(word) && seen.insert(word.to_string()))
            .map(std::borrow::Cow::into_owned)
            .take(200)
            .collect();
        Remarks { prompt, seed, known }
    }

    /// One sentence; `turn` numbers the sentences of a text.
    pub(super) fn say(&self, turn: usize) -> String {
        let number = draw(self.prompt, self.seed.wrapping_add(1 + turn as u64));
        let pick = |at: u64| {
            let fallback = ["matter", "case", "text"][(at % 3) as usize];
            let index = (number >> 16).wrapping_add(at * 7) % self.known.len().max(1) as u64;
            self.known.get(index as usize).map_or(fallback, String::as_str)
        };
        let template = REMARKS[(number % REMARKS.len() as u64) as usize];
        template.replace("{a}", pick(0)).replace("{b}", pick(1)).replace("{c}", pick(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: &str = "Answer from the context and cite.\n\nContext:\n\
        [a#1] The gateway owns the retries. Workers never retry.\n\
        [b#2] Vectors have 384 dimensions.\n\nQuestion: Who owns retries?\nAnswer:";

    #[test]
    fn answers_come_from_the_context_with_their_source() {
        let text = answer(PROMPT, 0);
        assert!(text.contains("The gateway owns the retries. [a#1]"), "{text}");
        assert_eq!(text, answer(PROMPT, 0));
        let other = PROMPT.replace("Who owns retries?", "Which colour has a zebra?");
        assert_eq!(answer(&other, 0), "not found");
    }

    #[test]
    fn offered_choices_are_taken() {
        let prompt = "Text: the disk is broken.\nAnswer with one of: hardware, software, other.";
        assert!(["hardware", "software", "other"].contains(&answer(prompt, 1).as_str()));
        let prompt = "Ticket: my software fails.\nReply with one of: hardware, software.";
        assert_eq!(answer(prompt, 1), "software");
    }

    #[test]
    fn other_prompts_get_sentences_of_their_words() {
        let texts: HashSet<String> =
            (0..20).map(|seed| answer("Explain continuous batching of requests.", seed)).collect();
        assert!(texts.len() > 10);
        let about = ["explain", "continuous", "batching", "requests"];
        assert!(texts.iter().all(|text| about.iter().any(|word| text.contains(word))));
        assert!(!answer("", 0).is_empty());
    }
}

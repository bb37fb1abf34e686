//! Prompts: their text, their tokens, and the template around a chat.

use sage_core::text::fnv1a;
use sage_core::vllm::tokens;

use super::body::{Item, Message};
use super::problem::Problem;
use super::vocabulary::Vocabulary;

/// Tokens that the chat template puts before each message, and before the answer.
const MARKS: u32 = 3;
/// Unknown token ids that are named in a prompt's text.
const NAMED: usize = 64;

/// One prompt with its tokens.
#[derive(Debug, Default)]
pub(super) struct Prompt {
    pub(super) text: String,
    pub(super) tokens: Vec<u32>,
}

impl Prompt {
    /// A prompt of a completion or an embedding. Ids that were handed out are read back; others get
    /// a text made of their names, because there is no vocabulary to read them with.
    pub(super) fn of(item: Item, vocabulary: &Vocabulary) -> Prompt {
        match item {
            Item::Text(text) => Prompt { tokens: tokens::tokenize(&text), text },
            Item::Tokens(tokens) => {
                let text = vocabulary.spell(&tokens).map_or_else(
                    |_| {
                        let names = tokens.iter().take(NAMED).map(|id| format!("token{id}"));
                        names.collect::<Vec<_>>().join(" ")
                    },
                    |pieces| pieces.concat(),
                );
                Prompt { text, tokens }
            }
        }
    }

    /// The prompt of a chat: contents one below the other; the marks count as tokens but say
    /// nothing.
    pub(super) fn chat(messages: Vec<Message>) -> Result<Prompt, Problem> {
        let (mut texts, mut all) = (Vec::new(), Vec::new());
        for message in messages {
            all.extend(marks(&message.role).map(|(id, _)| id));
            let text = message.text()?;
            if !text.is_empty() {
                all.extend(tokens::tokenize(&text));
                texts.push(text);
            }
        }
        all.extend(marks("assistant").map(|(id, _)| id));
        Ok(Prompt { text: texts.join("\n\n"), tokens: all })
    }

    /// Keep the last tokens: `kept` of them, or with -1 as many as leave room for an answer.
    pub(super) fn truncate(&mut self, kept: i64, max_model_len: u32) {
        let most = most(kept, max_model_len.saturating_sub(1));
        let excess = self.tokens.len().saturating_sub(most);
        if excess > 0 {
            self.tokens.drain(..excess);
            let pieces = tokens::pieces(&self.text).count();
            self.text = tokens::pieces(&self.text).skip(pieces.saturating_sub(most)).collect();
        }
    }

    /// Keep the first tokens, as embedding models do: `kept` of them, or with -1 all that fit.
    pub(super) fn truncate_start(&mut self, kept: i64, max_model_len: u32) {
        let most = most(kept, max_model_len);
        if self.tokens.len() > most {
            self.tokens.truncate(most);
            self.text = tokens::pieces(&self.text).take(most).collect();
        }
    }
}

/// `truncate_prompt_tokens` as a number of tokens; -1 means `all`.
fn most(kept: i64, all: u32) -> usize {
    usize::try_from(kept).unwrap_or(all as usize)
}

/// The tokens that open a message of `role`, and how they read.
pub(super) fn marks(role: &str) -> impl Iterator<Item = (u32, &str)> {
    let name = fnv1a(role.as_bytes()) as u32;
    (0..MARKS).map(move |k| (name ^ k, ["<|im_start|>", role, "\n"][k as usize]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncation_keeps_the_end() {
        let text = "one two three four five";
        let mut prompt = Prompt::of(Item::Text(text.into()), &Vocabulary::default());
        let all = prompt.tokens.clone();
        prompt.truncate(-1, 100);
        assert_eq!(prompt.tokens, all);
        prompt.truncate(2, 100);
        assert_eq!((prompt.text.as_str(), &prompt.tokens[..]), (" four five", &all[3..]));
    }

    #[test]
    fn known_ids_are_read_and_others_named() {
        let vocabulary = Vocabulary::default();
        vocabulary.learn_text("Tell of dogs.");
        let known = Prompt::of(Item::Tokens(tokens::tokenize("Tell of dogs.")), &vocabulary);
        assert_eq!(known.text, "Tell of dogs.");
        assert_eq!(Prompt::of(Item::Tokens(vec![1, 2]), &vocabulary).text, "token1 token2");
    }
}

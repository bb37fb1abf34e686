//! What the simulator would answer, without a server and without waiting.
//!
//! The twin needs to know what a call would cost before it is made. **The answer is not modelled, it
//! is made**: the body that the workers' client would send is read, checked and thought out by the
//! code of the server itself, so that tokens, blocks and texts are those of a run, exactly.

use sage_core::endpoint::{CallError, ErrorClass, GenerateOptions, Generation, Request};
use sage_core::text::hashed_vector;
use sage_core::vllm::{Embedder, Profile, Request as Job};

use super::body;
use super::draft::draft;
use super::embedding;
use super::params;
use super::problem::Problem;
use super::prompt::Prompt;
use super::vocabulary::Vocabulary;
use super::wire::Shape;
use crate::client::body::encode;

/// An answer, and what the engine is asked for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The answer with its tokens, as the workers' client would read it.
    pub generation: Generation,
    /// What the engine is asked: tokens of the prompt, its blocks, how far the answer goes.
    pub job: Job,
}

/// What the server of `profile` with `seed` answers to one prompt, or how it refuses.
pub fn generation(
    profile: &Profile,
    seed: u64,
    prompt: &str,
    options: &GenerateOptions,
) -> Result<Preview, CallError> {
    made(profile, seed, prompt, options, false)
}

/// What a server answers that has been told to miss the schema (`wrong_schema`); where nothing can be
/// missed, what it answers otherwise.
pub fn misfit(
    profile: &Profile,
    seed: u64,
    prompt: &str,
    options: &GenerateOptions,
) -> Result<Preview, CallError> {
    made(profile, seed, prompt, options, true)
}

fn made(
    profile: &Profile,
    seed: u64,
    prompt: &str,
    options: &GenerateOptions,
    wrong: bool,
) -> Result<Preview, CallError> {
    let request = Request::Generate { prompts: vec![prompt.to_owned()], options: options.clone() };
    let protocol =
        |error: serde_json::Error| CallError::new(ErrorClass::Protocol, error.to_string());
    let sent = encode(&request, &profile.model).map_err(protocol)?;
    let body = serde_json::from_slice(&sent).map_err(protocol)?;
    answer(profile, seed, body, wrong).map_err(Problem::rejection)
}

fn answer(
    profile: &Profile,
    seed: u64,
    mut body: body::Generate,
    wrong: bool,
) -> Result<Preview, Problem> {
    // Calls of a run have no priority of their own.
    params::check(&body, false)?;
    let (shape, mut prompts) = match (body.messages.take(), body.prompt.take()) {
        (Some(messages), _) => (Shape::Chat, vec![Prompt::chat(messages)?]),
        (None, prompt) => {
            let items = prompt.map(body::Input::items).unwrap_or_default();
            let vocabulary = Vocabulary::default();
            let prompts = items.into_iter().map(|item| Prompt::of(item, &vocabulary)).collect();
            (Shape::Completion, prompts)
        }
    };
    let draft = draft(profile, seed, &mut body, &mut prompts, shape, wrong)?;
    let nothing = || Problem::bad(shape.input(), "Nothing is asked.");
    let (script, job) = draft.scripts.into_iter().zip(draft.jobs).next().ok_or_else(nothing)?;
    let refused = |error: sage_core::vllm::Rejected| Problem::bad("prompt", error.to_string());
    let (produced, finish) = profile.end_of(&job).map_err(refused)?;
    let generation = Generation {
        text: script.upto(produced).to_owned(),
        prompt_tokens: u64::from(job.prompt_tokens),
        completion_tokens: u64::from(produced),
        finish: finish.as_str().to_owned(),
        cached: false,
    };
    Ok(Preview { generation, job })
}

/// The vector of `text` and its tokens, or how the server refuses.
pub fn embedding(embedder: &Embedder, text: &str) -> Result<(Vec<f32>, u64), CallError> {
    let prompt = Prompt::of(body::Item::Text(text.to_owned()), &Vocabulary::default());
    let tokens = embedding::check(embedder, &prompt).map_err(Problem::rejection)?;
    Ok((hashed_vector(&prompt.text, embedder.dimensions), tokens))
}

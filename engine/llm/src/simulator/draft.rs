//! What a call will say and what it asks of the engine, decided before anything runs.
//!
//! Pure, so that a call can be looked at without a server: the twin asks what a prompt would cost.

use std::cell::OnceCell;

use sage_core::text::fnv1a;
use sage_core::vllm::{Profile, Request, tokens};

use super::body;
use super::compose::{Remarks, draw};
use super::params::{self, MAX_CHOICES};
use super::problem::Problem;
use super::prompt::Prompt;
use super::script::{Bounds, Script};
use super::structured;
use super::wire::Shape;

/// Tokens of all texts of a call: what is said is decided when the call arrives, so it is held in
/// memory until it is said.
const MAX_SCRIPT_TOKENS: usize = 1 << 22;

/// A call, thought out.
#[derive(Debug)]
pub(super) struct Draft {
    /// One for each choice: those of the first prompt, then those of the second.
    pub(super) scripts: Vec<Script>,
    /// What the engine is asked, in the same order.
    pub(super) jobs: Vec<Request>,
    /// Choices for each prompt.
    pub(super) n: usize,
}

/// Check the options of `body` and think out `n` answers for each prompt. Takes the stops and
/// formats out of `body`; `seed` is the server's.
pub(super) fn draft(
    profile: &Profile,
    seed: u64,
    body: &mut body::Generate,
    prompts: &mut [Prompt],
    shape: Shape,
    wrong_schema: bool,
) -> Result<Draft, Problem> {
    let n = body.n.unwrap_or(1) as usize;
    if prompts.len().saturating_mul(n) > MAX_CHOICES {
        let message = format!("The simulator gives at most {MAX_CHOICES} choices a call.");
        return Err(Problem::bad("n", message));
    }
    let asked = body.max_completion_tokens.or(body.max_tokens);
    let structure = structured::Structure::of(body)?;
    let mut bounds = Bounds {
        max_tokens: 0,
        // A structure ends where it ends.
        min_tokens: if structure.is_free() { body.min_tokens.unwrap_or(0) } else { 0 },
        ignore_eos: structure.is_free() && body.ignore_eos == Some(true),
        stop: params::stops(body.stop.take().map(body::OneOrMany::list).unwrap_or_default())?,
        stop_tokens: body.stop_token_ids.take().unwrap_or_default(),
        show_stop: body.include_stop_str_in_output == Some(true),
    };
    // Without temperature nothing is drawn.
    let given = body.seed.filter(|_| body.temperature != Some(0.0));
    let seed = given.map_or(seed, |seed| seed as u64);
    // Two models that are asked to judge or to choose need not be of one opinion.
    let seed = if structure.is_free() { seed } else { seed ^ fnv1a(profile.model.as_bytes()) };
    let (mut scripts, mut jobs, mut held) = (Vec::new(), Vec::new(), 0);
    for prompt in prompts {
        if let Some(kept) = body.truncate_prompt_tokens {
            prompt.truncate(kept, profile.max_model_len);
        }
        let room = room(profile, prompt, asked, shape)?;
        bounds.max_tokens = asked.unwrap_or(shape.default_max_tokens()).min(room);
        let blocks = tokens::block_hashes(&prompt.tokens, profile.block_size);
        for turn in 0..n {
            let seed = choice_seed(seed, turn);
            let text = structure.say(&prompt.text, seed, wrong_schema)?;
            let remarks = OnceCell::new();
            let more = |turn| remarks.get_or_init(|| Remarks::on(&prompt.text, seed)).say(turn + 8);
            let script = Script::new(text, &bounds, more);
            held += script.len();
            if held > MAX_SCRIPT_TOKENS {
                let message =
                    format!("The simulator says at most {MAX_SCRIPT_TOKENS} tokens a call.");
                return Err(Problem::bad("max_tokens", message));
            }
            jobs.push(Request {
                id: 0,
                prompt_tokens: prompt.tokens.len() as u32,
                blocks: blocks.clone(),
                max_tokens: bounds.max_tokens,
                target_tokens: script.target_tokens,
                priority: body.priority.unwrap_or(0),
            });
            scripts.push(script);
        }
    }
    Ok(Draft { scripts, jobs, n })
}

/// The first choice of a call is what the call would say with `n` = 1.
fn choice_seed(seed: u64, turn: usize) -> u64 {
    if turn == 0 { seed } else { draw(&format!("choice {turn}"), seed) }
}

/// Tokens that may follow the prompt. As in vLLM, an explicit `max_tokens` must fit as a whole.
fn room(
    profile: &Profile,
    prompt: &Prompt,
    asked: Option<u32>,
    shape: Shape,
) -> Result<u32, Problem> {
    let limit = profile.max_model_len;
    let length = u32::try_from(prompt.tokens.len()).unwrap_or(u32::MAX);
    let param = shape.input();
    if length == 0 {
        return Err(Problem::bad(param, "The decoder prompt cannot be empty"));
    }
    let output = asked.unwrap_or(1);
    if length.saturating_add(output) > limit {
        let message = format!(
            "This model's maximum context length is {limit} tokens. However, you requested {} \
             tokens ({length} in the {param}, {output} in the completion). Please reduce the \
             length of the {param} or completion.",
            u64::from(length) + u64::from(output),
        );
        return Err(Problem::bad(param, message));
    }
    Ok(limit - length)
}

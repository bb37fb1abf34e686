//! What chats and completions have in common: from a checked body to running requests and text.

use std::cell::OnceCell;

use sage_core::vllm::{Profile, Request, tokens};
use serde_json::{Value, json};

use super::body;
use super::call::{Outcome, Progress, Ticket};
use super::compose::{Remarks, draw};
use super::params::{self, MAX_CHOICES};
use super::problem::Problem;
use super::prompt::Prompt;
use super::script::{Bounds, Script};
use super::server::Server;
use super::structured;
use super::wire::Shape;

/// Tokens of all texts of a call: what is said is decided when the call arrives, so it is held in
/// memory until it is said.
const MAX_SCRIPT_TOKENS: usize = 1 << 22;

/// A call that runs, and what it will say.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) ticket: Ticket,
    /// One for each choice: those of the first prompt, then those of the second.
    pub(super) scripts: Vec<Script>,
    /// What stands before the text of each choice.
    echoes: Vec<String>,
    /// Choices for each prompt.
    n: usize,
    prompt_tokens: Vec<usize>,
}

impl Generation {
    /// Check the options and start `n` requests for each prompt. They come one behind the other, so
    /// that all but the first find the prompt's full blocks in the prefix cache.
    pub(super) async fn start(
        server: &Server,
        body: &mut body::Generate,
        mut prompts: Vec<Prompt>,
        shape: Shape,
        wrong_schema: bool,
    ) -> Result<Generation, Problem> {
        let n = body.n.unwrap_or(1) as usize;
        if prompts.len().saturating_mul(n) > MAX_CHOICES {
            let message = format!("The simulator gives at most {MAX_CHOICES} choices a call.");
            return Err(Problem::bad("n", message));
        }
        let profile = server.profile();
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
        let seed = given.map_or(server.seed(), |seed| seed as u64);
        let (mut scripts, mut jobs, mut held) = (Vec::new(), Vec::new(), 0);
        for prompt in &mut prompts {
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
                let more =
                    |turn| remarks.get_or_init(|| Remarks::on(&prompt.text, seed)).say(turn + 8);
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
        let eager = body.stream == Some(true);
        let ticket = server.generator().start(jobs, n as u64, eager).await?;
        let prompt_tokens = prompts.iter().map(|prompt| prompt.tokens.len()).collect();
        let echo = body.echo == Some(true) && shape == Shape::Completion;
        let before = |prompt: Prompt| if echo { prompt.text } else { String::new() };
        let echoes = prompts.into_iter().map(before).collect();
        Ok(Generation { ticket, scripts, echoes, n, prompt_tokens })
    }

    /// What stands before the text of choice `index`: the prompt, if it is to be repeated.
    pub(super) fn echo(&self, index: usize) -> &str {
        &self.echoes[index / self.n]
    }

    /// `usage` of all choices once they stand where `progress` says; a prompt counts once.
    pub(super) fn usage(&self, progress: &[Progress]) -> Value {
        let completion = progress.iter().map(|one| u64::from(one.produced)).sum();
        usage(self.prompt_tokens.iter().sum(), completion)
    }

    /// `usage` of one choice.
    pub(super) fn usage_of(&self, index: usize, produced: u32) -> Value {
        usage(self.prompt_tokens[index / self.n], u64::from(produced))
    }
}

fn usage(prompt: usize, completion: u64) -> Value {
    json!({
        "prompt_tokens": prompt,
        "total_tokens": prompt as u64 + completion,
        "completion_tokens": completion,
        "prompt_tokens_details": null,
    })
}

/// The first choice of a call is what the call would say with `n` = 1.
fn choice_seed(seed: u64, turn: usize) -> u64 {
    if turn == 0 { seed } else { draw(&format!("choice {turn}"), seed) }
}

/// The word for `finish_reason`, or the problem that ended the request.
pub(super) fn finish_reason(outcome: &Outcome) -> Result<&'static str, Problem> {
    match outcome {
        Outcome::Finished(finish) => Ok(finish.as_str()),
        Outcome::Rejected(reason) => Err(Problem::bad("prompt", reason.clone())),
        Outcome::Lost => Err(Problem::stopping()),
    }
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

//! What chats and completions have in common: from a checked body to running requests and text.

use sage_core::vllm::{Profile, Request, tokens};
use serde_json::{Value, json};

use super::body::{self, Item};
use super::call::{Outcome, Progress, Ticket};
use super::compose;
use super::problem::Problem;
use super::schema::Filler;
use super::script::{Bounds, Script};
use super::server::Server;

/// One prompt with its tokens.
#[derive(Debug)]
pub(super) struct Prompt {
    pub(super) text: String,
    pub(super) tokens: Vec<u32>,
}

impl Prompt {
    /// A prompt of a completion.
    pub(super) fn of(item: Item) -> Prompt {
        match item {
            Item::Text(text) => Prompt { tokens: tokens::tokenize(&text), text },
            // There is no vocabulary to read ids with; the text is made from their names.
            Item::Tokens(tokens) => {
                let names: Vec<String> =
                    tokens.iter().take(64).map(|id| format!("token{id}")).collect();
                Prompt { text: names.join(" "), tokens }
            }
        }
    }
}

/// A call that runs, and what it will say.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) ticket: Ticket,
    pub(super) scripts: Vec<Script>,
    pub(super) prompt_tokens: usize,
}

impl Generation {
    /// Check the options and start a request for each prompt.
    pub(super) async fn start(
        server: &Server,
        body: &mut body::Generate,
        prompts: Vec<Prompt>,
        default_max_tokens: u32,
    ) -> Result<Generation, Problem> {
        check(body)?;
        let profile = server.profile();
        let asked = body.max_completion_tokens.or(body.max_tokens);
        let mut bounds = Bounds {
            max_tokens: 0,
            min_tokens: body.min_tokens.unwrap_or(0),
            ignore_eos: body.ignore_eos.unwrap_or(false),
            stop: body.stop.take().map(body::OneOrMany::list).unwrap_or_default(),
        };
        let seed = body.seed.map_or(server.seed(), |seed| seed as u64);
        let (mut scripts, mut jobs, mut prompt_tokens) = (Vec::new(), Vec::new(), 0);
        for prompt in &prompts {
            let room = room(profile, prompt, asked)?;
            bounds.max_tokens = asked.unwrap_or(default_max_tokens).min(room);
            let text = said(body, &prompt.text, seed)?;
            let more = |turn| compose::remark(&prompt.text, seed, turn + 8);
            let script = Script::new(text, &bounds, more);
            jobs.push(Request {
                id: 0,
                prompt_tokens: prompt.tokens.len() as u32,
                blocks: tokens::block_hashes(&prompt.tokens, profile.block_size),
                max_tokens: bounds.max_tokens,
                target_tokens: script.target_tokens,
                priority: body.priority.unwrap_or(0),
            });
            prompt_tokens += prompt.tokens.len();
            scripts.push(script);
        }
        let ticket = server.generator().start(jobs, body.stream.unwrap_or(false)).await?;
        Ok(Generation { ticket, scripts, prompt_tokens })
    }

    /// `usage` once all requests stand where `progress` says.
    pub(super) fn usage(&self, progress: &[Progress]) -> Value {
        let completion: u64 = progress.iter().map(|one| u64::from(one.produced)).sum();
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens as u64 + completion,
            "prompt_tokens_details": null,
        })
    }
}

/// The word for `finish_reason`, or the problem that ended the request.
pub(super) fn finish_reason(outcome: &Outcome) -> Result<&'static str, Problem> {
    match outcome {
        Outcome::Finished(finish) => Ok(finish.as_str()),
        Outcome::Rejected(reason) => Err(Problem::bad("prompt", reason.clone())),
        Outcome::Lost => Err(Problem::stopping()),
    }
}

fn check(body: &body::Generate) -> Result<(), Problem> {
    if body.n.is_some_and(|n| n != 1) {
        return Err(Problem::bad("n", "The simulator answers with one choice: `n` must be 1."));
    }
    if body.echo == Some(true) {
        return Err(Problem::bad("echo", "The simulator does not echo the prompt."));
    }
    if body.max_completion_tokens.or(body.max_tokens) == Some(0) {
        return Err(Problem::bad("max_tokens", "max_tokens must be at least 1, got 0."));
    }
    let most = body.max_completion_tokens.or(body.max_tokens);
    if most.is_some_and(|most| body.min_tokens.unwrap_or(0) > most) {
        return Err(Problem::bad("min_tokens", "min_tokens must not exceed max_tokens."));
    }
    Ok(())
}

/// Tokens that may follow the prompt. As in vLLM, an explicit `max_tokens` must fit as a whole.
fn room(profile: &Profile, prompt: &Prompt, asked: Option<u32>) -> Result<u32, Problem> {
    let limit = profile.max_model_len;
    let length = u32::try_from(prompt.tokens.len()).unwrap_or(u32::MAX);
    let output = asked.unwrap_or(1);
    if length == 0 {
        return Err(Problem::bad("prompt", "The prompt is empty."));
    }
    if length.saturating_add(output) > limit {
        let message = format!(
            "This model's maximum context length is {limit} tokens. However, you requested {} \
             tokens ({length} in the prompt, {output} in the completion). Please reduce the length \
             of the prompt or of the completion.",
            u64::from(length) + u64::from(output),
        );
        return Err(Problem::bad("prompt", message));
    }
    Ok(limit - length)
}

/// The text in the form that the body asks for.
fn said(body: &body::Generate, prompt: &str, seed: u64) -> Result<String, Problem> {
    let answer = compose::answer(prompt, seed);
    let fill = |root: &Value| Filler { root, prompt, seed, answer: &answer }.fill().to_string();
    let field = |value: &Option<Value>, pointer: &str| value.as_ref()?.pointer(pointer).cloned();
    let format = &body.response_format;
    match field(format, "/type").as_ref().and_then(Value::as_str) {
        Some("json_object") => return Ok(json!({ "answer": answer }).to_string()),
        Some("json_schema") => {
            let schema = field(format, "/json_schema/schema");
            let missing = || Problem::bad("response_format", "json_schema.schema is missing.");
            return schema.map(|schema| fill(&schema)).ok_or_else(missing);
        }
        Some("text") | None => {}
        Some(other) => {
            let message = format!("The simulator has no response format `{other}`.");
            return Err(Problem::bad("response_format", message));
        }
    }
    if let Some(schema) = field(&body.structured_outputs, "/json") {
        return Ok(fill(&schema));
    }
    if let Some(Value::Array(choices)) = field(&body.structured_outputs, "/choice") {
        let choices: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
        return Ok(compose::choose(&choices, prompt, compose::draw(prompt, seed)).to_owned());
    }
    Ok(answer)
}

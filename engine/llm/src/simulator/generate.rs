//! What chats and completions have in common: from a checked body to running requests and text.

use serde_json::{Value, json};

use super::body;
use super::call::{Outcome, Progress, Ticket};
use super::draft::{Draft, draft};
use super::problem::Problem;
use super::prompt::Prompt;
use super::script::Script;
use super::server::Server;
use super::wire::Shape;

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
        let draft =
            draft(server.profile(), server.seed(), body, &mut prompts, shape, wrong_schema)?;
        let Draft { scripts, jobs, n } = draft;
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

/// The word for `finish_reason`, or the problem that ended the request.
pub(super) fn finish_reason(outcome: &Outcome) -> Result<&'static str, Problem> {
    match outcome {
        Outcome::Finished(finish) => Ok(finish.as_str()),
        Outcome::Rejected(reason) => Err(Problem::bad("prompt", reason.clone())),
        Outcome::Lost => Err(Problem::stopping()),
    }
}

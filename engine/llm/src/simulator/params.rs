//! Checks of the sampling parameters, with vLLM's ranges and words.
//!
//! What is sampled here follows no distribution, so temperature and its like change nothing; a value
//! that a real server refuses is refused all the same, because that is what a client is tested on.
//! What would change the answer's form and is not simulated is refused with a plain sentence.

use serde_json::Value;

use super::body::Generate;
use super::problem::Problem;

/// Choices of one call, all prompts together: vLLM knows no bound, memory does.
pub(super) const MAX_CHOICES: usize = 4096;
/// Stop strings of one call, and bytes of each.
const MAX_STOPS: usize = 64;
const MAX_STOP_BYTES: usize = 1024;

/// Refuse what a real server would refuse, and what is not simulated.
pub(super) fn check(body: &Generate, priority_scheduling: bool) -> Result<(), Problem> {
    ranges(body)?;
    lengths(body)?;
    not_simulated(body)?;
    if body.stream_options.is_some() && body.stream != Some(true) {
        let message = "Stream options can only be defined when `stream=True`.";
        return Err(Problem::bad("stream_options", message));
    }
    match body.priority {
        Some(priority) if priority != 0 && !priority_scheduling => {
            let message =
                format!("Got priority {priority} but Priority scheduling is not enabled.");
            Err(Problem::bad("priority", message))
        }
        _ => Ok(()),
    }
}

fn ranges(body: &Generate) -> Result<(), Problem> {
    let within =
        |name: &'static str, value: Option<f64>, fits: fn(f64) -> bool, rule: &str| match value {
            Some(value) if !fits(value) => {
                Err(Problem::bad(name, format!("{name} must be {rule}, got {value:?}.")))
            }
            _ => Ok(()),
        };
    let penalty = |value: f64| (-2.0..=2.0).contains(&value);
    within("temperature", body.temperature, |t| t >= 0.0, "non-negative")?;
    within("top_p", body.top_p, |p| p > 0.0 && p <= 1.0, "in (0, 1]")?;
    within("min_p", body.min_p, |p| (0.0..=1.0).contains(&p), "in [0, 1]")?;
    within("presence_penalty", body.presence_penalty, penalty, "in [-2, 2]")?;
    within("frequency_penalty", body.frequency_penalty, penalty, "in [-2, 2]")?;
    within("repetition_penalty", body.repetition_penalty, |p| p > 0.0, "greater than zero")?;
    match body.top_k {
        Some(k) if k < -1 => {
            let message = format!("top_k must be 0 (disable), or at least 1, got {k}.");
            Err(Problem::bad("top_k", message))
        }
        _ => Ok(()),
    }
}

fn lengths(body: &Generate) -> Result<(), Problem> {
    if body.n == Some(0) {
        return Err(Problem::bad("n", "n must be at least 1, got 0."));
    }
    let most = body.max_completion_tokens.or(body.max_tokens);
    if most == Some(0) {
        return Err(Problem::bad("max_tokens", "max_tokens must be at least 1, got 0."));
    }
    let least = body.min_tokens.unwrap_or(0);
    if let Some(most) = most.filter(|&most| least > most) {
        let message =
            format!("min_tokens must be less than or equal to max_tokens={most}, got {least}.");
        return Err(Problem::bad("min_tokens", message));
    }
    if body.truncate_prompt_tokens.is_some_and(|kept| kept < -1 || kept == 0) {
        let message = "truncate_prompt_tokens must be -1 or at least 1.";
        return Err(Problem::bad("truncate_prompt_tokens", message));
    }
    Ok(())
}

fn not_simulated(body: &Generate) -> Result<(), Problem> {
    let asks =
        |value: &Option<Value>| !matches!(value, None | Some(Value::Null | Value::Bool(false)));
    if asks(&body.logprobs) || asks(&body.prompt_logprobs) {
        let message = "The simulator has no probabilities: logprobs are not simulated.";
        return Err(Problem::bad("logprobs", message));
    }
    if body.suffix.as_ref().is_some_and(|suffix| !suffix.is_empty()) {
        return Err(Problem::bad("suffix", "suffix is not currently supported"));
    }
    if body.prompt_embeds.as_ref().is_some_and(|embeds| !embeds.is_null()) {
        return Err(Problem::bad("prompt_embeds", "prompt_embeds are not simulated."));
    }
    if body.use_beam_search == Some(true) {
        return Err(Problem::bad("use_beam_search", "Beam search is not simulated."));
    }
    if body.best_of.is_some_and(|best| best != body.n.unwrap_or(1)) {
        return Err(Problem::bad("best_of", "best_of is not supported; use n."));
    }
    let tools = body.tools.as_ref().is_some_and(|tools| !tools.is_empty());
    if tools && body.tool_choice != Some(Value::from("none")) {
        let message = "\"auto\" tool choice requires --enable-auto-tool-choice and \
                       --tool-call-parser to be set; the simulator calls no tools.";
        return Err(Problem::bad("tools", message));
    }
    Ok(())
}

/// Stop strings, checked.
pub(super) fn stops(list: Vec<String>) -> Result<Vec<String>, Problem> {
    if list.iter().any(String::is_empty) {
        return Err(Problem::bad("stop", "stop cannot contain an empty string."));
    }
    if list.len() > MAX_STOPS || list.iter().any(|stop| stop.len() > MAX_STOP_BYTES) {
        let message =
            format!("The simulator takes {MAX_STOPS} stop strings of {MAX_STOP_BYTES} bytes.");
        return Err(Problem::bad("stop", message));
    }
    Ok(list)
}

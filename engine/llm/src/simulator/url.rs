//! The address of a simulated endpoint: `sim:PROFILE[@SPEED]`.

use sage_core::vllm::{Profile, names, profile};

use super::SimulatorError;

/// Profile and speed of `sim:a100/qwen2.5-7b@10`; the speed is 1 when it is left out.
///
/// ```
/// use sage_llm::simulator::parse_url;
/// let (profile, speed) = parse_url("sim:a100/qwen2.5-7b@10")?;
/// assert_eq!((profile.name, speed), ("a100/qwen2.5-7b", 10.0));
/// assert!(parse_url("sim:h900/x").unwrap_err().to_string().contains("a100/llama-3-8b"));
/// # Ok::<(), sage_llm::simulator::SimulatorError>(())
/// ```
pub fn parse_url(url: &str) -> Result<(&'static Profile, f64), SimulatorError> {
    let rest = url.strip_prefix("sim:").ok_or_else(|| SimulatorError::Url(url.to_owned()))?;
    let (name, speed) = match rest.split_once('@') {
        Some((name, speed)) => (name, parse_speed(speed)?),
        None => (rest, 1.0),
    };
    let found = profile(name).ok_or_else(|| SimulatorError::Profile {
        name: name.to_owned(),
        known: names().collect::<Vec<_>>().join(", "),
    })?;
    Ok((found, speed))
}

fn parse_speed(text: &str) -> Result<f64, SimulatorError> {
    let speed = text.trim_end_matches('x').parse().ok();
    speed.filter(|&speed| valid_speed(speed)).ok_or_else(|| SimulatorError::Speed(text.to_owned()))
}

/// Whether a clock can run at `speed`.
pub(super) fn valid_speed(speed: f64) -> bool {
    (1e-3..=1e6).contains(&speed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_checked() {
        let speed = |url: &str| parse_url(url).unwrap().1.to_string();
        assert_eq!(speed("sim:A100/Llama-3-8B"), "1");
        assert_eq!(speed("sim:a100/llama-3-8b@2.5x"), "2.5");
        for bad in ["@0", "@-1", "@fast", "@nan", "@inf", "@"] {
            let error = parse_url(&format!("sim:a100/llama-3-8b{bad}")).unwrap_err();
            assert!(matches!(error, SimulatorError::Speed(_)), "{bad}");
        }
        assert!(matches!(parse_url("http://x"), Err(SimulatorError::Url(_))));
    }
}

//! The address of a simulated endpoint: `sim:PROFILE[@SPEED]` or `sim:PATH.toml[@SPEED]`.

use std::fs::File;
use std::io::Read;

use sage_core::vllm::{Profile, names, profile};

use super::SimulatorError;

/// Longest profile file, bytes.
const MOST_BYTES: u64 = 64 * 1024;

/// Profile and speed of `sim:a100/qwen2.5-7b@10`; the speed is 1 when it is left out. What ends in
/// `.toml` is read as a profile file (see `sage_core::vllm::Profile::from_toml`).
///
/// ```
/// use sage_llm::simulator::parse_url;
/// let (profile, speed) = parse_url("sim:a100/qwen2.5-7b@10")?;
/// assert_eq!((&*profile.name, speed), ("a100/qwen2.5-7b", 10.0));
/// assert!(parse_url("sim:h900/x").unwrap_err().to_string().contains("a100/llama-3-8b"));
/// # Ok::<(), sage_llm::simulator::SimulatorError>(())
/// ```
pub fn parse_url(url: &str) -> Result<(Profile, f64), SimulatorError> {
    let rest = url.strip_prefix("sim:").ok_or_else(|| SimulatorError::Url(url.to_owned()))?;
    let (name, speed) = match rest.rsplit_once('@') {
        // A path may contain the sign, too.
        Some((name, speed)) if !is_file(rest) => (name, parse_speed(speed)?),
        _ => (rest, 1.0),
    };
    if is_file(name) {
        return Ok((read(name)?, speed));
    }
    let found = profile(name).ok_or_else(|| SimulatorError::Profile {
        name: name.to_owned(),
        known: names().collect::<Vec<_>>().join(", "),
    })?;
    Ok((found.clone(), speed))
}

/// Whether a name is that of a file.
fn is_file(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|found| found.eq_ignore_ascii_case("toml"))
}

fn read(path: &str) -> Result<Profile, SimulatorError> {
    let failed = |source| SimulatorError::File { path: path.to_owned(), source };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text))
        .map_err(failed)?;
    let wrong = |source| SimulatorError::ProfileFile { path: path.to_owned(), source };
    Profile::from_toml(&text).map_err(wrong)
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

    #[test]
    fn files_are_profiles() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a@b.toml");
        let url = |speed: &str| format!("sim:{}{speed}", path.display());
        assert!(matches!(parse_url(&url("")), Err(SimulatorError::File { .. })));
        std::fs::write(&path, "base = 'a100/llama-3-8b'\nlimits.max_num_seqs = 7").unwrap();
        for (speed, expected) in [("", 1.0), ("@20", 20.0)] {
            let (profile, speed) = parse_url(&url(speed)).unwrap();
            assert_eq!((profile.max_num_seqs, speed), (7, expected));
        }
        std::fs::write(&path, "base = 'a100/llama-3-8b'\nlimits.max_seqs = 7").unwrap();
        let error = parse_url(&url("@2")).unwrap_err().to_string();
        assert!(error.contains("a@b.toml: line 2") && error.contains("max_num_seqs"), "{error}");
    }
}

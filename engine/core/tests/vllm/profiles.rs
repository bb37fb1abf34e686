//! Profile files: three ways to begin, exact round trips, and what is said of mistakes.

use proptest::prelude::*;
use sage_core::vllm::{PROFILES, Profile, ProfileError, Scheduling};

use super::named;

#[test]
fn a_written_profile_reads_back_the_same() {
    let mut profiles: Vec<Profile> = PROFILES.to_vec();
    profiles.push(Profile {
        name: "with \"quotes\", a \\ and a\nbreak".into(),
        scheduling: Scheduling::Priority,
        chunked_prefill: false,
        api_ms_per_request: 1.0 / 3.0,
        ..PROFILES[0].clone()
    });
    for profile in profiles {
        let text = profile.to_toml("Measured by hand.\n\nTwice.");
        assert!(text.starts_with("# Measured by hand.\n#\n# Twice.\n"), "{text}");
        assert_eq!(Profile::from_toml(&text), Ok(profile), "{text}");
    }
}

const A100: &str = "model = 'Qwen/Qwen2.5-7B-Instruct'
[gpu]
bandwidth_gb_s = 2039
peak_tflops = 312
memory_gib = 79.2
[architecture]
layers = 28
hidden = 3584
intermediate = 18_944
query_heads = 28
kv_heads = 4
head_dim = 128
vocabulary = 152_064
[limits]
max_model_len = 32768
";

#[test]
fn hardware_and_architecture_give_the_constants_of_the_known_profile() {
    let (profile, known) = (Profile::from_toml(A100).unwrap(), named("a100/qwen2.5-7b"));
    // The same but for the last digit: GB/s and TFLOP/s are multiplied out.
    for (ours, theirs) in [
        (profile.costs.weights, known.costs.weights),
        (profile.costs.compute, known.costs.compute),
        (profile.costs.decode_context, known.costs.decode_context),
        (profile.costs.prefill_pair, known.costs.prefill_pair),
    ] {
        assert!((ours / theirs - 1.0).abs() < 1e-9);
    }
    let ratio = f64::from(profile.kv_blocks) / f64::from(known.kv_blocks);
    assert!((0.95..1.05).contains(&ratio), "{ratio}");
    assert_eq!((profile.max_num_seqs, profile.max_num_batched_tokens), (256, 2048));
    let changed = A100.replace("[limits]", "[step]\noverhead_ms = 9\n[limits]\nkv_tokens = 1600");
    let changed = Profile::from_toml(&changed).unwrap();
    assert_eq!((changed.costs.step_overhead, changed.kv_blocks), (9.0, 100));
}

#[test]
fn a_base_is_changed_in_what_is_said() {
    let text = "base = 'a100/llama-3-8b'\nname = 'ours'\n[server]\nscheduling = 'priority'\n";
    let profile = Profile::from_toml(text).unwrap();
    let base = named("a100/llama-3-8b").clone();
    let expected = Profile { name: "ours".into(), scheduling: Scheduling::Priority, ..base };
    assert_eq!(profile, expected);
    // The cache keeps its tokens when its blocks change.
    let error = Profile::from_toml("base = 'a100/llama-3-8b'\nlimits.block_size = 32").unwrap_err();
    assert!(error.message.contains("limits.kv_tokens"), "{error}");
}

#[test]
fn mistakes_are_named_with_line_and_remedy() {
    let base = "base = 'a100/llama-3-8b'\n";
    for (text, line, said) in [
        ("base = ", 1, ""),
        ("base = 'a100/llama'", 1, "known: a100/llama-2-7b, a100/llama-3-8b"),
        ("base = 7", 1, "a text of 1 to 200 bytes"),
        (&format!("{base}[limit]\n"), 2, "no section [limit]; did you mean `limits`?"),
        (&format!("{base}[limits]\nmax_seqs = 5"), 3, "did you mean `max_num_seqs`?"),
        (&format!("{base}[limits]\n\nmax_num_seqs = 0"), 4, "a whole number from 1"),
        (&format!("{base}[limits]\nmax_num_seqs = 2.5"), 3, "a whole number from 1"),
        (&format!("{base}[step]\nweights_ms = -1"), 3, "a number from 0"),
        (&format!("{base}[step]\nweights_ms = nan"), 3, "a number from 0"),
        (&format!("{base}[server]\nscheduling = 'lifo'"), 3, "\"fcfs\" or \"priority\""),
        (&format!("{base}[server]\nchunked_prefill = 1"), 3, "true or false"),
        (&format!("{base}[gpu]\npeak_tflops = 5"), 3, "two ways to begin"),
        (&format!("{base}[limits]\nkv_tokens = 5"), 3, "no room for a single block"),
        ("", 1, "`model` is missing"),
        ("model = 'm'", 1, "`limits.max_model_len` is missing"),
        ("model = 'm'\nlimits.max_model_len = 9", 1, "`step.weights_ms` is missing"),
        (&A100.replace("layers = 28\n", ""), 3, "`architecture.layers` is missing"),
        (&A100.replace("memory_gib = 79.2\n", ""), 1, "`gpu.memory_gib`"),
    ] {
        let error: ProfileError = Profile::from_toml(text).unwrap_err();
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.message.contains(said), "{text}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in a file, the answer is a profile or a mistake with a line of that file.
    #[test]
    fn no_text_is_too_odd(
        lines in prop::collection::vec(
            "(base|name|model|\\[limits\\]|\\[step\\]|kv_tokens|block_size|weights_ms|[a-z.\\[\\]\"]{0,6}) ?=? ?('a100/llama-3-8b'|[0-9e.+-]{1,12}|nan|true|\\PC{0,8})",
            0..6,
        ),
    ) {
        let text = lines.join("\n");
        if let Err(error) = Profile::from_toml(&text) {
            prop_assert!((1..=lines.len().max(1)).contains(&error.line), "{text}: {error}");
        }
    }
}

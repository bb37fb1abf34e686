//! Prompts of a wanted length that no cache has seen.

use rand::RngExt;
use rand_pcg::Pcg64Mcg;

const WORDS: [&str; 32] = [
    "time", "water", "house", "light", "paper", "music", "river", "table", "green", "small",
    "early", "north", "plant", "stone", "voice", "world", "night", "story", "field", "horse",
    "glass", "cloud", "bread", "money", "train", "first", "under", "after", "great", "quiet",
    "round", "white",
];

/// About `words` words; the first ones are random, so the prompt shares no prefix with another.
pub(super) fn prompt(rng: &mut Pcg64Mcg, words: u32) -> String {
    let mut text = format!("Note {:06}.", rng.random_range(0..1_000_000));
    for _ in 0..words.saturating_sub(2) {
        text.push(' ');
        text.push_str(WORDS[rng.random_range(0..WORDS.len())]);
    }
    text
}

/// `length` give or take a quarter.
pub(super) fn about(rng: &mut Pcg64Mcg, length: u32) -> u32 {
    let least = length - length / 4;
    rng.random_range(least..=length + length / 4).max(1)
}

//! A deterministic stand-in for a tokeniser.
//!
//! It cuts text by the rule of [`count_tokens`](crate::text::count_tokens), so prompt lengths,
//! streamed pieces and prefix-cache blocks agree with what budgets count. Blank space belongs to the
//! token after it (as in byte-pair encodings), so the pieces put together are the text again.

use crate::text::{Run, fnv1a, run_of};

/// Number of tokens of `text`; at least 1, as every model puts something before an empty prompt.
pub fn count(text: &str) -> u32 {
    u32::try_from(crate::text::count_tokens(text)).unwrap_or(u32::MAX).max(1)
}

/// The text of each token, in order; nothing for a text of blanks only.
///
/// ```
/// use sage_core::vllm::tokens::pieces;
/// let cut: Vec<_> = pieces("The scheduler  waits.").collect();
/// assert_eq!(cut, ["The", " sche", "dule", "r", "  waits", "."]);
/// ```
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    // Symbols of the current run that are not handed out yet, and how many go into one token.
    let (mut left, mut size) = (0_usize, 1_usize);
    std::iter::from_fn(move || {
        let trimmed = rest.trim_start_matches(|symbol| run_of(symbol) == Run::Blank);
        if trimmed.is_empty() {
            return None;
        }
        if left == 0 {
            let run = trimmed.chars().next().map_or(Run::Blank, run_of);
            left = trimmed.chars().take_while(|&symbol| run_of(symbol) == run).count();
            size = match run {
                Run::Word if left <= 6 => left,
                Run::Word | Run::Mark(_) => 4,
                Run::Break => left,
                Run::Blank | Run::Ideograph => 1,
            };
        }
        let take = size.min(left);
        left -= take;
        let end = trimmed.char_indices().nth(take).map_or(trimmed.len(), |(at, _)| at);
        let mut end = rest.len() - trimmed.len() + end;
        if rest[end..].chars().all(|symbol| run_of(symbol) == Run::Blank) {
            end = rest.len();
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

/// One number per token, equal for equal tokens; at least one.
pub fn tokenize(text: &str) -> Vec<u32> {
    let mut tokens: Vec<u32> = pieces(text).map(|piece| fnv1a(piece.as_bytes()) as u32).collect();
    if tokens.is_empty() {
        tokens.push(0);
    }
    tokens
}

/// Chained hashes of the full blocks of `tokens`: each names everything up to its end, so equal
/// hashes mean equal prefixes (as vLLM names its blocks).
pub fn block_hashes(tokens: &[u32], block_size: u32) -> Vec<u64> {
    let mut chain = 0;
    tokens
        .chunks_exact(block_size.max(1) as usize)
        .map(|block| {
            chain = block.iter().fold(mix(chain, 1), |hash, &token| mix(hash, u64::from(token)));
            chain
        })
        .collect()
}

/// Combine two hashes; the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
pub(super) fn mix(state: u64, value: u64) -> u64 {
    let mut mixed = state.rotate_left(5) ^ value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_text_and_as_many_as_are_counted() {
        for text in [
            "",
            " ",
            "one",
            "  The scheduler\twaits.  ",
            "a\n\n b \n",
            "=====---- x",
            "日本語 text",
            "internationalization of über-long_words, 1234567890",
        ] {
            let cut: Vec<&str> = pieces(text).collect();
            assert_eq!(cut.len() as u64, crate::text::count_tokens(text), "{text:?}");
            if !text.trim().is_empty() {
                assert_eq!(cut.concat(), text);
            }
        }
    }

    #[test]
    fn equal_prefixes_have_equal_hashes_and_only_those() {
        let a: Vec<u32> = (0..40).collect();
        let mut b = a.clone();
        b[20] = 99;
        let (a, b) = (block_hashes(&a, 16), block_hashes(&b, 16));
        assert_eq!((a.len(), a[0]), (2, b[0]));
        assert_ne!(a[1], b[1]);
    }
}

//! What one request will say, decided when it arrives, and at which token it ends.

use sage_core::vllm::tokens;

/// A text and the bytes that each of its tokens reaches.
#[derive(Debug)]
pub(super) struct Script {
    text: String,
    /// `ends[k]` is where token `k + 1` ends.
    ends: Vec<usize>,
    /// Bytes that are shown: less than all when a stop string cuts the text.
    shown: usize,
    /// Tokens after which the model stops by itself, the end-of-text token included.
    pub(super) target_tokens: u32,
}

/// What bounds the text.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    pub(super) max_tokens: u32,
    pub(super) min_tokens: u32,
    pub(super) ignore_eos: bool,
    pub(super) stop: Vec<String>,
}

impl Script {
    /// `text`, made longer by `more` where the bounds ask for it.
    pub(super) fn new(mut text: String, bounds: &Bounds, more: impl Fn(usize) -> String) -> Self {
        let least = if bounds.ignore_eos { bounds.max_tokens } else { bounds.min_tokens };
        let mut turn = 0;
        // Counting is linear, so the text is at least doubled each time.
        while tokens::count(&text) < least {
            let length = text.len();
            while text.len() <= 2 * length {
                text.push(' ');
                text.push_str(&more(turn));
                turn += 1;
            }
        }
        let mut end = 0;
        let ends: Vec<usize> = tokens::pieces(&text)
            .take(bounds.max_tokens as usize)
            .map(|piece| {
                end += piece.len();
                end
            })
            .collect();
        let mut script = Script { target_tokens: u32::MAX, shown: text.len(), text, ends };
        if !bounds.ignore_eos {
            script.target_tokens = (script.ends.len() as u32).saturating_add(1);
        }
        script.cut_at(bounds);
        script
    }

    /// End at the first stop string that lies behind the least number of tokens.
    fn cut_at(&mut self, bounds: &Bounds) {
        let spoken = |tokens: u32| self.ends.get((tokens as usize).wrapping_sub(1)).copied();
        let from = spoken(bounds.min_tokens).unwrap_or(0);
        let hits = bounds.stop.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| {
            self.text.get(from..)?.find(stop.as_str()).map(|at| (from + at, stop.len()))
        });
        if let Some((at, length)) = hits.min() {
            self.shown = at;
            let said = self.ends.partition_point(|&end| end < at + length);
            self.target_tokens = said as u32 + 1;
        }
    }

    /// What has been said after `produced` tokens.
    pub(super) fn upto(&self, produced: u32) -> &str {
        let produced = (produced as usize).min(self.ends.len());
        let end = produced.checked_sub(1).map_or(0, |last| self.ends[last]);
        &self.text[..end.min(self.shown)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(bounds: Bounds) -> Script {
        let bounds = Bounds { max_tokens: bounds.max_tokens.max(1), ..bounds };
        Script::new("One two three. Four five.".into(), &bounds, |_| "And more.".into())
    }

    #[test]
    fn the_text_ends_by_itself() {
        let all = script(Bounds { max_tokens: 50, ..Bounds::default() });
        assert_eq!(all.target_tokens, 8);
        assert_eq!((all.upto(0), all.upto(2)), ("", "One two"));
        assert_eq!(all.upto(8), "One two three. Four five.");
    }

    #[test]
    fn stop_strings_cut_and_end() {
        let stop = vec!["Four".to_owned(), "three".to_owned()];
        let cut = script(Bounds { max_tokens: 50, stop: stop.clone(), ..Bounds::default() });
        assert_eq!((cut.target_tokens, cut.upto(9)), (3, "One two "));
        let late = script(Bounds { max_tokens: 50, min_tokens: 4, stop, ..Bounds::default() });
        assert_eq!((late.target_tokens, late.upto(9)), (5, "One two three. "));
    }

    #[test]
    fn the_end_can_be_forbidden() {
        let long = script(Bounds { max_tokens: 300, ignore_eos: true, ..Bounds::default() });
        assert_eq!((long.target_tokens, long.ends.len()), (u32::MAX, 300));
        let least = script(Bounds { max_tokens: 300, min_tokens: 40, ..Bounds::default() });
        assert!((40..200).contains(&least.target_tokens), "{}", least.target_tokens);
    }
}

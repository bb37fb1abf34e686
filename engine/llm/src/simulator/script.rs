//! What one request will say, decided when it arrives, and at which token it ends.

use sage_core::vllm::tokens;

/// A text and the bytes that each of its tokens reaches.
#[derive(Debug)]
pub(super) struct Script {
    text: String,
    /// `ends[k]` is where token `k + 1` ends.
    ends: Vec<u32>,
    /// Bytes that are shown: less than all when a stop string cuts the text.
    shown: usize,
    /// Tokens after which the model stops by itself, the end-of-text token included.
    pub(super) target_tokens: u32,
    /// The stop string or token that ends the text, once all of it is said.
    stop: Option<Stop>,
}

/// What made a text end before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    Text(String),
    Token(u32),
}

/// What bounds the text.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    pub(super) max_tokens: u32,
    pub(super) min_tokens: u32,
    pub(super) ignore_eos: bool,
    pub(super) stop: Vec<String>,
    pub(super) stop_tokens: Vec<u32>,
    /// Show the stop string too.
    pub(super) show_stop: bool,
}

impl Script {
    /// `text`, made longer by `more` where the bounds ask for it.
    pub(super) fn new(mut text: String, bounds: &Bounds, more: impl Fn(usize) -> String) -> Self {
        let least = if bounds.ignore_eos { bounds.max_tokens } else { bounds.min_tokens };
        let least = least.min(bounds.max_tokens);
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
        let ends: Vec<u32> = tokens::pieces(&text)
            .take(bounds.max_tokens as usize)
            .map(|piece| {
                end += piece.len() as u32;
                end
            })
            .collect();
        // What is beyond the last token is never said.
        text.truncate(end as usize);
        text.shrink_to_fit();
        let shown = text.len();
        let mut script = Script { target_tokens: u32::MAX, shown, text, ends, stop: None };
        if !bounds.ignore_eos {
            script.target_tokens = (script.ends.len() as u32).saturating_add(1);
        }
        script.cut_at(bounds);
        script
    }

    /// End at the first stop string or token that lies behind the least number of tokens.
    fn cut_at(&mut self, bounds: &Bounds) {
        let from = self.spoken(bounds.min_tokens);
        let hits = bounds.stop.iter().filter_map(|stop| {
            self.text.get(from..)?.find(stop.as_str()).map(|at| (from + at, stop))
        });
        if let Some((at, stop)) = hits.min_by_key(|(at, stop)| (*at, stop.len())) {
            let end = at + stop.len();
            self.shown = if bounds.show_stop { end } else { at };
            self.target_tokens = self.ends.partition_point(|&e| (e as usize) < end) as u32 + 1;
            self.stop = Some(Stop::Text(stop.clone()));
        }
        if bounds.stop_tokens.is_empty() {
            return;
        }
        let ids = tokens::tokenize(&self.text);
        let before = (self.target_tokens as usize).saturating_sub(1).min(ids.len());
        let range = bounds.min_tokens as usize..before;
        let found = range.clone().zip(ids.get(range).unwrap_or_default());
        if let Some((at, &id)) = found.into_iter().find(|(_, id)| bounds.stop_tokens.contains(id)) {
            self.shown = self.spoken(at as u32);
            self.target_tokens = at as u32 + 1;
            self.stop = Some(Stop::Token(id));
        }
    }

    /// Where `tokens` tokens end.
    fn spoken(&self, tokens: u32) -> usize {
        let last = (tokens as usize).min(self.ends.len()).checked_sub(1);
        last.map_or(0, |last| self.ends[last] as usize)
    }

    /// Tokens that the text may get to.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Which stop ended the text, if `produced` tokens got there.
    pub(super) fn stopped_by(&self, produced: u32) -> Option<&Stop> {
        self.stop.as_ref().filter(|_| produced >= self.target_tokens)
    }

    /// What has been said after `produced` tokens.
    pub(super) fn upto(&self, produced: u32) -> &str {
        &self.text[..self.spoken(produced).min(self.shown)]
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
        assert_eq!(late.stopped_by(4), None);
        assert_eq!(late.stopped_by(5), Some(&Stop::Text("Four".into())));
        let shown = Bounds { max_tokens: 50, stop: vec!["three".into()], ..Bounds::default() };
        assert_eq!(script(Bounds { show_stop: true, ..shown }).upto(9), "One two three");
    }

    #[test]
    fn stop_tokens_end_before_they_are_said() {
        let stop_tokens = vec![tokens::tokenize(" three")[0]];
        let cut = script(Bounds { max_tokens: 50, stop_tokens, ..Bounds::default() });
        assert_eq!((cut.target_tokens, cut.upto(9)), (3, "One two"));
        assert!(matches!(cut.stopped_by(3), Some(Stop::Token(_))));
    }

    #[test]
    fn the_end_can_be_forbidden() {
        let long = script(Bounds { max_tokens: 300, ignore_eos: true, ..Bounds::default() });
        assert_eq!((long.target_tokens, long.ends.len()), (u32::MAX, 300));
        let least = script(Bounds { max_tokens: 300, min_tokens: 40, ..Bounds::default() });
        assert!((40..200).contains(&least.target_tokens), "{}", least.target_tokens);
    }
}

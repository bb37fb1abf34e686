//! What the probe will ask, within its bounds.

use std::time::Duration;

/// What a probe may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most requests.
    pub max_requests: u32,
    /// Most tokens, prompts and answers together.
    pub max_tokens: u64,
    /// Most clients at once.
    pub max_concurrency: u32,
    /// Longest time.
    pub time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            max_requests: 300,
            max_tokens: 200_000,
            max_concurrency: 64,
            time: Duration::from_secs(300),
        }
    }
}

/// One cell to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// Clients.
    pub concurrency: u32,
    /// Requests in all.
    pub requests: u32,
    /// Words of a prompt, give or take a quarter.
    pub words: u32,
    /// Tokens of an answer, give or take a quarter.
    pub output: u32,
    /// Whether it is kept from the fit.
    pub held_out: bool,
}

impl Planned {
    const fn new(concurrency: u32, requests: u32, words: u32, output: u32, held_out: bool) -> Self {
        Planned { concurrency, requests, words, output, held_out }
    }

    /// Most tokens that it is expected to cost.
    pub fn tokens(&self) -> u64 {
        let most = |length: u32| length + length / 4;
        u64::from(self.requests) * expected_tokens(most(self.words), most(self.output))
    }
}

/// Words and tokens of the first call.
pub(super) const OPENING_WORDS: u32 = 10;
pub(super) const OPENING_OUTPUT: u32 = 4;

/// Most tokens of a call, as far as that can be known before a tokeniser has seen its words: they
/// are short and common, so at most one and a half tokens each, and there is a chat template.
pub(super) fn expected_tokens(words: u32, output: u32) -> u64 {
    const TEMPLATE: u64 = 40;
    u64::from(words) * 3 / 2 + TEMPLATE + u64::from(output)
}

/// In the order of how much they say; the first two are the least that a fit needs.
const CELLS: [Planned; 7] = [
    Planned::new(1, 4, 30, 48, false),
    Planned::new(1, 4, 1200, 8, false),
    Planned::new(16, 48, 200, 48, false),
    Planned::new(8, 24, 400, 32, true),
    Planned::new(4, 12, 200, 48, false),
    Planned::new(32, 64, 120, 64, true),
    Planned::new(64, 128, 200, 48, false),
];
const LEAST: usize = 2;

/// The cells that fit the bounds, fewest clients first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The cells.
    pub cells: Vec<Planned>,
    /// Whether a cell was left out for the bounds.
    pub cut: bool,
}

impl Plan {
    /// What fits `bounds`; `None` when not even the smallest probe does, whose size is
    /// [`least`](Plan::least).
    pub fn within(bounds: &Bounds) -> Option<Plan> {
        let mut plan = Plan { cells: Vec::new(), cut: false };
        for cell in CELLS {
            let fits = cell.concurrency <= bounds.max_concurrency
                && plan.requests() + cell.requests <= bounds.max_requests
                && plan.tokens() + cell.tokens() <= bounds.max_tokens;
            if fits {
                plan.cells.push(cell);
            } else {
                plan.cut = true;
            }
        }
        if plan.cells.len() < LEAST || plan.cells[..LEAST] != CELLS[..LEAST] {
            return None;
        }
        plan.cells.sort_by_key(|cell| cell.concurrency);
        Some(plan)
    }

    /// The smallest probe.
    pub fn least() -> Plan {
        Plan { cells: CELLS[..LEAST].to_vec(), cut: true }
    }

    /// Requests in all, the first one that only opens the connection included.
    pub fn requests(&self) -> u32 {
        1 + self.cells.iter().map(|cell| cell.requests).sum::<u32>()
    }

    /// Most tokens in all, as an estimate.
    pub fn tokens(&self) -> u64 {
        let opening = expected_tokens(OPENING_WORDS, OPENING_OUTPUT);
        opening + self.cells.iter().map(Planned::tokens).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_keeps_its_bounds_and_says_what_it_left_out() {
        let whole = Plan::within(&Bounds::default()).unwrap();
        assert_eq!((whole.cells.len(), whole.cut), (CELLS.len(), false));
        for max_requests in 0..320 {
            for max_tokens in [0, 12_000, 30_000, 80_000, 200_000] {
                let bounds = Bounds { max_requests, max_tokens, ..Bounds::default() };
                let Some(plan) = Plan::within(&bounds) else { continue };
                assert!(plan.requests() <= max_requests && plan.tokens() <= max_tokens);
                assert!(plan.cells.is_sorted_by_key(|cell| cell.concurrency));
                assert_eq!(plan.cut, plan.cells.len() < CELLS.len());
            }
        }
        let least = Plan::least();
        let bounds = |requests, tokens| Bounds {
            max_requests: requests,
            max_tokens: tokens,
            ..Bounds::default()
        };
        assert!(Plan::within(&bounds(least.requests(), least.tokens())).is_some());
        assert!(Plan::within(&bounds(least.requests() - 1, 1_000_000)).is_none());
        let few = Bounds { max_concurrency: 16, ..Bounds::default() };
        assert!(Plan::within(&few).unwrap().cells.iter().all(|cell| cell.concurrency <= 16));
    }
}

//! What calls cost: tokens times the price that the program states for an endpoint.

use serde::{Deserialize, Serialize};

/// The price of an endpoint's tokens, in whatever currency the program means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// A million prompt tokens.
    pub input_per_mtok: f64,
    /// A million generated tokens.
    pub output_per_mtok: f64,
}

impl Price {
    /// The price of an endpoint that states one or both of its parts; a part that is not stated is
    /// free. `None` if neither is.
    pub fn of(input_per_mtok: Option<f64>, output_per_mtok: Option<f64>) -> Option<Price> {
        (input_per_mtok.is_some() || output_per_mtok.is_some()).then(|| Price {
            input_per_mtok: input_per_mtok.unwrap_or(0.0),
            output_per_mtok: output_per_mtok.unwrap_or(0.0),
        })
    }

    /// What so many tokens cost.
    pub fn cost(self, prompt_tokens: u64, completion_tokens: u64) -> f64 {
        (prompt_tokens as f64 * self.input_per_mtok
            + completion_tokens as f64 * self.output_per_mtok)
            / 1e6
    }
}

/// Tokens that were paid for, and what they cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent {
    /// Tokens sent.
    pub prompt_tokens: u64,
    /// Tokens generated.
    pub completion_tokens: u64,
    /// Their cost, as far as a price is known for them; `None` without any.
    pub cost: Option<f64>,
}

impl Spent {
    /// Add the tokens of a call at `price`.
    pub(super) fn add(&mut self, prompt_tokens: u64, completion_tokens: u64, price: Option<Price>) {
        let cost = price.map(|price| price.cost(prompt_tokens, completion_tokens));
        self.merge(Spent { prompt_tokens, completion_tokens, cost });
    }

    /// Add all that another one counted.
    pub(super) fn merge(&mut self, other: Spent) {
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(other.completion_tokens);
        if let Some(cost) = other.cost {
            self.cost = Some(self.cost.unwrap_or(0.0) + cost);
        }
    }
}

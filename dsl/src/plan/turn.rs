//! Where in a program a node stands: the arms of routes and the rounds of loops around it.
//!
//! For people who read a plan. What decides whether a node does something for a record is its guard
//! (`StagePlan::when`) and its condition; nobody else looks at the turns.

use serde::{Deserialize, Serialize};

/// One arm or one round around a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Turn {
    /// An arm of a route.
    Arm {
        /// Source text of what the route looks at.
        subject: String,
        /// Source text behind the `when`; `None` is `else`.
        pattern: Option<String>,
        /// 1-based line of the route.
        line: u32,
    },
    /// A round of a loop.
    Round {
        /// From 1; 0 is what is there before the first.
        number: u32,
        /// Most rounds.
        of: u32,
        /// Source text of the condition that ends it.
        until: Option<String>,
        /// 1-based line of the loop.
        line: u32,
    },
}

impl Turn {
    /// Whether it is the same arm, or a round of the same loop.
    pub fn goes_on(&self, other: &Turn) -> bool {
        match (self, other) {
            (Turn::Round { line, .. }, Turn::Round { line: other, .. }) => line == other,
            (a, b) => a == b,
        }
    }
}

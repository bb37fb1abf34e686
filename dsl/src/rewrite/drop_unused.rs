//! Declarations that the flow does not use are left out of its plan.

use super::Rule;
use crate::lower;

pub(super) static RULE: Rule = Rule {
    name: "drop what is not used",
    summary: "no index is built and no endpoint is asked for that nothing reads",
    required: false,
    apply: lower::prune,
};

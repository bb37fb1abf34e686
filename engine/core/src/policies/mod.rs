//! The scheduling policies, one file each.
//!
//! A new policy is a new file with a `SPEC`, and here its `mod` and a line in [`POLICIES`]. From there the checker,
//! `list`, `doc`, the command line, the property tests and the bench know it.

mod args;
mod edf;
mod error;
mod fifo;
mod least_work;
mod load_aware;
mod parse;
mod power_of_two;
mod prefix_affinity;
mod priority;
mod random;
mod round_robin;
mod shortest_first;
mod slack;
mod staggered;
mod weighted_fair;

pub use args::PolicyArgs;
pub use error::PolicyError;
pub use parse::parse;

use sage_dsl::catalog::Signature;
use sage_dsl::types::Value;

use crate::schedule::Policy;

/// What a policy promises; tests hold it to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promises {
    /// Never holds a task while a worker has a free slot.
    pub work_conserving: bool,
    /// Decides without the random generator.
    pub deterministic: bool,
    /// Takes tasks in order of arrival.
    pub keeps_order: bool,
    /// Every task runs in the end, whatever keeps arriving.
    pub starves_nobody: bool,
}

/// The entry of the schedule block without which a policy sees all tasks alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// `priority`.
    Priority,
    /// `due`, or else `deadline`.
    Due,
    /// `fair`.
    Fair,
    /// `affinity`.
    Affinity,
}

impl Wants {
    /// Its name in the schedule block.
    pub fn entry(self) -> &'static str {
        match self {
            Wants::Priority => "priority",
            Wants::Due => "due",
            Wants::Fair => "fair",
            Wants::Affinity => "affinity",
        }
    }
}

/// A policy as the registry knows it.
#[derive(Debug)]
pub struct PolicySpec {
    /// Name, summary, parameters.
    pub signature: Signature,
    /// What it promises.
    pub promises: Promises,
    /// What it goes by, if that is for the program to say.
    pub wants: Option<Wants>,
    /// Builds one for a run, from arguments that are complete and of the right kind. The error says
    /// which value is out of range.
    pub build: fn(&PolicyArgs) -> Result<Box<dyn Policy>, String>,
}

/// Every policy, by name.
pub const POLICIES: &[&PolicySpec] = &[
    &edf::SPEC,
    &fifo::SPEC,
    &least_work::SPEC,
    &load_aware::SPEC,
    &power_of_two::SPEC,
    &prefix_affinity::SPEC,
    &priority::SPEC,
    &random::SPEC,
    &round_robin::SPEC,
    &shortest_first::SPEC,
    &slack::SPEC,
    &staggered::SPEC,
    &weighted_fair::SPEC,
];

const SIGNATURES: [&Signature; POLICIES.len()] = {
    let mut all = [&POLICIES[0].signature; POLICIES.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = &POLICIES[at].signature;
        at += 1;
    }
    all
};

/// The signatures of all policies, for the language's catalog.
pub const fn signatures() -> &'static [&'static Signature] {
    &SIGNATURES
}

/// Builds the policy called `name`. Arguments without a name stand for parameters in order;
/// parameters left out take their defaults.
///
/// ```
/// use sage_core::policies::{build, parse};
///
/// let (name, args) = parse("load_aware(pack)")?;
/// assert!(build(&name, &args).is_ok());
/// let unknown = build("load_awre", &[]).err().expect("no such policy");
/// assert_eq!(unknown.to_string(), "unknown policy `load_awre`, did you mean `load_aware`?");
/// # Ok::<(), sage_core::policies::PolicyError>(())
/// ```
pub fn build(name: &str, args: &[(String, Value)]) -> Result<Box<dyn Policy>, PolicyError> {
    let spec = find(name)?;
    let args = PolicyArgs::bind(&spec.signature, args)?;
    (spec.build)(&args)
        .map_err(|message| PolicyError::Invalid { policy: spec.signature.name, message })
}

/// The policy called `name`.
pub fn find(name: &str) -> Result<&'static PolicySpec, PolicyError> {
    POLICIES.iter().copied().find(|spec| spec.signature.name == name).ok_or_else(|| {
        PolicyError::UnknownPolicy {
            name: name.to_owned(),
            hint: error::nearest(
                &name.to_ascii_lowercase(),
                POLICIES.iter().map(|spec| spec.signature.name),
            ),
        }
    })
}

/// A number below `bound` from one draw. Multiplies instead of dividing (Lemire 2019), and is
/// written out here because the stream of a seed is part of a run's identity.
fn below(draw: u64, bound: usize) -> usize {
    ((u128::from(draw) * bound as u128) >> 64) as usize
}

/// Spreads the bits of a policy's own seed over a word; 0 stays 0. A draw of the run's generator is
/// combined with it by exclusive or, which keeps the draw uniform and gives every seed its own
/// choices within one run.
fn spread_seed(seed: i64) -> u64 {
    mixed((seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// A word in which every bit depends on every bit of `bits`: SplitMix64's finalizer (Steele, Lea,
/// Flood, 2014).
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Number of observations after which an old one weighs half in what a policy learns.
const HALF_LIFE: f64 = 64.0;

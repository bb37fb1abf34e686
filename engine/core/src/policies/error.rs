//! What can be wrong with the name and arguments of a policy.

use std::fmt;

use sage_dsl::catalog::Kind;

/// A policy that cannot be built as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No policy has this name.
    #[error("unknown policy `{name}`{}", hint.map_or_else(known, |hint| did_you_mean(Some(hint))))]
    UnknownPolicy {
        /// What was asked for.
        name: String,
        /// The nearest name there is.
        hint: Option<&'static str>,
    },
    /// The policy has no such parameter.
    #[error("policy `{policy}` has no parameter `{name}`{}", did_you_mean(*hint))]
    UnknownArgument {
        /// The policy.
        policy: &'static str,
        /// What was given.
        name: String,
        /// The nearest parameter there is.
        hint: Option<&'static str>,
    },
    /// More arguments without a name than parameters.
    #[error("policy `{policy}` takes at most {most} arguments")]
    TooMany {
        /// The policy.
        policy: &'static str,
        /// Number of its parameters.
        most: usize,
    },
    /// One parameter was given twice.
    #[error("policy `{policy}`: `{param}` is given twice")]
    Twice {
        /// The policy.
        policy: &'static str,
        /// The parameter.
        param: &'static str,
    },
    /// A parameter without default was left out.
    #[error("policy `{policy}` needs `{param}`")]
    Missing {
        /// The policy.
        policy: &'static str,
        /// The parameter.
        param: &'static str,
    },
    /// A value of the wrong kind.
    #[error("policy `{policy}`: `{param}` must be {}", Expected(*expected))]
    WrongKind {
        /// The policy.
        policy: &'static str,
        /// The parameter.
        param: &'static str,
        /// What it takes.
        expected: Kind,
    },
    /// A value out of range.
    #[error("policy `{policy}`: {message}")]
    Invalid {
        /// The policy.
        policy: &'static str,
        /// What is wrong.
        message: String,
    },
    /// Text that is not `name(argument, key: value)`.
    #[error("cannot read policy `{text}`: expected {expected} at column {column}")]
    Syntax {
        /// The whole text.
        text: String,
        /// What should have stood there.
        expected: &'static str,
        /// Where, in characters from 1.
        column: usize,
    },
}

/// All there are, for somebody who is far from any of them.
fn known() -> String {
    let names: Vec<&str> = super::POLICIES.iter().map(|spec| spec.signature.name).collect();
    format!("; there are {} (see `sage-flow list policies`)", names.join(", "))
}

fn did_you_mean(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |name| format!(", did you mean `{name}`?"))
}

struct Expected(Kind);

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Int => f.write_str("a whole number"),
            Kind::Float => f.write_str("a number"),
            Kind::Bool => f.write_str("`true` or `false`"),
            Kind::String => f.write_str("text in double quotes"),
            Kind::Duration => f.write_str("a duration such as `10s`"),
            Kind::Word(words) => write!(f, "one of `{}`", words.join("`, `")),
            _ => f.write_str("a value of another kind"),
        }
    }
}

/// The name most like `wanted`, if one is near enough to be a slip of the fingers.
pub(super) fn nearest(
    wanted: &str,
    names: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let most = 1 + wanted.chars().count() / 4;
    names
        .map(|name| (strsim::osa_distance(wanted, name), name))
        .filter(|(distance, name)| *distance <= most || name.starts_with(wanted))
        .min()
        .map(|(_, name)| name)
}

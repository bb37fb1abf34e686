//! `PolicyArgs`: arguments bound to parameters, complete and of the right kind.

use sage_dsl::catalog::{Kind, Param, Signature};
use sage_dsl::types::Value;

use super::error::nearest;
use super::{PolicyError, parse};

/// One value per parameter, in the signature's order.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyArgs(Vec<(&'static str, Value)>);

impl PolicyArgs {
    /// Binds arguments by position and by name, fills in defaults and checks kinds.
    pub(super) fn bind(
        signature: &Signature,
        args: &[(String, Value)],
    ) -> Result<Self, PolicyError> {
        let policy = signature.name;
        let params: &'static [Param] = signature.params;
        let mut bound: Vec<Option<Value>> = vec![None; params.len()];
        let mut next = 0;
        for (name, value) in args {
            let at = if name.is_empty() {
                next += 1;
                next - 1
            } else {
                params.iter().position(|param| param.name == name).ok_or_else(|| {
                    PolicyError::UnknownArgument {
                        policy,
                        name: name.clone(),
                        hint: nearest(name, params.iter().map(|param| param.name)),
                    }
                })?
            };
            let param =
                params.get(at).ok_or(PolicyError::TooMany { policy, most: params.len() })?;
            if bound[at].is_some() {
                return Err(PolicyError::Twice { policy, param: param.name });
            }
            bound[at] = Some(checked(policy, param, value.clone())?);
        }
        let complete = params.iter().zip(bound).map(|(param, value)| {
            let missing = PolicyError::Missing { policy, param: param.name };
            let value = match value {
                Some(value) => value,
                None => checked(policy, param, parse::value(param.default.ok_or(missing)?)?)?,
            };
            Ok((param.name, value))
        });
        complete.collect::<Result<_, _>>().map(PolicyArgs)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(param, _)| *param == name).map(|(_, value)| value)
    }

    /// The word given for a parameter of kind `Word`.
    pub fn word(&self, name: &str) -> Result<&str, String> {
        self.get(name).and_then(Value::as_str).ok_or_else(|| format!("`{name}` is not a word"))
    }

    /// The text given for a parameter of kind `String`.
    pub fn text(&self, name: &str) -> Result<&str, String> {
        self.get(name).and_then(Value::as_str).ok_or_else(|| format!("`{name}` is not a text"))
    }

    /// The number given for a parameter of kind `Int`.
    pub fn int(&self, name: &str) -> Result<i64, String> {
        self.get(name).and_then(Value::as_int).ok_or_else(|| format!("`{name}` is not an int"))
    }

    /// The nanoseconds given for a parameter of kind `Duration`.
    pub fn duration_ns(&self, name: &str) -> Result<i64, String> {
        self.get(name)
            .and_then(Value::as_duration_ns)
            .ok_or_else(|| format!("`{name}` is not a duration"))
    }
}

fn checked(policy: &'static str, param: &Param, value: Value) -> Result<Value, PolicyError> {
    let fits = match param.kind {
        Kind::Int => value.as_int().is_some(),
        Kind::Float => value.as_float().is_some(),
        Kind::Bool => value.as_bool().is_some(),
        Kind::Duration => value.as_duration_ns().is_some(),
        Kind::String => value.as_str().is_some(),
        Kind::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        _ => true,
    };
    let wrong = PolicyError::WrongKind { policy, param: param.name, expected: param.kind };
    fits.then_some(value).ok_or(wrong)
}

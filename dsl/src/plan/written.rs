//! What a plan keeps of the text that it was made of, for whoever shows it.

use std::collections::BTreeMap;

/// Texts by name. They say nothing about what is done: they are not stored, and plans that differ in
/// them alone are equal.
#[derive(Debug, Clone, Default)]
pub struct Written(pub BTreeMap<String, String>);

impl PartialEq for Written {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

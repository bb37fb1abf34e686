//! What is wrong with a profile file.

/// A mistake in a profile file, with its line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ProfileError {
    /// Line, from 1; of the whole file's if something is missing.
    pub line: usize,
    /// Names the key, and what is allowed.
    pub message: String,
}

impl ProfileError {
    pub(super) fn new(line: usize, message: impl Into<String>) -> Self {
        ProfileError { line, message: message.into() }
    }
}

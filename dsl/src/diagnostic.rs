//! What the compiler has to say, as data.
//!
//! One struct serves every renderer: the terminal, `--format json` and editors. Nothing here knows
//! how it is shown.

use serde::{Deserialize, Serialize};

use crate::span::Span;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The program does not run.
    Error,
    /// The program runs, but probably not as meant.
    Warning,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable code, an entry of [`crate::CODES`].
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// One line, without a full stop.
    pub message: String,
    /// Places; the first is the one to show when only one can be shown.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// A change of the text that resolves it.
    pub fix: Option<Fix>,
}

/// A place and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What; may be empty.
    pub text: String,
}

/// A replacement of a range of text, and all that has to be replaced with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// What is replaced; an empty range inserts.
    pub span: Span,
    /// By what.
    pub replacement: String,
    /// Replacements at other places of the same file, as of the uses of a name; all are made or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub besides: Vec<Edit>,
}

/// One replacement of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// What is replaced; an empty range inserts.
    pub span: Span,
    /// By what.
    pub replacement: String,
}

impl Fix {
    /// A replacement at one place.
    pub fn new(span: Span, replacement: impl Into<String>) -> Self {
        Fix { span, replacement: replacement.into(), besides: Vec::new() }
    }

    /// All its replacements, by place.
    pub fn edits(&self) -> Vec<Edit> {
        let first = Edit { span: self.span, replacement: self.replacement.clone() };
        let mut edits = vec![first];
        edits.extend(self.besides.iter().cloned());
        edits.sort_by_key(|edit| edit.span);
        edits
    }
}

impl Diagnostic {
    /// An error at one place.
    pub(crate) fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: vec![Label { span, text: String::new() }],
            help: None,
            fix: None,
        }
    }

    /// A warning at one place.
    pub(crate) fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// Text at the first place.
    pub(crate) fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.text = text.into();
        }
        self
    }

    /// One more place.
    pub(crate) fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// What to do.
    pub(crate) fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// What to do, if anything is known.
    pub(crate) fn maybe_help(mut self, text: Option<String>) -> Self {
        self.help = text.or(self.help);
        self
    }

    /// A change that resolves it.
    pub(crate) fn fix(mut self, span: Span, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix::new(span, replacement));
        self
    }

    /// The same with another advice, from who knows more than the compiler.
    #[must_use]
    pub fn with_help(self, text: impl Into<String>) -> Self {
        self.help(text)
    }

    /// The same with a change that resolves it.
    #[must_use]
    pub fn with_fix(self, span: Span, replacement: impl Into<String>) -> Self {
        self.fix(span, replacement)
    }

    /// Place of the first label.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }

    /// Whether it keeps the program from running.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

//! Prometheus' text format, version 0.0.4: families of samples with labels.

use std::fmt::{Display, Write};

use super::Histogram;

/// A page under construction. Writing to a string does not fail, so its errors are dropped.
#[derive(Default)]
pub(super) struct Page(String);

/// Labels of a sample, without braces: `endpoint="e",job="j"`.
#[derive(Clone, Default)]
pub(super) struct Labels(String);

impl Labels {
    /// These and `name="value"`. Values come from clients: what has a meaning in the format is
    /// escaped.
    pub(super) fn with(&self, name: &str, value: impl Display) -> Labels {
        let mut text = self.0.clone();
        if !text.is_empty() {
            text.push(',');
        }
        let _ = write!(text, "{name}=\"");
        for c in value.to_string().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                c => text.push(c),
            }
        }
        text.push('"');
        Labels(text)
    }
}

impl Page {
    /// The head of a family.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample.
    pub(super) fn sample(&mut self, name: &str, labels: &Labels, value: impl Display) {
        let _ = writeln!(self.0, "{name}{{{}}} {value}", labels.0);
    }

    /// The samples of a histogram.
    pub(super) fn histogram(&mut self, name: &str, labels: &Labels, histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in histogram.cumulative() {
            self.sample(&bucket, &labels.with("le", bound), count);
        }
        self.sample(&bucket, &labels.with("le", "+Inf"), histogram.count);
        self.sample(&format!("{name}_sum"), labels, histogram.sum);
        self.sample(&format!("{name}_count"), labels, histogram.count);
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_break_out_of_their_quotes() {
        let labels = Labels::default().with("job", "a\"} 1\n\\").with("b", 2);
        let mut page = Page::default();
        page.sample("x", &labels, 1);
        assert_eq!(page.into_text(), "x{job=\"a\\\"} 1\\n\\\\\",b=\"2\"} 1\n");
    }
}

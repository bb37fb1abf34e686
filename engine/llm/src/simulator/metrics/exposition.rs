//! Prometheus' text format (version 0.0.4), as Python's client writes it: labels sorted, numbers
//! with a decimal point.

use std::fmt::Write;

/// A text in the making.
#[derive(Debug)]
pub(super) struct Exposition {
    out: String,
    labels: Vec<(String, String)>,
}

impl Exposition {
    /// Nothing yet; every sample will carry `labels`.
    pub(super) fn new(labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), escaped(v))).collect();
        Exposition { out: String::new(), labels }
    }

    /// The head of a family; its samples must follow.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "# HELP vllm:{name} {help}\n# TYPE vllm:{name} {kind}");
    }

    /// One sample with `extra` labels.
    pub(super) fn sample(&mut self, name: &str, extra: &[(&str, &str)], value: f64) {
        let extra = extra.iter().map(|(k, v)| ((*k).to_owned(), escaped(v)));
        let mut labels: Vec<(String, String)> = self.labels.iter().cloned().chain(extra).collect();
        labels.sort();
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        let _ = writeln!(self.out, "vllm:{name}{{{}}} {value:?}", labels.join(","));
    }

    /// A family of one sample.
    pub(super) fn single(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    pub(super) fn text(self) -> String {
        self.out
    }
}

/// A label's value.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_escaped() {
        let mut out = Exposition::new(&[("model_name", "a\"b\\c"), ("engine", "0")]);
        out.single("x", "gauge", "Help.", 2.0);
        out.sample("x", &[("le", "0.5")], 0.25);
        assert_eq!(
            out.text(),
            "# HELP vllm:x Help.\n# TYPE vllm:x gauge\n\
             vllm:x{engine=\"0\",model_name=\"a\\\"b\\\\c\"} 2.0\n\
             vllm:x{engine=\"0\",le=\"0.5\",model_name=\"a\\\"b\\\\c\"} 0.25\n"
        );
    }
}

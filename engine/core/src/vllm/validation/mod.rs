//! The model against what others have published about vLLM, as a table.
//!
//! Rows marked [`Kind::InSample`] helped to choose the constants (`g` and the attention efficiency
//! from V1 to V3, the API server's time per request from V4 and V5), so agreement there is
//! necessary, not convincing. [`Kind::HoldOut`] rows took no part in it. A row without tolerance is
//! reported, not judged: its source leaves a parameter open, or the figure is a secondary one.
//! **What is missed stays in the table**, with the error that the model has.

mod ablation;
mod bench;
mod bursts;
mod lone;
mod loops;
mod mix;

use super::profile::Profile;

/// What a row says about the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The constants were chosen with it in sight.
    InSample,
    /// They were not.
    HoldOut,
    /// Another machine, or a load that the source describes in part: the shape counts.
    Shape,
    /// The target bounds the model from above.
    Bound,
}

impl Kind {
    /// A word for tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::InSample => "in-sample",
            Kind::HoldOut => "hold-out",
            Kind::Shape => "shape",
            Kind::Bound => "bound",
        }
    }
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Number of the target, `V1` to `V12`.
    pub id: &'static str,
    /// Where the target is published.
    pub source: &'static str,
    /// What is compared, with its unit.
    pub what: String,
    /// The published figure.
    pub target: f64,
    /// The model's.
    pub model: f64,
    /// Largest error that counts as agreement; none when the row is only reported.
    pub tolerance: Option<f64>,
    /// What the row says about the model.
    pub kind: Kind,
}

impl Row {
    /// Relative error of the model, signed.
    pub fn error(&self) -> f64 {
        self.model / self.target - 1.0
    }

    /// Whether the model agrees with the target; `None` when the row is only reported.
    pub fn agrees(&self) -> Option<bool> {
        let tolerance = self.tolerance?;
        Some(match self.kind {
            Kind::Bound => self.error() <= tolerance,
            _ => self.error().abs() <= tolerance,
        })
    }
}

/// Share by which an in-sample row may differ.
const IN_SAMPLE: Option<f64> = Some(0.06);
/// Share by which a hold-out may differ.
const HOLD_OUT: Option<f64> = Some(0.10);

/// Run all comparisons. It takes some seconds; V12 is a law, not a figure, and is a test.
pub fn validation() -> Vec<Row> {
    [bursts::rows(), lone::rows(), loops::rows(), ablation::rows()].concat()
}

/// The table in Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let mut out = String::from(
        "| # | what | target | model | error | tolerance | verdict | kind | source |\n\
         |---|---|---:|---:|---:|---:|---|---|---|\n",
    );
    for row in rows {
        let tolerance = match (row.kind, row.tolerance) {
            (_, None) => "-".to_owned(),
            (Kind::Bound, Some(_)) => "below".to_owned(),
            (_, Some(tolerance)) => format!("{:.0} %", tolerance * 100.0),
        };
        let verdict = match row.agrees() {
            None => "reported",
            Some(true) => "agrees",
            Some(false) => "**missed**",
        };
        out += &format!(
            "| {} | {} | {:.2} | {:.2} | {:+.1} % | {tolerance} | {verdict} | {} | {} |\n",
            row.id,
            row.what,
            row.target,
            row.model,
            row.error() * 100.0,
            row.kind.as_str(),
            row.source,
        );
    }
    out
}

/// A registered profile; the names here are all registered, as the tests see to.
fn named(name: &str) -> Profile {
    super::known::profile(name).unwrap_or(&super::known::PROFILES[0]).clone()
}

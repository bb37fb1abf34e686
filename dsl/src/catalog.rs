//! What the language knows of the engine's leaves: signatures of stages, sources, sinks, policies.
//!
//! The grammar knows only `name(arg, key: value) on endpoint { option: value }`. Each leaf brings a
//! `const` signature; the assembly layer gathers them into a [`Catalog`] and hands it to the
//! checker, so that this crate needs no engine and a new leaf needs no change here.

use serde::{Deserialize, Serialize};

use crate::types::Type;

/// A column's name and its aliases.
pub type ColumnName = (&'static str, &'static [&'static str]);

/// Every leaf a program may name.
#[derive(Debug, Clone, Copy)]
pub struct Catalog {
    /// Stages.
    pub stages: &'static [&'static StageSpec],
    /// Sources of records.
    pub sources: &'static [&'static Signature],
    /// Sources of documents for an index.
    pub documents: &'static [&'static Signature],
    /// Sinks.
    pub sinks: &'static [&'static Signature],
    /// Scheduling policies.
    pub policies: &'static [&'static Signature],
    /// Names of endpoint profiles (`a100/qwen2.5-7b`).
    pub profiles: &'static [&'static str],
    /// Profiles and a model that each serves; a profile that is not here may serve any.
    pub models: &'static [(&'static str, &'static str)],
    /// Columns of results by name, each with the other names it goes by in programs; for claims
    /// and objectives.
    pub columns: &'static [ColumnName],
    /// Names of the files that every run writes, which no sink may take.
    pub own_files: &'static [&'static str],
}

/// Name, documentation and parameters of a leaf.
#[derive(Debug)]
pub struct Signature {
    /// What the user types.
    pub name: &'static str,
    /// One line, shown by `list`.
    pub summary: &'static str,
    /// Parameters in positional order.
    pub params: &'static [Param],
    /// A program line that uses it; parsed in a test.
    pub example: &'static str,
    /// Whether named arguments that are fields of the record are accepted as well.
    pub takes_fields: bool,
}

/// One parameter or option.
#[derive(Debug)]
pub struct Param {
    /// What the user types before the colon.
    pub name: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// Default, written as in the language; `None` means required.
    pub default: Option<&'static str>,
    /// One line.
    pub doc: &'static str,
}

/// What may be given for a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An int. A constant is not negative.
    Int,
    /// An int from the first to the second, constants only.
    Count(i64, i64),
    /// A float (or an int). A constant is not negative.
    Float,
    /// A bool.
    Bool,
    /// A string.
    String,
    /// The address of a server, `http` or `https`, without a user and a password.
    Address,
    /// A duration. A constant is not negative.
    Duration,
    /// A number of tokens (`1800 tokens`); a plain int is accepted. A constant is not negative.
    Tokens,
    /// A size in bytes.
    Size,
    /// A vector.
    Vector,
    /// A list of documents with `text` and `score`.
    Hits,
    /// A declared index.
    Index,
    /// A condition on the documents of the index that is given before it: `docs.field` is a field of
    /// a document, `.field` one of the record.
    Documents,
    /// Any value.
    Any,
    /// A path, resolved against the program's folder. Constants only.
    Path,
    /// One or more paths. Constants only; takes all positional arguments.
    Paths,
    /// One of these words.
    Word(&'static [&'static str]),
    /// The name of an environment variable with a secret, written `env("NAME")`; what is in it is
    /// never in a plan. Constants only.
    Secret,
    /// A distribution: `constant(20ms)`, `uniform(a, b)`, `exponential(mean)`, `lognormal(mean, cv)`
    /// or a plain duration. Constants only.
    Distribution,
}

/// A stage: signature plus what the planner needs.
#[derive(Debug)]
pub struct StageSpec {
    /// Name, summary, parameters.
    pub signature: Signature,
    /// Options in the `{ }` after the call.
    pub options: &'static [Param],
    /// Type of the column, from the types of the arguments (in parameter order, `Type::Unknown`
    /// for an argument that was left out); the error says what is wrong.
    pub result: fn(&[Type]) -> Result<Type, String>,
    /// Kind of endpoint call.
    pub calls: EndpointUse,
    /// Cost class.
    pub class: StageClass,
    /// Expected cost of one record without its calls, microseconds: (fixed, per unit of the
    /// parameter named here). Used by the planner and the twin.
    pub cost: Cost,
}

/// What a stage asks of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointUse {
    /// Nothing; `on` is an error.
    None,
    /// Text generation; `on` is required.
    Generate,
    /// Embedding; without `on` the built-in hashed vectors are used.
    Embed,
    /// A server of the web gets its argument of kind [`Kind::Any`] as JSON and answers with the type
    /// that the stage declares; `on` is an error.
    Http,
    /// A program of the machine gets its argument of kind [`Kind::Any`] as JSON and answers with the
    /// type that the stage declares; `on` is an error.
    Program,
}

/// How the planner treats a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StageClass {
    /// Microseconds: runs where the data is, many records to a task.
    Cheap,
    /// Milliseconds of CPU: worth a slot of a worker.
    Compute,
    /// Waits for something outside (an endpoint, a timer).
    Wait,
}

/// Cost of one record, for planning and prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Fixed part, microseconds.
    pub fixed_us: f64,
    /// Parameter whose value scales the rest, and microseconds per unit of it; of a text that is a
    /// byte.
    pub per_unit: Option<(&'static str, f64)>,
}

impl EndpointUse {
    /// Whether the argument of kind [`Kind::Any`] goes out of the program as JSON, and the answer is
    /// of the type that the stage declares.
    pub fn leaves(self) -> bool {
        matches!(self, EndpointUse::Program | EndpointUse::Http)
    }
}

impl Catalog {
    /// The stage called `name`.
    pub fn stage(&self, name: &str) -> Option<&'static StageSpec> {
        self.stages.iter().copied().find(|spec| spec.signature.name == name)
    }
}

/// The entry of `list` called `name`.
pub fn find(list: &[&'static Signature], name: &str) -> Option<&'static Signature> {
    list.iter().copied().find(|signature| signature.name == name)
}

impl Param {
    /// Whether it may be left out.
    pub fn optional(&self) -> bool {
        self.default.is_some()
    }
}

/// Whether a file of this name, within the output folder of a run, would stand where a run keeps
/// what is its own: its folders, its lock, and what `retry` writes beside its results.
pub fn is_place_of_run(name: &str) -> bool {
    let first = name.split('/').next().unwrap_or(name);
    let of_retry = |number: &str| {
        let number = number.strip_suffix(".jsonl").unwrap_or(number);
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    ["parts", "index", "journal", "commit", "commit.old", ".lock", "trial.json"].contains(&first)
        || first.strip_prefix("retry-").is_some_and(of_retry)
}

//! The files of the templates; they lie in `engine/cli/templates`, where they are read and tried.

use clap::ValueEnum;

/// What one may begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Template {
    /// Answer questions from a folder of Markdown files
    Rag,
    /// Sort the lines of a CSV file into kinds and count them
    Classify,
    /// Draw facts out of texts, as records of a type
    Extract,
    /// Ask a model once for each record
    Llm,
    /// Work of the processor, for studies of scheduling
    Compute,
    /// A batch beside questions of people
    Batch,
    /// Let a model judge the answers of another pipeline
    Eval,
}

pub(super) struct File {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

macro_rules! files {
    ($folder:literal: $($name:literal),+) => {
        &[$(File {
            name: $name,
            text: include_str!(concat!("../../../templates/", $folder, "/", $name)),
        }),+]
    };
}

pub(super) fn files(template: Template) -> &'static [File] {
    match template {
        Template::Rag => {
            files!("rag": "rag.sage", "questions.csv", "docs/kitchen.md", "docs/office.md", "README.md")
        }
        Template::Classify => files!("classify": "classify.sage", "tickets.csv", "README.md"),
        Template::Extract => files!("extract": "extract.sage", "notes.jsonl", "README.md"),
        Template::Llm => files!("llm": "llm.sage", "texts.jsonl", "README.md"),
        Template::Compute => files!("compute": "compute.sage", "README.md"),
        Template::Batch => files!("batch": "batch.sage", "requests.csv", "README.md"),
        Template::Eval => files!("eval": "eval.sage", "answers.jsonl", "README.md"),
    }
}

//! `graph`: the plan of a flow as a picture.
//!
//! ```text
//! plan -> picture (shapes and lines) -> dot | mermaid | layout -> svg
//! ```
//!
//! The picture shows what decides a run: what reads what, where the scheduling operator stands, what
//! calls which endpoint, and into which sink a record goes. The SVG is laid out here, so that it
//! needs no other program; the two texts are for those who have one.

mod beside;
mod curve;
mod dot;
mod labels;
mod layout;
mod loops;
mod mermaid;
mod nested;
mod picture;
mod svg;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::exit::Exit;
use crate::program;

const EXAMPLES: &str = "\
Examples:
  sage-flow graph pipelines/rag.sage > rag.svg
  sage-flow graph pipelines/adaptive_rag.sage --format mermaid
  sage-flow graph pipelines/rag.sage --format dot | dot -Tpng > rag.png";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GraphArguments {
    /// The program
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A picture, or its text for Graphviz or Mermaid
    #[arg(long, value_enum, default_value_t = GraphFormat::Svg)]
    format: GraphFormat,
    /// Which flow to draw when the program has several
    #[arg(long, value_name = "NAME")]
    flow: Option<String>,
    /// Give a parameter another value
    #[arg(long = "set", value_name = "NAME=VALUE")]
    sets: Vec<String>,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum GraphFormat {
    Dot,
    Mermaid,
    Svg,
}

pub(crate) fn graph(arguments: &GraphArguments) -> anyhow::Result<Exit> {
    let plan = program::one_plan(&arguments.file, &arguments.sets, arguments.flow.as_deref())?;
    let picture = picture::of(&plan);
    let text = match arguments.format {
        GraphFormat::Dot => dot::text(&picture),
        GraphFormat::Mermaid => mermaid::text(&picture),
        GraphFormat::Svg => svg::text(&picture),
    };
    print!("{text}");
    Ok(Exit::Complete)
}

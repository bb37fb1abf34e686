//! `completions`: a script that lets a shell complete verbs, options and their values.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::args::Arguments;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  sage-flow completions bash > ~/.local/share/bash-completion/completions/sage-flow
  sage-flow completions zsh > ~/.zfunc/_sage-flow
  sage-flow completions fish > ~/.config/fish/completions/sage-flow.fish";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn completions(arguments: &CompletionsArguments) -> anyhow::Result<Exit> {
    // Into memory first: a closed pipe is no reason to panic.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "sage-flow", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Exit::Complete)
}

//! `completions`: a script that lets a shell complete verbs, options and their values.

use std::fmt::Write as _;
use std::io::Write as _;

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
    if arguments.shell == Shell::Fish {
        script.extend(words_of_fish().into_bytes());
    }
    std::io::stdout().write_all(&script)?;
    Ok(Exit::Complete)
}

/// The words that verbs take, as in `list stages`: the generator writes them for other shells only.
fn words_of_fish() -> String {
    let mut out = String::new();
    for verb in Arguments::command().get_subcommands() {
        let values = verb.get_positionals().flat_map(clap::Arg::get_possible_values);
        for value in values.filter(|value| !value.is_hide_set()) {
            let help = value.get_help().map(|it| it.to_string().replace('\'', "\\'"));
            let _ = writeln!(
                out,
                "complete -c sage-flow -n \"__fish_sage_flow_using_subcommand {}\" -f -a {} -d '{}'",
                verb.get_name(),
                value.get_name(),
                help.unwrap_or_default()
            );
        }
    }
    out
}

//! `fmt`: the usual layout, in place, as a check, or as a filter.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use sage_dsl::NotFormatted;
use similar::TextDiff;

use crate::exit::{Exit, usage};
use crate::program;

const EXAMPLES: &str = "\
Examples:
  sage-flow fmt my.sage
  sage-flow fmt pipelines/*.sage --check     (writes nothing; 1 if a file would change)
  sage-flow fmt - < my.sage > tidy.sage

Line breaks stay where they are; blanks, indentation and what stands below each other are set.";

/// As much of a program as is ever read.
const LARGEST: u64 = 1 << 20;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FmtArguments {
    /// Programs; `-` reads one from the standard input and prints it
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write nothing, show what would change, and exit with 1 if anything would
    #[arg(long)]
    check: bool,
}

pub(crate) fn fmt(arguments: &FmtArguments) -> anyhow::Result<Exit> {
    let (mut unread, mut changed) = (0, 0);
    for path in &arguments.files {
        let filter = path == Path::new("-");
        let text = if filter { standard_input()? } else { program::read(path).map_err(usage)? };
        let shown = if filter { "<stdin>".into() } else { path.display().to_string() };
        let out = match sage_dsl::format(&shown, &text) {
            Ok(out) => out,
            Err(NotFormatted::Mistakes { diagnostics, sources }) => {
                program::show_all(&diagnostics, &sources);
                eprintln!("{shown}: left as it is, for its mistakes");
                unread += 1;
                continue;
            }
            Err(NotFormatted::WouldChange) => {
                eprintln!(
                    "{shown}: left as it is: the formatter is at fault, please report this file"
                );
                unread += 1;
                continue;
            }
        };
        if arguments.check {
            if out != text {
                changed += 1;
                print!("{}", difference(&shown, &text, &out));
            }
        } else if filter {
            print!("{out}");
        } else if out != text {
            program::replace(path, &out)?;
            eprintln!("{shown}: formatted");
        }
    }
    if changed > 0 {
        eprintln!("{changed} of {} files would change", arguments.files.len());
    }
    Ok(if unread + changed == 0 { Exit::Complete } else { Exit::Usage })
}

fn standard_input() -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().take(LARGEST + 1).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| usage("the standard input is not UTF-8"))
}

fn difference(shown: &str, old: &str, new: &str) -> String {
    let new_name = format!("{shown} (formatted)");
    TextDiff::from_lines(old, new).unified_diff().header(shown, &new_name).to_string()
}

//! The program `sage-flow`: parse the command line, run one verb, say how it went.
//!
//! It is a library for the targets in `fuzz/` alone; the binary calls [`main`] and nothing else.
//!
//! Results go to the standard output, talk to the standard error. Exit codes are a contract, see
//! [`exit`].

#![allow(
    clippy::print_stdout,
    reason = "the command line is the one place whose business is the standard output"
)]

mod args;
mod catalog;
mod commands;
mod data_files;
mod diagnostics;
mod exit;
mod experiment;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod jobs;
mod program;
mod regular;
mod run;
mod testing;
mod twin;

use clap::Parser;

/// What a shell reports of a program that wrote to a closed pipe.
const CLOSED_PIPE: i32 = 141;

/// `sage-flow list stages | head -1`: a reader that has seen enough is no reason to panic.
fn end_with_the_reader() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload().downcast_ref::<String>();
        if message.is_some_and(|text| text.starts_with("failed printing to stdout")) {
            jobs::cut_off(exit::Exit::Failed);
            std::process::exit(CLOSED_PIPE);
        }
        default(panic);
    }));
}

/// Do what the command line says.
pub fn main() -> std::process::ExitCode {
    end_with_the_reader();
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are asked for; anything else is a usage error.
            let _ = error.print();
            return if error.use_stderr() { exit::Exit::Usage } else { exit::Exit::Complete }
                .into();
        }
    };
    match commands::execute(arguments) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            exit::of_error(&error).into()
        }
    }
}

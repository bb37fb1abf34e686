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

/// Like that of the standard library, except that nobody has to listen: talk that nobody reads is no
/// reason for a run to end.
macro_rules! eprintln {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = std::writeln!(std::io::stderr(), $($text)*);
    }};
}

/// See `eprintln`.
macro_rules! eprint {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = std::write!(std::io::stderr(), $($text)*);
    }};
}

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
/// What is reported where the standard output takes no more, as of any failure.
const FULL: i32 = 2;

/// `sage-flow list stages | head -1`: a reader that has seen enough is no reason to panic.
fn end_with_the_reader() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload().downcast_ref::<String>();
        if let Some(text) = message.filter(|text| text.starts_with("failed printing to stdout")) {
            jobs::cut_off(exit::Exit::Failed);
            if text.contains("Broken pipe") {
                std::process::exit(CLOSED_PIPE);
            }
            let why = text.trim_start_matches("failed printing to stdout: ");
            eprintln!("error: the standard output cannot be written: {why}");
            std::process::exit(FULL);
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

//! `lsp`: the language in an editor, over the Language Server Protocol on standard input and output.
//!
//! ```text
//! wire (frames) -> server (which request is which) -> one file a request -> wire
//!                                |
//!                  documents (open texts and what the compiler says of them)
//! ```
//!
//! The types of the protocol and of its messages are those of `lsp-types` and `lsp-server`. The
//! frames are read here, because a frame that is no message has to be answered and not to end the
//! session, and because its length is bounded. One thread answers in order: a program is compiled in
//! milliseconds, and an answer about an old text would be of no use.

mod actions;
mod brackets;
mod complete;
mod context;
mod documents;
mod hover;
mod items;
mod outline;
mod position;
mod rename;
mod server;
mod token;
mod uri;
mod wire;

use std::io::{self, BufReader};
use std::sync::mpsc;

use clap::Args;

use crate::exit::Exit;
use server::{Next, Server};

const EXAMPLES: &str = "\
Examples:
  sage-flow lsp     (started by an editor; it speaks the Language Server Protocol on stdin and stdout)

`editors/vscode` is an extension for VS Code that starts it; others are told the command.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LspArguments {
    /// What some editors say; it is the only way there is
    #[arg(long, hide = true)]
    stdio: bool,
}

/// Messages that may wait; the reader waits when there are more.
const MOST_WAITING: usize = 64;

pub(crate) fn lsp(_: &LspArguments) -> anyhow::Result<Exit> {
    let (sender, receiver) = mpsc::sync_channel(MOST_WAITING);
    std::thread::Builder::new().name("lsp-reader".into()).spawn(move || {
        let mut input = BufReader::new(io::stdin());
        loop {
            let frame = wire::read(&mut input);
            let over = !matches!(frame, Ok(Some(_)));
            if sender.send(frame).is_err() || over {
                return;
            }
        }
    })?;
    let mut server = Server::default();
    let mut output = io::stdout().lock();
    let mut waiting = None;
    while let Some(frame) = waiting.take().or_else(|| receiver.recv().ok()) {
        let Some(frame) = frame? else { break };
        match server.message(&frame) {
            Next::Answers(answers) => {
                for answer in answers {
                    wire::write(&mut output, &answer)?;
                }
            }
            Next::Exit { orderly } => {
                return Ok(if orderly { Exit::Complete } else { Exit::Usage });
            }
        }
        // Findings are for the last of several changes that came at once.
        waiting = receiver.try_recv().ok();
        if waiting.is_none() {
            for notice in server.findings() {
                wire::write(&mut output, &notice)?;
            }
        }
    }
    // The editor is gone without a word.
    Ok(Exit::Usage)
}

/// The words of a program that are no names of its own, comments or texts.
#[cfg(test)]
pub(super) fn words_of(path: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let documents = documents::Documents::default();
    let changed = std::collections::HashMap::new();
    let survey = documents.survey_of(&path.to_string_lossy(), &text, &changed);
    let named = |start: usize| {
        let inside = |span: sage_dsl::Span| span.file == 0 && span.start as usize == start;
        survey.mentions.iter().any(|mention| inside(mention.span))
    };
    let words = token::tokens(&text).into_iter().filter(|it| it.kind == token::Kind::Word);
    let words = words.filter(|it| !it.text.starts_with(|c: char| c.is_ascii_digit()));
    words.filter(|it| !named(it.start)).map(|it| it.text.to_owned()).collect()
}

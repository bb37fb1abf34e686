//! The verbs: one file each, one arm here.

pub(crate) mod cache;
pub(crate) mod calibrate;
mod check;
mod code_page;
pub(crate) mod completions;
mod doc;
mod exec_guard;
pub(crate) mod experiment;
mod explain;
mod fix;
mod fix_elsewhere;
pub(crate) mod fmt;
pub(crate) mod gateway;
pub(crate) mod graph;
mod hints;
pub(crate) mod jobs;
mod list;
pub(crate) mod lsp;
pub(crate) mod new;
pub(crate) mod reference;
pub(crate) mod replay;
pub(crate) mod retry;
mod run;
pub(crate) mod simulate;
mod simulator;
pub(crate) mod test;
pub(crate) mod worker;

use crate::args::{Arguments, Command};
use crate::exit::Exit;
use crate::jobs::{Kind, tracked};

/// Run the verb that was asked for.
pub(crate) fn execute(arguments: Arguments) -> anyhow::Result<Exit> {
    match arguments.command {
        Command::Run(arguments) => tracked(Kind::Run, || run::run(*arguments)),
        Command::Experiment(arguments) => {
            tracked(Kind::Experiment, || experiment::experiment(*arguments))
        }
        Command::Jobs(arguments) => jobs::jobs(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Fmt(arguments) => fmt::fmt(&arguments),
        Command::Completions(arguments) => completions::completions(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Graph(arguments) => graph::graph(&arguments),
        Command::Test(arguments) => test::test(&arguments),
        Command::List(arguments) => list::list(&arguments),
        Command::New(arguments) => new::new(&arguments),
        Command::Lsp(arguments) => lsp::lsp(&arguments),
        Command::Doc { markdown: Some(page), .. } => {
            print!("{}", reference::page(page));
            Ok(Exit::Complete)
        }
        Command::Doc { name, markdown: None } => doc::doc(name.as_deref()),
        Command::Simulate(arguments) => simulate::simulate(&arguments),
        Command::Simulator(arguments) => simulator::simulator(&arguments),
        Command::Gateway(arguments) => gateway::gateway(&arguments),
        Command::Cache(arguments) => cache::cache(&arguments),
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::Retry(arguments) => tracked(Kind::Retry, || retry::retry(arguments)),
        Command::Calibrate(arguments) => calibrate::calibrate(&arguments),
        Command::Worker(arguments) => worker::worker(&arguments),
        Command::ExecGuard => exec_guard::exec_guard(),
    }
}

/// A runtime for a verb that serves until it is interrupted.
fn serve<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Completes at the first SIGINT or SIGTERM.
fn interrupted() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let mut signals = signal_hook::iterator::Signals::new([
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGTERM,
    ])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        signals.forever().next();
        let _ = sender.send(());
    })?;
    Ok(async {
        let _ = receiver.await;
    })
}

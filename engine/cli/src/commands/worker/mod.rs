//! `worker`: join a run and do this process's part of it, or keep a process that does.

mod credentials;
mod keeper;
mod service;
mod work;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use clap::Args;
use sage_cluster::{Join, Transport};

use self::credentials::Credentials;
use crate::exit::{Exit, usage, usage_of};
use crate::run::VERSION;
use crate::run::links::TlsFiles;

const EXAMPLES: &str = "\
Examples:
  sage-flow worker --join 10.0.0.1:7000 --credentials run.credentials
  ssh node7 sage-flow worker --join 10.0.0.1:7000 --credentials - < run.credentials

Address and file are said by `sage-flow run --launcher join`.
A worker without an index joins again when the run has lost another one, and ends with the run.

Exit codes:
  0 the run is done   1 refused or usage error   2 the work failed   75 the run was lost
  69 nobody is there, or the run has all its workers (with --once)   130 ended by a signal";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WorkerArguments {
    /// Where the run waits for workers
    #[arg(long, value_name = "HOST:PORT")]
    join: String,
    /// File with what the run asks for, `-` for the standard input [default: the environment]
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Join once, and do not come back when the run has lost a worker
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    files: TlsFiles,
}

pub(crate) fn worker(arguments: &WorkerArguments) -> anyhow::Result<Exit> {
    let credentials = match &arguments.credentials {
        Some(path) => Credentials::read(path)?,
        None => Credentials::of_environment(),
    };
    let addresses = addresses(&arguments.join)?;
    let mut join =
        Join::from_values(addresses, VERSION, |name| credentials.get(name)).map_err(usage_of)?;
    if join.generation.is_none() && !arguments.once {
        drop(join);
        return keeper::keep(arguments, &credentials);
    }
    if let Some(tls) = arguments.files.read()? {
        join.transport = Transport::Tls(tls);
    }
    work::work(join, arguments.once)
}

fn addresses(join: &str) -> anyhow::Result<Vec<SocketAddr>> {
    let found = join.to_socket_addrs().map_err(|error| {
        usage(format!("--join {join}: {error}; expected HOST:PORT, as the run has said it"))
    })?;
    Ok(found.collect())
}

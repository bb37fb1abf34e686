//! `worker`: join a run and do this process's part of it, or keep a process that does.

mod credentials;
mod keeper;
mod programs;
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
  69 nobody is there, or the run has all its workers (with --once)   130 ended by a signal

A host whose name is not known yet is waited for as one where nobody answers yet: for 60 s.";

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
    let found = addresses(&arguments.join)?;
    let (addresses, unknown) = found.map_or_else(|why| (Vec::new(), Some(why)), |it| (it, None));
    let mut join =
        Join::from_values(addresses, VERSION, |name| credentials.get(name)).map_err(usage_of)?;
    let by_hand = join.generation.is_none();
    if by_hand && !arguments.once {
        drop(join);
        return keeper::keep(arguments, &credentials);
    }
    if let Some(why) = unknown {
        let said = format!(
            "--join {}: the name of the host cannot be resolved: {why}; correct it, or give the \
             address of the host",
            arguments.join
        );
        if !by_hand {
            return Err(usage(said));
        }
        work::found_no_host(&said);
    }
    if let Some(tls) = arguments.files.read()? {
        join.transport = Transport::Tls(tls);
    }
    work::work(join, arguments.once)
}

/// The addresses of the host, or why its name cannot be resolved, which may pass: a supervisor that
/// starts together with its workers may not have a name yet.
fn addresses(join: &str) -> anyhow::Result<std::io::Result<Vec<SocketAddr>>> {
    let wrong = |why: &str| {
        Err(usage(format!("--join {join}: {why}; expected HOST:PORT, as the run has said it")))
    };
    match join.rsplit_once(':') {
        None => return wrong("it has no port"),
        Some(("", _)) => return wrong("it has no host"),
        Some((_, port)) if port.parse::<u16>().is_err() => {
            return wrong(&format!("`{port}` is no port"));
        }
        Some(_) => {}
    }
    Ok(join.to_socket_addrs().map(Iterator::collect))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_told_at_once_and_a_name_may_become_known() {
        for wrong in ["host", ":7000", "host:", "host:x", "host:70000"] {
            let said = addresses(wrong).unwrap_err().to_string();
            assert!(said.contains(wrong) && said.contains("HOST:PORT"), "{said}");
        }
        assert_eq!(addresses("[::1]:7").unwrap().unwrap(), [([0, 0, 0, 0, 0, 0, 0, 1], 7).into()]);
        assert!(addresses("name.invalid:7").unwrap().is_err());
    }
}

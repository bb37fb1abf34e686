//! Who starts the workers of a run.

use std::path::Path;

use clap::ValueEnum;
use sage_cluster::{JoinLauncher, Launcher, LocalLauncher};

use crate::jobs;

/// Who starts the workers of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LauncherKind {
    /// The run, on this host
    #[default]
    Local,
    /// You, on any host that reaches this one: the run says the command
    Join,
}

impl LauncherKind {
    /// Whether it starts workers that share nothing with the supervisor but files and network.
    pub(crate) fn is_remote(self) -> bool {
        self != LauncherKind::Local
    }

    /// The launcher; `local` is what it would be on this host.
    pub(crate) fn launcher(
        self,
        job: &str,
        workers: usize,
        local: LocalLauncher,
    ) -> anyhow::Result<Box<dyn Launcher + Send>> {
        Ok(match self {
            LauncherKind::Local => Box::new(local),
            LauncherKind::Join => {
                let job = job.to_owned();
                let say = move |address: std::net::SocketAddr, file: &Path| {
                    let file = file.display();
                    eprintln!(
                        "{job} waits for {workers} worker(s); start each, on any host that sees the \
                         same files, by\n  sage-flow worker --join {address} --credentials {file}\n\
                         {file} opens the run to whoever has it: copy it to other hosts by a safe \
                         way, or hand it over by `--credentials - < {file}`"
                    );
                };
                Box::new(JoinLauncher::new(jobs::credentials_file()?, Box::new(say)))
            }
        })
    }
}

//! A launcher that puts down which processes it started, before they do anything.

use std::io;
use std::net::SocketAddr;

use sage_cluster::{Launcher, WorkerProcess};

use super::current::Watch;

/// See the module.
pub(crate) struct Noting<'n> {
    pub(super) launcher: &'n mut dyn Launcher,
    pub(super) watch: &'n Watch,
}

impl Launcher for Noting<'_> {
    fn launch(
        &mut self,
        index: usize,
        join: SocketAddr,
        env: &[(String, String)],
    ) -> io::Result<Box<dyn WorkerProcess>> {
        let process = self.launcher.launch(index, join, env)?;
        if let Some(pid) = process.id() {
            self.watch.worker(index, pid);
        }
        Ok(process)
    }
}

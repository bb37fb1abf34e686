//! Limits that are checked before anything starts, so that a run fails with a sentence and not with
//! half a cluster.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::ClusterError;
use crate::frame::MAX_PEER;

/// Most worker processes on one host: the mesh has n (n - 1) / 2 connections and timely runs two
/// threads for each end.
pub const MAX_LOCAL_WORKERS: usize = 64;

/// Largest message or job payload, in bytes.
pub const MAX_MESSAGE: usize = MAX_PEER;

/// Checks a number of workers against 1 and [`MAX_LOCAL_WORKERS`].
pub fn check_workers(workers: usize) -> Result<(), ClusterError> {
    if (1..=MAX_LOCAL_WORKERS).contains(&workers) {
        Ok(())
    } else {
        Err(ClusterError::Workers { asked: workers, limit: MAX_LOCAL_WORKERS })
    }
}

/// Checks that this process may open enough files for a mesh of `workers`, and raises the soft limit
/// if the hard one allows it. Workers on the same host inherit the limit.
pub fn check_descriptors(workers: usize) -> Result<(), ClusterError> {
    let needed = descriptors(workers);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|limit| limit >= needed) {
        return Ok(());
    }
    // `None` is "no limit".
    let possible = maximum.is_none_or(|limit| limit >= needed);
    if possible && setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum }).is_ok() {
        return Ok(());
    }
    Err(ClusterError::Descriptors { workers, needed, available: current.unwrap_or(needed) })
}

/// A worker holds each mesh socket twice (timely clones it for its two threads), and with TLS the
/// two ends of a tunnel beside; the supervisor holds a control socket and an error pipe a worker.
/// Both have handshakes under way, of four files each, and some files of their own.
fn descriptors(workers: usize) -> u64 {
    4 * workers as u64 + 4 * 64 + 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_workers_has_a_floor_and_a_ceiling() {
        for fine in [1, 2, 16, MAX_LOCAL_WORKERS] {
            assert!(check_workers(fine).is_ok());
        }
        for wrong in [0, MAX_LOCAL_WORKERS + 1, 10_000] {
            let message = check_workers(wrong).unwrap_err().to_string();
            assert!(message.contains(&wrong.to_string()), "{message}");
            assert!(message.contains("64"), "{message}");
        }
    }

    #[test]
    fn a_small_mesh_fits_and_an_absurd_one_does_not() {
        assert!(check_descriptors(4).is_ok());
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        if let Some(maximum) = maximum.filter(|limit| *limit < u64::MAX / 4) {
            let message = check_descriptors(maximum as usize).unwrap_err().to_string();
            assert!(message.contains("ulimit -n"), "{message}");
        }
    }
}

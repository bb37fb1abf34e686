//! The control port.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use crate::error::ClusterError;

/// An open control port. One that is kept from generation to generation has the same address for all
/// of them, and workers that come between two wait at it.
#[derive(Debug, Clone)]
pub struct ControlPort {
    listener: Arc<TcpListener>,
    address: SocketAddr,
}

impl ControlPort {
    /// Opens it; port 0 is any that is free.
    pub fn open(address: SocketAddr) -> Result<Self, ClusterError> {
        let what = "control port";
        let bind_error = |source| ClusterError::Bind { what, address, source };
        let listener = TcpListener::bind(address).map_err(bind_error)?;
        listener.set_nonblocking(true).map_err(bind_error)?;
        let address = listener.local_addr().map_err(bind_error)?;
        Ok(Self { listener: Arc::new(listener), address })
    }

    /// Where workers reach it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn listener(&self) -> &TcpListener {
        &self.listener
    }
}

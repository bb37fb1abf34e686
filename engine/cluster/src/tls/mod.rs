//! TLS between hosts: one authority for a run, and a certificate of it for every process.
//!
//! TLS lies below the handshake of this crate and replaces nothing of it: the certificate says "of
//! this run", the handshake says which worker, which generation and which version. Both ends show a
//! certificate, only TLS 1.3 is spoken, and names in certificates are not compared: a worker has
//! whatever address its host has today, and whoever the authority has signed is a member.
//!
//! The authority's key never leaves the process that made it. It is not even written down: when the
//! run is over nobody can sign for it any more.

mod authority;
mod identity;
pub(crate) mod tunnel;
mod verify;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig, version};

use self::authority::Authority;
use self::identity::Identity;
use crate::error::ClusterError;

/// What a process needs to speak TLS with the others of its run. `Debug` shows no key.
#[derive(Clone)]
pub struct Tls {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    source: Source,
}

/// Where the certificates of further processes come from.
#[derive(Clone)]
enum Source {
    /// They are made.
    Authority(Arc<Authority>),
    /// All have the same, which was given.
    Given(Arc<Identity>),
}

impl Tls {
    /// The environment variable that carries certificate and key to a worker.
    pub const VARIABLE: &'static str = "SAGE_FLOW_TLS";

    /// With an authority that is made for this run, and a certificate of it for this process.
    pub fn for_run() -> Result<Self, ClusterError> {
        let authority = Arc::new(Authority::new()?);
        let own = authority.issue()?;
        Self::new(&own, Source::Authority(authority))
    }

    /// With an authority, a certificate and its key from PEM files. Every certificate that the
    /// authority has signed is let in, so it should have no other purpose.
    pub fn from_files(
        authority: &Path,
        certificate: &Path,
        key: &Path,
    ) -> Result<Self, ClusterError> {
        let own = Identity::from_files(authority, certificate, key)?;
        Self::new(&own, Source::Given(Arc::new(own.duplicate())))
    }

    /// With what [`Tls::credentials`] gave.
    pub fn from_credentials(line: &str) -> Result<Self, ClusterError> {
        let own = Identity::from_line(line)?;
        Self::new(&own, Source::Given(Arc::new(own.duplicate())))
    }

    /// One line for another process of the run, secret: a fresh certificate with its key, or those
    /// that were given.
    pub fn credentials(&self) -> Result<String, ClusterError> {
        match &self.source {
            Source::Authority(authority) => Ok(authority.issue()?.to_line()),
            Source::Given(identity) => Ok(identity.to_line()),
        }
    }

    /// For connections that this process makes.
    pub fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }

    /// For connections that it accepts.
    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    fn new(own: &Identity, source: Source) -> Result<Self, ClusterError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = verify::roots(own)?;
        let odd = |error: rustls::Error| ClusterError::Certificate { reason: error.to_string() };
        let own_key = || own.key.clone_key();

        let verifier = verify::Members::new(Arc::clone(&roots), &provider);
        verifier.check(own)?;
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&version::TLS13])
            .map_err(odd)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(own.chain.clone(), own_key())
            .map_err(odd)?;
        // A run's connections are few and long; nothing is gained by remembering them.
        client.resumption = rustls::client::Resumption::disabled();

        let clients = verify::clients(roots, &provider)?;
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .map_err(odd)?
            .with_client_cert_verifier(clients)
            .with_single_cert(own.chain.clone(), own_key())
            .map_err(odd)?;
        server.send_tls13_tickets = 0;
        Ok(Self { client: Arc::new(client), server: Arc::new(server), source })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(redacted)")
    }
}

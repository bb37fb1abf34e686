//! Whose certificates are believed: those that the run's authority has signed, whatever their names.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, Error, PeerIncompatible, RootCertStore, SignatureScheme};

use super::identity::Identity;
use crate::error::ClusterError;

/// Believes a server that the authority has signed.
#[derive(Debug)]
pub(super) struct Members {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Members {
    pub(super) fn new(roots: Arc<RootCertStore>, provider: &CryptoProvider) -> Self {
        Self { roots, algorithms: provider.signature_verification_algorithms }
    }

    /// Whether the others will believe `own`: better said here than by each of them.
    pub(super) fn check(&self, own: &Identity) -> Result<(), ClusterError> {
        let found = own.chain.split_first().map(|(leaf, others)| {
            self.believe(leaf, others, UnixTime::now()).map_err(|error| error.to_string())
        });
        found.unwrap_or_else(|| Err("there is none".to_owned())).map_err(|reason| {
            let reason = format!("the authority does not vouch for this process's own: {reason}");
            ClusterError::Certificate { reason }
        })
    }

    fn believe(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let leaf = ParsedCertificate::try_from(leaf)?;
        let algorithms = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&leaf, &self.roots, others, now, algorithms)
    }
}

impl ServerCertVerifier for Members {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.believe(leaf, others, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The authority of `own`, as rustls wants it.
pub(super) fn roots(own: &Identity) -> Result<Arc<RootCertStore>, ClusterError> {
    let mut roots = RootCertStore::empty();
    for authority in &own.authority {
        roots.add(authority.clone()).map_err(|error| ClusterError::Certificate {
            reason: format!("the authority cannot be used: {error}"),
        })?;
    }
    Ok(Arc::new(roots))
}

/// Believes clients that the authority has signed, and none without a certificate.
pub(super) fn clients(
    roots: Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, ClusterError> {
    WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider))
        .build()
        .map_err(|error| ClusterError::Certificate { reason: error.to_string() })
}

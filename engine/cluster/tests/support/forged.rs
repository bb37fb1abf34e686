//! An authority whose key the test holds, so that it can sign what no run would.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use sage_cluster::{ClusterError, Tls};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The authority, and a folder for files.
pub(crate) struct Forged {
    issuer: Issuer<'static, KeyPair>,
    authority: Vec<u8>,
    folder: Arc<tempfile::TempDir>,
}

/// A certificate and its key, as DER.
pub(crate) struct Leaf {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Authority, certificate and key as files.
pub(crate) struct Files {
    paths: [PathBuf; 3],
    _folder: Arc<tempfile::TempDir>,
}

impl Files {
    pub(crate) fn tls(&self) -> Result<Tls, ClusterError> {
        let [authority, certificate, key] = &self.paths;
        Tls::from_files(authority, certificate, key)
    }
}

impl Forged {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "the authority of a test");
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().der().to_vec();
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Forged { issuer: Issuer::new(params, key), authority, folder }
    }

    pub(crate) fn good(&self) -> Leaf {
        self.leaf(SystemTime::now() - DAY, SystemTime::now() + DAY)
    }

    pub(crate) fn expired(&self) -> Leaf {
        self.leaf(SystemTime::now() - 9 * DAY, SystemTime::now() - DAY)
    }

    fn leaf(&self, from: SystemTime, until: SystemTime) -> Leaf {
        let mut params = CertificateParams::default();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = (from.into(), until.into());
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Leaf { certificate, key: key.serialize_der() }
    }

    /// A good leaf of it.
    pub(crate) fn files(&self) -> Files {
        self.write(&self.good())
    }

    pub(crate) fn write(&self, leaf: &Leaf) -> Files {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let parts = [
            ("CERTIFICATE", &self.authority),
            ("CERTIFICATE", &leaf.certificate),
            ("PRIVATE KEY", &leaf.key),
        ];
        let mut number = std::fs::read_dir(self.folder.path()).unwrap().count();
        let paths = parts.map(|(label, der)| {
            number += 1;
            let path = self.folder.path().join(format!("{number}.pem"));
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .unwrap();
            let text = STANDARD.encode(der);
            writeln!(file, "-----BEGIN {label}-----\n{text}\n-----END {label}-----").unwrap();
            path
        });
        Files { paths, _folder: Arc::clone(&self.folder) }
    }

    /// A client that believes this authority and shows `leaf`, whatever that is worth.
    pub(crate) fn client(&self, leaf: Option<&Leaf>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.authority.clone())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Gullible));
        Arc::new(match leaf {
            None => client.with_no_client_auth(),
            Some(leaf) => {
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf.key.clone()));
                let chain = vec![CertificateDer::from(leaf.certificate.clone())];
                client.with_client_auth_cert(chain, key).unwrap()
            }
        })
    }
}

/// Dials, shakes hands as far as it goes, and reads until the other end has enough.
pub(crate) fn knock(client: &Arc<ClientConfig>, address: SocketAddr) {
    let mut stream = TcpStream::connect(address).unwrap();
    let name = ServerName::try_from("anybody").unwrap();
    let mut tls = ClientConnection::new(Arc::clone(client), name).unwrap();
    while tls.is_handshaking() && tls.complete_io(&mut stream).is_ok() {}
    let _ = tls.complete_io(&mut stream);
}

/// Believes every server.
#[derive(Debug)]
struct Gullible;

impl rustls::client::danger::ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        let provider = rustls::crypto::ring::default_provider();
        provider.signature_verification_algorithms.supported_schemes()
    }
}

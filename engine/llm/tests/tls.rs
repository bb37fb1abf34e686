//! Gateway and client through TLS: who has a certificate of the authority is served, nobody else, and
//! nobody else disturbs.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use common::*;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig as TlsClient, RootCertStore, ServerConfig};
use sage_core::endpoint::ErrorClass;
use sage_llm::client::{Client, ClientConfig, EndpointTarget};
use sage_llm::gateway::GatewayConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    roots: Arc<RootCertStore>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(params.self_signed(&key).unwrap().der().clone()).unwrap();
        Authority { issuer: Issuer::new(params, key), roots: Arc::new(roots) }
    }

    fn leaf(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::new(vec!["sage-flow".to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        (vec![certificate], key)
    }

    fn server(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::clone(&self.roots);
        let clients = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
        let (chain, key) = self.leaf();
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(chain, key);
        Arc::new(server.unwrap())
    }

    /// Believes this authority and shows a certificate of `of`.
    fn client(&self, of: &Authority) -> Arc<TlsClient> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (chain, key) = of.leaf();
        let client = TlsClient::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots))
            .with_client_auth_cert(chain, key);
        Arc::new(client.unwrap())
    }
}

fn client_with(gateway: &str, tls: Option<Arc<TlsClient>>) -> Client {
    Client::new(ClientConfig {
        gateway: gateway.into(),
        tls,
        token: TOKEN.into(),
        job: "job".into(),
        worker: 0,
        endpoints: vec![EndpointTarget { name: "e".into(), model: "m".into() }],
        max_in_flight: 100,
    })
    .unwrap()
}

#[tokio::test]
async fn only_certificates_of_the_authority_open_the_gateway() {
    let answering = Router::new().route("/v1/completions", post(|| async { OK }));
    let authority = Authority::new();
    let config = GatewayConfig {
        upstreams: vec![upstream(&serve(answering).await)],
        token: Some(TOKEN.into()),
        tls: Some(authority.server()),
        ..GatewayConfig::default()
    };
    let (plain, stats) = gateway_of(config).await;
    let secure = plain.replace("http://", "https://");
    let address = plain.trim_start_matches("http://").to_owned();

    // Strangers that say nothing, junk or plain HTTP, before and beside the others.
    let _silent = TcpStream::connect(&address).await.unwrap();
    for junk in [&b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"[..], &[0xff; 3000]] {
        let mut stranger = TcpStream::connect(&address).await.unwrap();
        stranger.write_all(junk).await.unwrap();
        let mut answer = Vec::new();
        // It is closed, at the latest when TLS has its reasons.
        let _ = tokio::time::timeout(Duration::from_secs(20), stranger.read_to_end(&mut answer))
            .await
            .unwrap();
        assert!(!answer.starts_with(b"HTTP"), "plain HTTP is answered");
    }

    let good = client_with(&secure, Some(authority.client(&authority)));
    for _ in 0..3 {
        assert_eq!(texts(ask(&good, prompts(&["1"])).await), ["fine"]);
    }
    let other = Authority::new();
    for tls in [authority.client(&other), other.client(&authority), other.client(&other)] {
        let stranger = client_with(&secure, Some(tls));
        let error = ask(&stranger, prompts(&["1"])).await.result.unwrap_err();
        assert!(matches!(error.class, ErrorClass::Unreachable | ErrorClass::Server), "{error:?}");
    }
    let error = ask(&client(&plain), prompts(&["1"])).await.result.unwrap_err();
    assert!(matches!(error.class, ErrorClass::Unreachable | ErrorClass::Server), "{error:?}");
    assert_eq!(stats.snapshot().endpoints[0].total.ok, 3, "nobody else was served");
}

#[test]
fn an_address_and_the_certificates_for_it_go_together() {
    let authority = Authority::new();
    let config = |gateway: &str, tls: Option<Arc<TlsClient>>| ClientConfig {
        gateway: gateway.into(),
        tls,
        token: String::new(),
        job: "job".into(),
        worker: 0,
        endpoints: vec![],
        max_in_flight: 1,
    };
    let tls = authority.client(&authority);
    assert!(Client::new(config("https://h:1", Some(Arc::clone(&tls)))).is_ok());
    let error = Client::new(config("https://h:1", None)).unwrap_err().to_string();
    assert!(error.contains("no certificates"), "{error}");
    let error = Client::new(config("http://h:1", Some(tls))).unwrap_err().to_string();
    assert!(error.contains("not https"), "{error}");
}

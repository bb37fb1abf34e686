//! The HTTP client towards an upstream.
//!
//! TLS is built with ring (no C++ tool chain) and trusts the machine's own roots. They are loaded
//! only when an upstream is `https`: a gateway to a local server should not hold 140 certificates.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, Url};
use rustls::crypto::ring;
use sage_core::secrets::Mask;
use sage_core::upstream::settings;

use super::GatewayError;
use super::config::Upstream;

/// Longest wait for a connection.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_nanos(settings::CONNECT_TIMEOUT_NS);

/// How long an idle connection is kept. Less than the 5 s after which uvicorn, which vLLM uses,
/// closes it: a call that meets a closing connection costs a retry.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// The base of all paths, ending in `/vN`.
pub(super) fn base_url(upstream: &Upstream) -> Result<Url, GatewayError> {
    let wrong = |reason: String| GatewayError::Url {
        endpoint: upstream.name.clone(),
        url: without_credentials(&upstream.url),
        reason,
    };
    let mut url = Url::parse(&upstream.url).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(format!("scheme `{}` is not http or https", url.scheme())));
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    // `/openai/v1`, `/v1beta/openai`: whoever gives a version has given the whole base.
    let versioned = path.split('/').any(is_version);
    url.set_path(&if versioned { path } else { format!("{path}/v1") });
    Ok(url)
}

/// `base/operation`.
pub(super) fn join(base: &Url, operation: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{operation}", base.path()));
    url
}

/// Where a server has its metrics: beside the version of its API.
pub(super) fn metrics(base: &Url) -> Url {
    let mut url = base.clone();
    let path = base.path().trim_end_matches('/');
    let (before, last) = path.rsplit_once('/').unwrap_or(("", path));
    let beside = if is_version(last) { before } else { "" };
    url.set_path(&format!("{beside}/metrics"));
    url
}

fn is_version(part: &str) -> bool {
    let mut letters = part.chars();
    letters.next() == Some('v') && letters.next().is_some_and(|c| c.is_ascii_digit())
}

/// The header that carries an upstream's key, if it has one.
pub(super) fn authorization(upstream: &Upstream) -> Result<HeaderMap, GatewayError> {
    let mut headers = HeaderMap::new();
    if let Some(key) = &upstream.api_key {
        let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| {
            GatewayError::Config(format!(
                "endpoint `{}`: the api key has a character that a header cannot hold (a line end?)",
                upstream.name
            ))
        })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// What is not shown of what a server says.
pub(super) fn mask(upstream: &Upstream) -> Mask {
    let url = Url::parse(&upstream.url).ok();
    let password = url.as_ref().and_then(Url::password).map(str::to_owned);
    Mask::new(upstream.api_key.iter().chain(&password))
}

/// For messages: a URL may carry a user and a password.
pub(super) fn without_credentials(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) if !parsed.username().is_empty() || parsed.password().is_some() => {
            // These fail only for URLs that cannot have credentials.
            let _ = parsed.set_username("");
            let _ = parsed.set_password(None);
            parsed.into()
        }
        _ => url.trim_end_matches('/').to_owned(),
    }
}

/// A client that keeps up to `connections` connections to `base` alive.
pub(super) fn client(
    upstream: &Upstream,
    base: &Url,
    connections: usize,
) -> Result<Client, GatewayError> {
    builder(base)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(connections)
        .build()
        .map_err(|source| GatewayError::Transport { endpoint: upstream.name.clone(), source })
}

/// What every client of a model server has in common.
pub(crate) fn builder(base: &Url) -> ClientBuilder {
    let mut builder = Client::builder()
        .user_agent(concat!("sage-flow/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        // An API does not move; a redirected POST would lose its body.
        .redirect(reqwest::redirect::Policy::none())
        // Retries have one owner, and it is not the transport.
        .retry(reqwest::retry::never());
    if is_loopback(base) {
        builder = builder.no_proxy();
    }
    // No other crate chooses a provider, and a second choice of ours is the same.
    let _ = ring::default_provider().install_default();
    if base.scheme() == "http" {
        let nobody = rustls::ClientConfig::builder()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        builder = builder.tls_backend_preconfigured(nobody);
    }
    builder
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An error with all its causes on one line, without the URL, which messages name themselves.
pub(super) fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = cause.to_string(); // The innermost cause says it all: `Connection refused`.
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> Result<String, GatewayError> {
        base_url(&Upstream::new("e", url, "m")).map(|url| join(&url, "models").into())
    }

    #[test]
    fn urls_may_have_a_version() {
        for (given, expected) in [
            ("http://h:1", "http://h:1/v1/models"),
            ("http://h:1/", "http://h:1/v1/models"),
            ("http://h:1/v1", "http://h:1/v1/models"),
            ("https://h/openai/v1/", "https://h/openai/v1/models"),
            ("https://h/v1beta/openai", "https://h/v1beta/openai/models"),
            ("https://h/proxy", "https://h/proxy/v1/models"),
        ] {
            assert_eq!(base(given).unwrap(), expected);
        }
        assert!(base("sim:a100").is_err());
        assert!(base("h:1").is_err());
    }

    #[test]
    fn metrics_are_beside_the_version() {
        for (given, expected) in [
            ("http://h:1", "http://h:1/metrics"),
            ("http://h:1/v1/", "http://h:1/metrics"),
            ("https://h/openai/v1", "https://h/openai/metrics"),
            ("https://h/v1beta/openai", "https://h/metrics"),
        ] {
            let base = base_url(&Upstream::new("e", given, "m")).unwrap();
            assert_eq!(metrics(&base).as_str(), expected);
        }
    }

    #[test]
    fn messages_show_no_password() {
        assert_eq!(without_credentials("http://a:secret@h:1/v1"), "http://h:1/v1");
    }
}

//! The HTTP client towards hosts that are allowed, and how one try of a request ends.
//!
//! Nothing that a server says is believed further than its bounds: length, time, where it redirects
//! to, and that it speaks UTF-8.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LINK, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use sage_core::endpoint::{CallError, ErrorClass};
use sage_core::web::{HttpCall, WebAnswer};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// An idle connection is closed after this.
const IDLE: Duration = Duration::from_secs(4);
/// Longest wait that a server may ask for; how long is waited, others bound.
const MOST_AGAIN: Duration = Duration::from_secs(86_400);
/// Bytes that are read of an answer that nobody wants, so that its connection can be used again.
const UNREAD: usize = 64 << 10;
/// Characters of a refusal's body that are shown.
const SHOWN: usize = 300;

/// A try that came to nothing.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: CallError,
    /// What the server asks to wait.
    pub(crate) again: Option<Duration>,
}

impl Failed {
    pub(crate) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Failed { error: CallError::new(class, message), again: None }
    }
}

/// A client for requests to `url`; `moves` if redirects are to be followed, which only reading may be,
/// by [`read`](crate::reading::read).
pub(crate) fn client(url: &Url, moves: bool) -> reqwest::Result<Client> {
    let mut builder = Client::builder()
        .user_agent(concat!("sage-flow/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .tcp_nodelay(true)
        .redirect(Policy::none())
        // Retries have one owner, and it is not the transport.
        .retry(reqwest::retry::never());
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    // No other crate chooses a provider, and a second choice of ours is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if url.scheme() == "http" && !moves {
        // Who needs no certificates does not load them.
        let nobody = rustls::ClientConfig::builder()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        builder = builder.tls_backend_preconfigured(nobody);
    }
    builder.build()
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A request with what a program adds to its head, for whom that is meant only.
pub(crate) fn dressed(
    mut request: RequestBuilder,
    call: &HttpCall,
    secrets: &BTreeMap<String, String>,
    trusted: bool,
) -> Result<RequestBuilder, CallError> {
    let wrong = |why: String| CallError::new(ErrorClass::Rejected, why);
    request = request.timeout(Duration::from_nanos(call.timeout_ns));
    for (name, value) in call.headers.iter().filter(|_| trusted) {
        let name = HeaderName::from_bytes(name.as_bytes());
        let name = name.map_err(|error| wrong(error.to_string()))?;
        request = request.header(name, value);
    }
    if let Some(variable) = call.token_env.as_ref().filter(|_| trusted) {
        let token = secrets.get(variable).map_or("", String::as_str);
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut value = value.map_err(|_| wrong(format!("`{variable}` fits in no header")))?;
        value.set_sensitive(true);
        request = request.header(reqwest::header::AUTHORIZATION, value);
    }
    Ok(request)
}

/// Send a request once; the whole answer, of at most `most` bytes, is there within the request's
/// time. Without a bound nobody wants to know what it says.
pub(crate) async fn once(
    request: RequestBuilder,
    most: Option<usize>,
) -> Result<WebAnswer, Failed> {
    answer(send(request).await?, most).await
}

/// Send a request; its answer begins.
pub(crate) async fn send(request: RequestBuilder) -> Result<Response, Failed> {
    request.send().await.map_err(|error| of_transport(&error))
}

/// The whole of an answer that has begun.
pub(crate) async fn answer(
    mut response: Response,
    most: Option<usize>,
) -> Result<WebAnswer, Failed> {
    let status = response.status();
    let again = again(response.headers());
    let (url, next) = (response.url().to_string(), next(response.headers(), response.url()));
    let bound = match most {
        Some(most) if status.is_success() => most,
        None if status.is_success() => UNREAD,
        _ => 4 * SHOWN,
    };
    let mut body = Vec::new();
    let whole = read(&mut response, &mut body, bound).await;
    if !status.is_success() {
        return Err(Failed { error: refused(status, response.headers(), &body), again });
    }
    let Some(most) = most else {
        // It has said that it took what was sent.
        return Ok(WebAnswer { body: String::new(), url, next });
    };
    if !whole? {
        let message = format!("its answer is longer than the {most} bytes that are allowed");
        return Err(Failed::new(ErrorClass::Rejected, message));
    }
    let body = String::from_utf8(body)
        .map_err(|_| Failed::new(ErrorClass::Protocol, "its answer is not UTF-8"))?;
    Ok(WebAnswer { body, url, next })
}

/// What the field `Link` calls `next`, as a whole address.
fn next(headers: &HeaderMap, base: &Url) -> Option<String> {
    let fields = headers.get_all(LINK).iter().filter_map(|field| field.to_str().ok());
    // An address may have commas in it, but no closing bracket.
    let links = fields.flat_map(|field| field.split('<').skip(1));
    let mut links = links.filter_map(|link| link.split_once('>'));
    let (address, _) = links.find(|(_, parameters)| {
        parameters.split(';').any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && value.split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
        })
    })?;
    base.join(address.trim()).ok().map(String::from)
}

/// Read up to `most` bytes; whether that was all.
async fn read(response: &mut Response, body: &mut Vec<u8>, most: usize) -> Result<bool, Failed> {
    while let Some(piece) = response.chunk().await.map_err(|error| of_transport(&error))? {
        let room = most - body.len();
        body.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() > room {
            return Ok(false);
        }
    }
    Ok(true)
}

fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> CallError {
    let class = match status.as_u16() {
        408 | 504 => ErrorClass::Timeout,
        429 => ErrorClass::Throttled,
        500.. => ErrorClass::Server,
        _ => ErrorClass::Rejected,
    };
    let text = String::from_utf8_lossy(body);
    let shown: String = text.trim().chars().take(SHOWN).collect();
    let place = headers.get(reqwest::header::LOCATION).and_then(|place| place.to_str().ok());
    let message = match place {
        Some(place) if status.is_redirection() => {
            format!(
                "HTTP {}: it redirects to `{place}`, which is followed for `get` only",
                status.as_u16()
            )
        }
        _ if shown.is_empty() => format!("HTTP {}", status.as_u16()),
        _ => format!("HTTP {}: {shown}", status.as_u16()),
    };
    CallError { class, status: Some(status.as_u16()), message }
}

fn of_transport(error: &reqwest::Error) -> Failed {
    let class = if error.is_timeout() {
        ErrorClass::Timeout
    } else if error.is_connect() {
        ErrorClass::Unreachable
    } else if error.is_redirect() || error.is_builder() {
        ErrorClass::Rejected
    } else {
        ErrorClass::Server
    };
    // The innermost cause says it all: `Connection refused`.
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    let text = if error.is_timeout() { "no whole answer in time".to_owned() } else { text };
    Failed::new(class, text)
}

/// What a server asks to wait, in seconds or as a date.
fn again(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    let wait = if let Some(seconds) = seconds {
        Duration::try_from_secs_f64(seconds.min(MOST_AGAIN.as_secs_f64())).ok()?
    } else {
        let until = httpdate::parse_http_date(text).ok()?;
        until.duration_since(SystemTime::now()).unwrap_or_default()
    };
    Some(wait.min(MOST_AGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_the_links() {
        let base = Url::parse("http://h:1/items?page=1").unwrap();
        let found = |fields: &[&str]| {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(LINK, HeaderValue::from_str(field).unwrap());
            }
            next(&headers, &base)
        };
        let two = Some("http://h:1/items?page=2".to_owned());
        for fields in [
            vec!["<http://h:1/items?page=2>; rel=\"next\""],
            vec!["<?page=2>; rel=next"],
            vec!["</items?page=0>; rel=\"prev\", </items?page=2>; title=\"a\"; rel=\"last next\""],
            vec!["<http://h:1/>; rel=\"first\"", "<http://h:1/items?page=2>;REL=\"NEXT\""],
        ] {
            assert_eq!(found(&fields), two, "{fields:?}");
        }
        let commas = found(&["<http://h:1/a,b?c=1,2>; rel=\"next\", <x>; rel=\"last\""]);
        assert_eq!(commas.as_deref(), Some("http://h:1/a,b?c=1,2"));
        for fields in [vec![], vec!["<x>; rel=\"prev\""], vec!["next"], vec!["<x; rel=next"]] {
            assert_eq!(found(&fields), None, "{fields:?}");
        }
    }
}

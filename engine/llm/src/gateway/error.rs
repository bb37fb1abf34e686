//! Why a gateway does not start, each with what to do about it.

use std::io;

/// Why there is no gateway, or an upstream is not usable.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Another process listens there.
    #[error(
        "{address} is in use; stop the process that listens there or choose another port (0 takes a free one)"
    )]
    AddressInUse {
        /// The address asked for.
        address: String,
    },
    /// Any other failure to listen.
    #[error("cannot listen on {address}; expected HOST:PORT of an interface of this machine")]
    Bind {
        /// The address asked for.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The settings contradict themselves.
    #[error("{0}")]
    Config(String),
    /// An upstream's URL cannot be used.
    #[error("endpoint `{endpoint}`: url `{url}`: {reason}; expected http(s)://HOST[:PORT][/v1]")]
    Url {
        /// Name of the endpoint.
        endpoint: String,
        /// Its URL, without user or password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client cannot be made.
    #[error("endpoint `{endpoint}`: cannot prepare its HTTP client")]
    Transport {
        /// Name of the endpoint.
        endpoint: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// Nobody answers at the URL.
    #[error(
        "endpoint `{endpoint}`: no connection to {url}: {reason}; start the server there, or correct the url"
    )]
    Unreachable {
        /// Name of the endpoint.
        endpoint: String,
        /// Its URL.
        url: String,
        /// What the transport said.
        reason: String,
    },
    /// The server does not answer in time.
    #[error(
        "endpoint `{endpoint}`: {url} took the connection but did not answer within {seconds} s; is it still loading its model?"
    )]
    Silent {
        /// Name of the endpoint.
        endpoint: String,
        /// Its URL.
        url: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The key is missing or wrong.
    #[error("endpoint `{endpoint}`: {url} answers {status} ({message}); {remedy}")]
    Unauthorized {
        /// Name of the endpoint.
        endpoint: String,
        /// Its URL.
        url: String,
        /// 401 or 403.
        status: u16,
        /// What the server said.
        message: String,
        /// What to change.
        remedy: &'static str,
    },
    /// The server answers something else than a list of models.
    #[error(
        "endpoint `{endpoint}`: {url} does not answer like an OpenAI-compatible server: {reason}; check the path of the url"
    )]
    Unexpected {
        /// Name of the endpoint.
        endpoint: String,
        /// Its URL.
        url: String,
        /// What it answered.
        reason: String,
    },
    /// The server does not have the model.
    #[error(
        "endpoint `{endpoint}`: {url} does not serve model `{model}`; it serves {served}{hint}"
    )]
    Model {
        /// Name of the endpoint.
        endpoint: String,
        /// Its URL.
        url: String,
        /// The model asked for.
        model: String,
        /// The models there are.
        served: String,
        /// `; did you mean ...?`, or nothing.
        hint: String,
    },
}

impl GatewayError {
    pub(super) fn bind(address: &str, source: io::Error) -> Self {
        let address = address.to_owned();
        match source.kind() {
            io::ErrorKind::AddrInUse => GatewayError::AddressInUse { address },
            _ => GatewayError::Bind { address, source },
        }
    }
}

/// The names in `known` as a list for messages, and a hint at the one closest to `asked`.
pub(super) fn suggest<'a>(asked: &str, known: impl Iterator<Item = &'a str>) -> (String, String) {
    const SHOWN: usize = 12;
    let known: Vec<&str> = known.collect();
    let mut list =
        known.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if known.is_empty() {
        list = "nothing".into();
    } else if known.len() > SHOWN {
        list = format!("{list} and {} more", known.len() - SHOWN);
    }
    let closest = known
        .iter()
        .map(|name| (strsim::jaro_winkler(&asked.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = closest.map_or(String::new(), |(_, name)| format!("; did you mean `{name}`?"));
    (list, hint)
}

//! Who may call what.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use sage_core::fair::Share;

use super::GatewayError;
use super::config::ClientKey;
use super::problem::Problem;

/// The keys that open the gateway.
pub(super) struct Keys {
    token: Option<String>,
    clients: Vec<ClientKey>,
}

impl Keys {
    pub(super) fn new(
        token: Option<String>,
        clients: Vec<ClientKey>,
    ) -> Result<Keys, GatewayError> {
        for (i, client) in clients.iter().enumerate() {
            let wrong = if client.key.is_empty() {
                "has an empty key".to_owned()
            } else if token.as_ref() == Some(&client.key) {
                "has the gateway's own token as its key".to_owned()
            } else if let Some(other) = clients[..i].iter().find(|other| other.key == client.key) {
                format!("has the same key as `{}`", other.name)
            } else {
                continue;
            };
            return Err(GatewayError::Config(format!("client `{}` {wrong}", client.name)));
        }
        Ok(Keys { token, clients })
    }

    /// Shares of the clients, in their order.
    pub(super) fn shares(&self) -> Vec<Share> {
        self.clients.iter().map(|client| client.share).collect()
    }

    /// The client that calls; `None` for the holder of the gateway's own token, and for everyone
    /// where there are no keys.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<Option<usize>, Problem> {
        if self.token.is_none() && self.clients.is_empty() {
            return Ok(None);
        }
        let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let given = given.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
        if self.token.as_ref().is_some_and(|token| same(given, token.as_bytes())) {
            return Ok(None);
        }
        let client = self.clients.iter().position(|client| same(given, client.key.as_bytes()));
        client.map(Some).ok_or_else(|| {
            let message = "missing or wrong bearer token";
            Problem::rejected(StatusCode::UNAUTHORIZED, message)
        })
    }

    /// The client's name, for accounts.
    pub(super) fn name(&self, client: Option<usize>) -> Option<&str> {
        self.clients.get(client?).map(|client| client.name.as_str())
    }

    /// Whether `client` may use the endpoint.
    pub(super) fn opens(&self, client: Option<usize>, endpoint: &str) -> bool {
        client.and_then(|client| self.clients.get(client)).is_none_or(|client| {
            client.endpoints.is_empty() || client.endpoints.iter().any(|name| name == endpoint)
        })
    }
}

/// Comparison in a time that does not tell how much of a guess is right.
fn same(given: &[u8], expected: &[u8]) -> bool {
    given.len() == expected.len()
        && given.iter().zip(expected).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

//! Reading what is at an address, wherever that moves to within the hosts that are allowed.
//!
//! What a program adds to the head of a request, a token above all, is for the server that the program
//! names. The transport would drop only what it knows to be secret on the way to another one, so
//! redirects are followed here.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::header::LOCATION;
use reqwest::{Client, Response, Url};
use sage_core::endpoint::ErrorClass;
use sage_core::web::{HttpCall, WebAnswer};

use crate::allowed::Allowed;
use crate::client::{Failed, answer, dressed, send};

/// Most redirects of a request.
const REDIRECTS: usize = 5;

/// Who reads, and what is said on the way.
pub(crate) struct Reader<'r> {
    pub(crate) client: &'r Client,
    pub(crate) allowed: &'r Allowed,
    pub(crate) call: &'r HttpCall,
    pub(crate) secrets: &'r BTreeMap<String, String>,
    /// Whom the program names.
    pub(crate) first: &'r Url,
}

/// Read what is at `to` once, within the time of the call over all redirects.
pub(crate) async fn read(reader: &Reader<'_>, to: Url) -> Result<WebAnswer, Failed> {
    let Reader { client, allowed, call, secrets, first } = reader;
    let until = Instant::now() + Duration::from_nanos(call.timeout_ns);
    let mut to = to;
    for _ in 0..=REDIRECTS {
        let trusted = to.origin() == first.origin();
        let request = dressed(client.get(to.clone()), call, secrets, trusted);
        let request = request.map_err(|error| Failed { error, again: None })?;
        let left = until.saturating_duration_since(Instant::now());
        let response = send(request.timeout(left)).await?;
        let Some(place) = moved(&response) else {
            return answer(response, Some(call.max_answer)).await;
        };
        let next = to.join(&place).map_err(|error| {
            let message = format!("it redirects to `{place}`, which is no address ({error})");
            Failed::new(ErrorClass::Rejected, message)
        })?;
        if !allowed.permits(&next) {
            let name = Allowed::name_of(&next);
            let message = format!("it redirects to `{name}`, which --allow-http does not name");
            return Err(Failed::new(ErrorClass::Rejected, message));
        }
        to = next;
    }
    Err(Failed::new(ErrorClass::Rejected, "it redirects again and again"))
}

/// Where what was asked for is now.
fn moved(response: &Response) -> Option<String> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let place = response.headers().get(LOCATION)?;
    Some(String::from_utf8_lossy(place.as_bytes()).into_owned())
}

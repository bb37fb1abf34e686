//! Vectors of documents by an endpoint: in batches of texts of like length, and of a text that is too
//! long for the model as much as it takes.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use sage_core::endpoint::{Answer, Call, CallError, Completion, Endpoint, ErrorClass, Request};
use sage_core::text::fnv1a;
use sage_dsl::plan::Plan;
use sage_llm::client::{Client, ClientConfig, EndpointTarget};

use super::interrupt::Interrupts;
use super::services::Access;

/// Longest time for one call; a small server may take minutes over a batch.
const TIMEOUT: Duration = Duration::from_secs(600);

/// How often an interrupt is looked for meanwhile.
const LISTEN: Duration = Duration::from_millis(100);

/// Texts sent to an embedding endpoint in one call.
const BATCH: usize = 64;

/// Bytes of a text below which it is not its length that a server refuses.
const SHORTEST: usize = 256;

/// Vectors of all texts, by an endpoint of the plan.
pub(super) fn embed(
    plan: &Plan,
    endpoint: usize,
    texts: &[&str],
    access: Option<&Access>,
    interrupts: &Interrupts,
) -> anyhow::Result<Vec<Vec<f32>>> {
    let access = access.context("the endpoint that makes its vectors was not started")?;
    let client = client(access)?;
    let name = plan.endpoints.get(endpoint).map_or("", |endpoint| endpoint.name.as_str());
    let mut vectors = vec![Vec::new(); texts.len()];
    // A model pads the texts of a call to the length of the longest.
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|at| texts[*at].len());
    let ask = |texts: Vec<String>| asked(&client, endpoint, texts, interrupts);
    let failed = |error: CallError| anyhow!("endpoint `{name}` cannot make the vectors: {error}");
    let mut shortened = 0;
    for places in order.chunks(BATCH) {
        match ask(places.iter().map(|at| texts[*at].to_owned()).collect())? {
            Ok(more) => places.iter().zip(more).for_each(|(at, vector)| vectors[*at] = vector),
            // One that is too long for the model makes a server refuse the whole call.
            Err(error) if is_of_its_content(&error) => {
                for at in places {
                    let (vector, whole) = beginning(texts[*at], &ask)?.map_err(failed)?;
                    vectors[*at] = vector;
                    shortened += usize::from(!whole);
                }
            }
            Err(error) => return Err(failed(error)),
        }
    }
    if shortened > 0 {
        eprintln!(
            "warning: {shortened} of {} passages are too long for the model of endpoint `{name}`; \
             only their beginning can be found by its vectors",
            texts.len()
        );
    }
    Ok(vectors)
}

/// Vectors, or why there are none.
pub(crate) type Asked = Result<Vec<Vec<f32>>, CallError>;

/// The vector of a text, or of as much of its beginning as the model takes; and whether that is all
/// of it.
pub(crate) fn beginning(
    text: &str,
    ask: &impl Fn(Vec<String>) -> anyhow::Result<Asked>,
) -> anyhow::Result<Result<(Vec<f32>, bool), CallError>> {
    let mut length = text.len();
    loop {
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        match ask(vec![text[..length].to_owned()])? {
            Ok(vectors) => {
                let vector = vectors.into_iter().next().unwrap_or_default();
                return Ok(Ok((vector, length == text.len())));
            }
            Err(error) if is_of_its_content(&error) && length > SHORTEST => length = length * 3 / 4,
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// Whether a server refused a call for what is in it.
fn is_of_its_content(error: &CallError) -> bool {
    error.class == ErrorClass::Rejected && matches!(error.status, Some(400 | 413 | 422))
}

/// The vectors of a few texts.
fn asked(
    client: &Client,
    endpoint: usize,
    texts: Vec<String>,
    interrupts: &Interrupts,
) -> anyhow::Result<Asked> {
    let count = texts.len();
    // A passage is known by its text, so an unchanged corpus is not paid for again.
    let records = texts.iter().map(|text| fnv1a(text.as_bytes())).collect();
    let (sender, receiver) = mpsc::channel();
    let request = Request::Embed { texts };
    let call = Call {
        stage: usize::MAX,
        records,
        ..Call::new(endpoint, request, TIMEOUT.as_nanos() as u64)
    };
    let completion = Completion::new(move |outcome| {
        let _ = sender.send(outcome);
    });
    client.submit(call, completion);
    // The call has its own time limit; the user may have less.
    let outcome = loop {
        match receiver.recv_timeout(LISTEN) {
            Ok(outcome) => break outcome,
            Err(RecvTimeoutError::Timeout) if interrupts.count() == 0 => {}
            Err(_) => bail!("interrupted"),
        }
    };
    Ok(match outcome.result {
        Ok(Answer::Embedded { vectors, .. }) if vectors.len() == count => Ok(vectors),
        Ok(_) => {
            let what = "it answered with something else than vectors";
            Err(CallError::new(ErrorClass::Protocol, what))
        }
        Err(error) => Err(error),
    })
}

/// A client of the run's gateway.
fn client(access: &Access) -> anyhow::Result<Client> {
    let target = |(name, model): &(String, String)| EndpointTarget {
        name: name.clone(),
        model: model.clone(),
    };
    Ok(Client::new(ClientConfig {
        gateway: access.gateway.clone(),
        tls: access.tls.as_ref().map(sage_cluster::Tls::client),
        token: access.token.clone(),
        job: "index".into(),
        worker: u32::MAX,
        endpoints: access.endpoints.iter().map(target).collect(),
        max_in_flight: 4,
    })?)
}

//! Answers and streams of servers, for fuzz targets and property tests.

use std::time::Instant;

use fuzz_input::Choices;
use sage_core::endpoint::{Answer, ErrorClass, Generation};

use super::body::{Operation, decode};
use super::stream::Stream;
use crate::gateway::fuzzing as gateway;

/// A body that a server, or something before it, answered with: as many items as were asked for, or
/// an error.
pub fn client_answer(input: &[u8]) {
    let mut choices = Choices::new(input);
    let operation =
        [Operation::Chat, Operation::Completions, Operation::Embeddings][choices.below(3)];
    let items = 1 + choices.below(3);
    match decode(operation, items, false, choices.rest()) {
        Ok(Answer::Generated(texts)) => {
            assert_eq!(texts.len(), items);
            let sum = |of: fn(&Generation) -> u64| {
                texts.iter().try_fold(0_u64, |sum, text| sum.checked_add(of(text)))
            };
            assert!(sum(|text| text.prompt_tokens).is_some(), "counts overflow");
            let all = sum(|text| text.prompt_tokens).zip(sum(|text| text.completion_tokens));
            assert!(all.is_some_and(|(a, b)| a.checked_add(b).is_some()), "counts overflow");
        }
        Ok(Answer::Embedded { vectors, .. }) => {
            assert_eq!(vectors.len(), items);
            let size = vectors[0].len();
            assert!(size > 0 && vectors.iter().all(|vector| vector.len() == size));
            assert!(vectors.iter().flatten().all(|x| x.is_finite()), "a vector of no direction");
        }
        Err(why) => assert!(!why.is_empty() && why.len() < 2000, "{why}"),
    }
}

fn read(pieces: &[&[u8]]) -> Result<Generation, ErrorClass> {
    let mut stream = Stream::new(Instant::now());
    for piece in pieces {
        if !stream.push(piece) {
            break;
        }
    }
    stream.finish(false).0.map_err(|error| error.class)
}

/// What a stream says; nothing if it is none.
pub(crate) fn told(stream: &[u8]) -> Option<Generation> {
    read(&[stream]).ok()
}

/// Whether the client takes `body` for a whole answer to a question of the gateway's `operation`.
pub(crate) fn is_read(operation: gateway::Operation, items: usize, body: &[u8]) -> bool {
    let operation = match operation {
        gateway::Operation::Chat => Operation::Chat,
        gateway::Operation::Completions => Operation::Completions,
        gateway::Operation::Embeddings => Operation::Embeddings,
    };
    decode(operation, items, false, body).is_ok()
}

/// A stream of events: read in any pieces it is the same answer, or the same kind of error.
pub fn client_stream(input: &[u8]) {
    let mut choices = Choices::new(input);
    let cuts = choices.bytes(24);
    let stream = choices.rest();
    let pieces = Choices::new(cuts).pieces(stream);
    assert_eq!(read(&[stream]), read(&pieces));
}

//! A call on its way, and its tries; the gateway's `order.rs`, and what its futures remember.

use std::sync::Arc;

use sage_core::endpoint::{ErrorClass, Lane};
use sage_core::fair::Ticket;
use sage_core::upstream::settings::{BEGINNING_TOKENS, UNNAMED_ANSWER};
use sage_core::upstream::{Shunned, Taken};

use crate::model::Work;

use super::{Ending, StationCall};

/// Bits of a request's number that name the item.
pub(super) const ITEM_BITS: u32 = 12;
/// Most items of any call.
const MAX_ITEMS: usize = 1 << ITEM_BITS;

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Generate,
    Embed,
    /// Time, of servers without a model.
    Time,
}

impl Kind {
    fn of(work: &Work) -> Kind {
        match work {
            Work::Generate { .. } => Kind::Generate,
            Work::Embed { .. } => Kind::Embed,
            Work::None | Work::Cpu(_) | Work::Drawn(_) | Work::Wait(_) => Kind::Time,
        }
    }

    /// What all of `items` are, if they are a call.
    pub(super) fn of_all(items: &[Work]) -> Option<Kind> {
        let kind = Kind::of(items.first()?);
        let alike = items.len() <= MAX_ITEMS && items.iter().all(|item| Kind::of(item) == kind);
        alike.then_some(kind)
    }
}

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// In the line, or with a permit that it does not know of yet.
    Line,
    /// Without a server that can be asked.
    Down,
    /// In the line of the rates.
    Rate,
    /// At a server.
    Upstream,
    /// Between two tries, until then.
    Backoff(u64),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: u64,
    pub(super) job: usize,
    pub(super) lane: Lane,
    pub(super) items: Arc<[Work]>,
    pub(super) deadline_ns: u64,
    pub(super) kind: Kind,
    /// Calls with the same key get answers of like length.
    pub(super) key: u64,
    /// Tokens of its prompts.
    pub(super) input: f64,
    /// Tokens it may use.
    pub(super) tokens: f64,
    /// Calls that begin alike have the same.
    pub(super) prefix: u64,
    pub(super) ticket: Ticket,
    pub(super) phase: Phase,
    /// When it got the permit that it holds.
    pub(super) held_ns: u64,
    pub(super) tries: u32,
    pub(super) hedges: u32,
    pub(super) sheds: u32,
    /// Its first try has earned its part of a retry.
    pub(super) credited: bool,
    /// Class of the last failure.
    pub(super) last: Option<ErrorClass>,
    pub(super) shunned: Shunned,
    /// The try under way, and the one beside it with the permit that it holds.
    pub(super) attempt: Option<u64>,
    pub(super) beside: Option<(u64, Ticket)>,
}

/// The figures of a call that follow from its items.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// Tokens of the prompts.
    pub(super) input: f64,
    /// Most tokens of the answers; an embedding has none.
    pub(super) limit: f64,
    /// Tokens it may use.
    pub(super) tokens: f64,
    /// Calls that begin alike have the same.
    pub(super) prefix: u64,
}

impl Size {
    /// Of a call of `kind`; `number` stands for a beginning that is like no other.
    pub(super) fn of(items: &[Work], kind: Kind, number: u64, block_size: u32) -> Size {
        let (mut input, mut limit) = (0.0, 0.0);
        for item in items {
            match item {
                Work::Embed { tokens } => input += f64::from(*tokens),
                Work::Generate { prompt_tokens, max_tokens, .. } => {
                    input += f64::from(*prompt_tokens);
                    limit += f64::from(*max_tokens);
                }
                Work::None | Work::Cpu(_) | Work::Drawn(_) | Work::Wait(_) => input += 1.0,
            }
        }
        let tokens = match kind {
            Kind::Embed => input + UNNAMED_ANSWER,
            Kind::Generate | Kind::Time => input + limit,
        };
        Size { input, limit, tokens, prefix: beginning(items, block_size).unwrap_or(number) }
    }
}

/// Names the beginning of the first prompt: its last full block within as much of it as the gateway
/// looks at. Prompts that end before are told apart by their length, too.
fn beginning(items: &[Work], block_size: u32) -> Option<u64> {
    let Some(Work::Generate { prompt_tokens, blocks, .. }) = items.first() else { return None };
    let looked_at = (BEGINNING_TOKENS / block_size.max(1) as usize).max(1);
    let last = *blocks.get(looked_at.min(blocks.len()).checked_sub(1)?)?;
    let whole = blocks.len() >= looked_at;
    Some(if whole { last } else { last ^ u64::from(*prompt_tokens).rotate_right(16) })
}

impl Call {
    /// A call in the line.
    pub(super) fn new(call: StationCall, kind: Kind, size: Size, ticket: Ticket) -> Call {
        let StationCall { id, job, stage, lane, items, deadline_ns } = call;
        let Size { input, tokens, prefix, .. } = size;
        Call {
            id,
            job,
            lane,
            items,
            deadline_ns,
            kind,
            key: key(job, stage),
            input,
            tokens,
            prefix,
            ticket,
            phase: Phase::Line,
            held_ns: 0,
            tries: 0,
            hedges: 0,
            sheds: 0,
            credited: false,
            last: None,
            shunned: Shunned::default(),
            attempt: None,
            beside: None,
        }
    }

    /// Whether it may safely be made twice. What generates may not: its temperature is not known
    /// here.
    pub(super) fn is_idempotent(&self) -> bool {
        self.kind != Kind::Generate
    }
}

/// Calls of the same stage get answers of like length.
pub(super) fn key(job: usize, stage: u16) -> u64 {
    (job as u64) << 32 | u64::from(stage)
}

/// One try at a server.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) call: u64,
    pub(super) at: usize,
    pub(super) kind: Kind,
    /// Tokens it may use, as the choice of servers counts them.
    pub(super) cost: f64,
    /// When it was given to the server, and when it was sent.
    pub(super) begun_ns: u64,
    pub(super) sent_ns: u64,
    /// Tries at the server when it began, itself included.
    pub(super) in_flight: u32,
    /// It is the one call that may find out whether the server works again.
    pub(super) trial: bool,
    /// Its part of the rates, once it has that.
    pub(super) taken: Option<Taken>,
    /// How it ends once it has reached its server, if not by an answer.
    pub(super) end: Option<Ending>,
    /// Whether the server works on it.
    pub(super) running: bool,
    /// It failed, and the one beside it goes on.
    pub(super) failed: bool,
    /// The server's health knows what came of it.
    pub(super) reported: bool,
    /// Tokens of each item, and how many items are still open.
    pub(super) answers: Vec<(u32, u32)>,
    pub(super) open: usize,
    pub(super) first_token_ns: Option<u64>,
}

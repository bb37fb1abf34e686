//! `Gateway`: the way of a call from its operator to an endpoint and back.
//!
//! ```text
//! operator -> one thread of the first host -> hop -> Station -> hop -> operator
//! ```
//! What the gateway decides is in [`Station`]; here is only what the way costs. A call whose time is
//! up before it gets there is answered on the way, and an answer to an operator that was lost with
//! its node falls away.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use sage_core::endpoint::{ErrorClass, Lane};
use sage_core::upstream::settings::told_ms;

use crate::agenda::{Agenda, Due};
use crate::error::TwinError;
use crate::host::Host;
use crate::model::{EndpointModel, Work};
use crate::operators::{Answered, Item};
use crate::station::{Reply, Station, StationCall, StationStats};

/// The gateway's thread, as its host knows it.
pub(crate) const GATEWAY: u32 = u32::MAX;

const MS: u64 = 1_000_000;

/// A call and who waits for it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) thread: u32,
    pub(crate) operator: usize,
    pub(crate) epoch: u32,
    /// Position of the stage within its group.
    pub(crate) member: usize,
    pub(crate) items: Vec<Item>,
    pub(crate) job: usize,
    pub(crate) stage: u16,
    pub(crate) endpoint: usize,
    pub(crate) lane: Lane,
    pub(crate) works: Arc<[Work]>,
    pub(crate) sent_ns: u64,
    pub(crate) deadline_ns: u64,
}

#[derive(Debug)]
struct Port {
    station: Station,
    /// When the agenda has it next; `u64::MAX` for never.
    armed_ns: u64,
}

#[derive(Debug)]
pub(crate) struct Gateway {
    ports: Vec<Port>,
    hop_ns: u64,
    work_ns: u64,
    calls: FxHashMap<u64, (Request, Option<Reply>)>,
    made: u64,
    line: VecDeque<u64>,
    busy: bool,
    /// Processor time so far.
    pub(crate) busy_ns: u64,
    replies: Vec<Reply>,
}

impl Gateway {
    pub(crate) fn new(
        endpoints: &[EndpointModel],
        shares: &[f64],
        hop_ns: u64,
        work_ns: u64,
        seed: impl Fn(usize) -> u64,
    ) -> Result<Self, TwinError> {
        let port = |(at, model): (usize, &EndpointModel)| {
            let station = Station::new(model, shares, seed(at))?;
            Ok(Port { station, armed_ns: u64::MAX })
        };
        Ok(Gateway {
            ports: endpoints.iter().enumerate().map(port).collect::<Result<_, TwinError>>()?,
            hop_ns,
            work_ns,
            calls: FxHashMap::default(),
            made: 0,
            line: VecDeque::new(),
            busy: false,
            busy_ns: 0,
            replies: Vec::new(),
        })
    }

    /// A call leaves its operator; `host` is the gateway's.
    pub(crate) fn call(
        &mut self,
        request: Request,
        now: u64,
        host: &mut Host,
        agenda: &mut Agenda,
    ) {
        let id = self.made;
        self.made += 1;
        self.calls.insert(id, (request, None));
        if self.work_ns == 0 {
            agenda.add(now.saturating_add(self.hop_ns), Due::Called(id));
            return;
        }
        self.line.push_back(id);
        if !self.busy {
            self.work(now, host);
        }
    }

    fn work(&mut self, now: u64, host: &mut Host) {
        self.busy = true;
        self.busy_ns += self.work_ns;
        host.start(now, GATEWAY, self.work_ns as f64);
    }

    /// The thread has done its part of the first call in line.
    pub(crate) fn worked(&mut self, now: u64, host: &mut Host, agenda: &mut Agenda) {
        self.busy = false;
        if let Some(id) = self.line.pop_front() {
            agenda.add(now.saturating_add(self.hop_ns), Due::Called(id));
        }
        if !self.line.is_empty() {
            self.work(now, host);
        }
    }

    /// A call comes to its endpoint.
    pub(crate) fn called(&mut self, id: u64, now: u64, agenda: &mut Agenda) {
        let Some((request, reply)) = self.calls.get_mut(&id) else { return };
        // The gateway is told a little less than there is, and its answer has to be back in time.
        let told_ms = told_ms(request.deadline_ns.saturating_sub(request.sent_ns));
        let deadline_ns = now
            .saturating_add(told_ms.saturating_mul(MS))
            .min(request.deadline_ns.saturating_sub(self.hop_ns));
        if deadline_ns <= now {
            let at_ns = request.deadline_ns.max(now);
            let result = Err(ErrorClass::Timeout);
            *reply = Some(Reply { id, at_ns, result, attempts: 0, first_token_ns: None });
            agenda.add(at_ns, Due::Answered(id));
            return;
        }
        let call = StationCall {
            id,
            job: request.job,
            stage: request.stage,
            lane: request.lane,
            items: Arc::clone(&request.works),
            deadline_ns,
        };
        let at = request.endpoint;
        self.ports[at].station.submit(call, now);
        self.arm(at, now, agenda);
    }

    /// The time has come that an endpoint asked for.
    pub(crate) fn advance(&mut self, at: usize, now: u64, agenda: &mut Agenda) {
        if self.ports[at].armed_ns != now {
            // It asked for an earlier one since, which has been.
            return;
        }
        self.ports[at].armed_ns = u64::MAX;
        let mut replies = std::mem::take(&mut self.replies);
        self.ports[at].station.advance(now, &mut replies);
        for reply in replies.drain(..) {
            let back_ns = reply.at_ns.max(now).saturating_add(self.hop_ns);
            if let Some((_, slot)) = self.calls.get_mut(&reply.id) {
                agenda.add(back_ns, Due::Answered(reply.id));
                *slot = Some(reply);
            }
        }
        self.replies = replies;
        self.arm(at, now, agenda);
    }

    fn arm(&mut self, at: usize, now: u64, agenda: &mut Agenda) {
        let port = &mut self.ports[at];
        if let Some(next_ns) = port.station.next_ns().map(|next_ns| next_ns.max(now))
            && next_ns < port.armed_ns
        {
            port.armed_ns = next_ns;
            agenda.add(next_ns, Due::Station(at as u32));
        }
    }

    /// An answer comes to its caller: thread, operator, epoch, and what it is told.
    pub(crate) fn answered(&mut self, id: u64) -> Option<(u32, usize, u32, Answered)> {
        let (request, reply) = self.calls.remove(&id)?;
        let reply = reply?;
        let Request { thread, operator, epoch, member, items, sent_ns, deadline_ns, .. } = request;
        let came = |at_ns: u64| at_ns.saturating_add(self.hop_ns).saturating_sub(sent_ns);
        let first_token_ns = reply.first_token_ns.map(came);
        let until_ns = deadline_ns;
        Some((thread, operator, epoch, Answered { member, items, until_ns, reply, first_token_ns }))
    }

    pub(crate) fn stats(&self) -> Vec<StationStats> {
        self.ports.iter().map(|port| port.station.stats()).collect()
    }
}

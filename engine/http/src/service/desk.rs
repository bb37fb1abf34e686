//! The desk of a service: who may come in, who waits, and who gets which answer.
//!
//! A request counts from its admission until its record has ended, and not until its client has gone:
//! what is in the pipeline takes memory and places there, whoever still waits for it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sage_core::service::{Asked, Next, Opening, Reply};
use tokio::sync::{oneshot, watch};

/// See the module.
pub(super) struct Desk {
    state: Mutex<State>,
    /// How far the service is; connections and the listener look at it.
    phase: watch::Sender<Phase>,
}

/// How far a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Nobody takes requests yet.
    Starting,
    /// Requests are taken in.
    Open,
    /// As many as may ever come have come; others are told so.
    Sated,
    /// Those that are in are answered.
    Draining,
    /// Nobody answers any more.
    Ended,
}

struct State {
    phase: Phase,
    capacity: usize,
    /// Number of the next request.
    number: u64,
    /// Requests that may still come in.
    left: u64,
    wake: Option<Box<dyn Fn() + Send + Sync>>,
    note: Option<Box<dyn Fn(u64) -> std::io::Result<()> + Send + Sync>>,
    /// Admitted, and not handed to the dataflow.
    queue: VecDeque<Asked>,
    /// Everything in the pipeline, with who waits for it.
    inside: HashMap<u64, Inside>,
    /// What a request takes, smoothed, for those that are told when to come again.
    usual: Duration,
}

struct Inside {
    since: Instant,
    waits: oneshot::Sender<Reply>,
}

/// Why a request is not taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// As many as may be are in the pipeline; come again after this.
    Full(Duration),
    /// The service has not begun, or is ending.
    Closed(Phase),
    /// That it came cannot be written down, for this reason.
    Unnoted(String),
}

/// Bounds of what a client is told to wait.
const COME_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

impl Desk {
    /// For so many requests at once.
    pub(super) fn new(capacity: usize) -> Self {
        let state = State {
            phase: Phase::Starting,
            capacity: capacity.max(1),
            number: 0,
            left: u64::MAX,
            wake: None,
            note: None,
            queue: VecDeque::new(),
            inside: HashMap::new(),
            usual: Duration::ZERO,
        };
        Desk { state: Mutex::new(state), phase: watch::channel(Phase::Starting).0 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far it is, now and later.
    pub(super) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    fn enter(&self, state: &mut State, phase: Phase) {
        if state.phase < phase {
            state.phase = phase;
            self.phase.send_replace(phase);
        }
        if phase >= Phase::Sated
            && let Some(wake) = &state.wake
        {
            wake();
        }
    }

    pub(super) fn open(&self, opening: Opening) {
        let mut state = self.state();
        state.number = opening.first;
        state.left = opening.most.unwrap_or(u64::MAX);
        state.wake = Some(opening.wake);
        state.note = Some(opening.note);
        let phase = if state.left == 0 { Phase::Sated } else { Phase::Open };
        self.enter(&mut state, phase);
    }

    pub(super) fn close(&self) {
        self.enter(&mut self.state(), Phase::Draining);
    }

    /// Nobody will answer any more; those that wait see that.
    pub(super) fn end(&self) {
        let mut state = self.state();
        self.enter(&mut state, Phase::Ended);
        state.queue.clear();
        state.inside.clear();
        state.wake = None;
    }

    /// Whether a request that comes now would be taken in.
    pub(super) fn admits(&self) -> Result<(), Refused> {
        self.state().admits()
    }

    /// Number of the request that is taken in next.
    pub(super) fn upcoming(&self) -> u64 {
        self.state().number
    }

    /// Take a request in; its number, and the answer to wait for.
    pub(super) fn admit(
        &self,
        row: Vec<u8>,
        now: Instant,
    ) -> Result<(u64, oneshot::Receiver<Reply>), Refused> {
        let mut state = self.state();
        state.admits()?;
        let number = state.number;
        if let Some(note) = &state.note {
            note(number + 1).map_err(|error| Refused::Unnoted(error.to_string()))?;
        }
        state.number += 1;
        state.left -= 1;
        let (waits, answer) = oneshot::channel();
        state.inside.insert(number, Inside { since: now, waits });
        state.queue.push_back(Asked { number, row });
        if let Some(wake) = &state.wake {
            wake();
        }
        if state.left == 0 {
            self.enter(&mut state, Phase::Sated);
        }
        Ok((number, answer))
    }

    pub(super) fn next(&self) -> Next {
        let mut state = self.state();
        match state.queue.pop_front() {
            Some(asked) => Next::Request(asked),
            None if state.phase >= Phase::Sated => Next::Ended,
            None => Next::Nothing,
        }
    }

    pub(super) fn answer(&self, number: u64, reply: Reply) {
        let mut state = self.state();
        let Some(inside) = state.inside.remove(&number) else { return };
        let took = inside.since.elapsed();
        state.usual = if state.usual.is_zero() { took } else { (state.usual * 7 + took) / 8 };
        drop(state);
        // Whoever has gone needs no answer.
        let _ = inside.waits.send(reply);
    }

    /// Requests in the pipeline, and how many there may be.
    pub(super) fn load(&self) -> (usize, usize) {
        let state = self.state();
        (state.inside.len(), state.capacity)
    }
}

impl State {
    fn admits(&self) -> Result<(), Refused> {
        if self.phase != Phase::Open {
            return Err(Refused::Closed(self.phase));
        }
        if self.inside.len() >= self.capacity {
            let (least, most) = COME_AGAIN;
            return Err(Refused::Full(self.usual.clamp(least, most)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn opened(capacity: usize, most: Option<u64>) -> (Desk, Arc<AtomicUsize>) {
        let desk = Desk::new(capacity);
        let woken: Arc<AtomicUsize> = Arc::default();
        let counted = Arc::clone(&woken);
        let wake = Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        desk.open(Opening { first: 7, most, note: Box::new(|_| Ok(())), wake });
        (desk, woken)
    }

    #[test]
    fn nobody_comes_in_before_it_is_open_or_while_it_drains() {
        let desk = Desk::new(2);
        let now = Instant::now();
        assert_eq!(desk.admit(vec![], now).unwrap_err(), Refused::Closed(Phase::Starting));
        let (desk, woken) = opened(2, None);
        let (number, _answer) = desk.admit(vec![1], now).unwrap();
        assert_eq!((number, woken.load(Ordering::Relaxed)), (7, 1));
        desk.close();
        assert_eq!(desk.admit(vec![], now).unwrap_err(), Refused::Closed(Phase::Draining));
        // What is in is handed out first.
        assert_eq!(desk.next(), Next::Request(Asked { number: 7, row: vec![1] }));
        assert_eq!(desk.next(), Next::Ended);
        assert!(woken.load(Ordering::Relaxed) >= 2);
    }

    #[test]
    fn a_place_is_free_when_the_record_has_ended_and_not_when_the_client_has_gone() {
        let (desk, _) = opened(2, None);
        let now = Instant::now();
        let (first, answer) = desk.admit(vec![], now).unwrap();
        drop(answer);
        let (_, mut second) = desk.admit(vec![], now).unwrap();
        assert!(matches!(desk.admit(vec![], now), Err(Refused::Full(_))));
        desk.answer(first, Reply::Nothing);
        assert!(desk.admits().is_ok());
        assert!(second.try_recv().is_err());
        desk.answer(first + 1, Reply::Nothing);
        assert_eq!(second.try_recv().unwrap(), Reply::Nothing);
        assert_eq!(desk.load(), (0, 2));
        // Twice, or for somebody who never came, is no mistake.
        desk.answer(first, Reply::Nothing);
        desk.answer(99, Reply::Nothing);
    }

    #[test]
    fn a_number_is_noted_before_it_is_given_out_and_else_not_given() {
        let noted: Arc<Mutex<Vec<u64>>> = Arc::default();
        let (there, desk) = (Arc::clone(&noted), Desk::new(9));
        let note = move |count| {
            let mut noted = there.lock().unwrap();
            noted.push(count);
            if noted.len() == 2 { Err(std::io::Error::other("full")) } else { Ok(()) }
        };
        desk.open(Opening { first: 7, most: None, note: Box::new(note), wake: Box::new(|| ()) });
        let now = Instant::now();
        let numbers: Vec<_> = (0..3).map(|_| desk.admit(vec![], now).map(|it| it.0)).collect();
        assert_eq!(numbers, [Ok(7), Err(Refused::Unnoted("full".into())), Ok(8)]);
        assert_eq!(*noted.lock().unwrap(), [8, 9, 9]);
    }

    #[test]
    fn after_the_last_request_it_takes_no_more_and_those_who_wait_at_the_end_are_told() {
        let (desk, _) = opened(9, Some(1));
        let (_, mut answer) = desk.admit(vec![], Instant::now()).unwrap();
        assert_eq!(desk.admits(), Err(Refused::Closed(Phase::Sated)));
        desk.end();
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}

//! A second try beside one that takes unusually long; the gateway's `hedge.rs`.

use sage_core::hedge::Hedger;

use super::Station;

impl Station {
    /// A second try beside `first` is due.
    pub(super) fn hedge(&mut self, first: u64) {
        let now_ns = self.now_ns;
        let Some(attempt) = self.attempts.get(&first) else { return };
        let (number, at) = (attempt.call, attempt.at);
        let Some(call) = self.calls.get(&number) else { return };
        let (tokens, job, lane, input) = (call.tokens, call.job, call.lane, call.input);
        let Some(taken) = self.paces.rates.take_at_once(tokens, now_ns) else { return };
        let picked = self.look(number, Some(at)).ok();
        let Some(second) = picked.and_then(|picked| self.visit(number, picked)) else {
            self.paces.rates.undo(taken, now_ns);
            return;
        };
        let spent = self.hedger.as_mut().is_some_and(Hedger::try_spend);
        let extra = if spent { self.line.extra(job, lane, input, now_ns) } else { None };
        let Some(extra) = extra else {
            self.paces.rates.undo(taken, now_ns);
            self.abandon(second);
            return;
        };
        if let Some(attempt) = self.attempts.get_mut(&second) {
            attempt.taken = Some(taken);
        }
        if let Some(call) = self.calls.get_mut(&number) {
            call.hedges += 1;
            call.beside = Some((second, extra));
        }
        self.stats.attempts += 1;
        self.books.count(job, |job| job.attempts += 1);
        self.launch(second);
    }

    /// A try has come out as the one that counts: the one beside it is cut off.
    pub(super) fn settle_race(&mut self, number: u64, winner: u64) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Some((second, extra)) = call.beside.take() else { return };
        let loser = if winner == second { call.attempt.replace(second) } else { Some(second) };
        let granted = self.line.release(extra, None, self.now_ns);
        self.granted(granted);
        if let Some(loser) = loser {
            self.abandon(loser);
        }
    }

    /// The try beside the failed `attempt`, if that goes on.
    pub(super) fn goes_on_beside(&self, attempt: u64) -> Option<u64> {
        let call = self.calls.get(&self.attempts.get(&attempt)?.call)?;
        let (second, _) = call.beside?;
        let other = if attempt == second { call.attempt? } else { second };
        self.attempts.get(&other).filter(|other| !other.failed).map(|_| other)
    }

    /// A try is cut off, and its server hears nothing of how it ended. What it has used is not
    /// known: its part of the rates stays taken.
    pub(super) fn abandon(&mut self, number: u64) {
        let now_ns = self.now_ns;
        let Some(mut attempt) = self.attempts.remove(&number) else { return };
        if attempt.running {
            let server = &mut self.servers[attempt.at];
            server.cut_off((number, &attempt), &mut self.agenda, now_ns);
        }
        self.paces.settle(attempt.taken.take(), None, now_ns);
        self.end_visit(&attempt);
    }
}

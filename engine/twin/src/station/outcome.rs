//! How tries and calls end; the gateway's `target/visit.rs` and the ends of `forward.rs`.

use sage_core::endpoint::ErrorClass;
use sage_core::limiter::Sample;
use sage_core::upstream::{Failed, News, Repeat, Tries, shortest_hold_ns};

use super::agenda::Event;
use super::call::{Attempt, Phase};
use super::server::All;
use super::{Reply, Station};

impl Station {
    /// A server has answered `number` whole and with success.
    pub(super) fn succeeded(&mut self, number: u64) {
        let now_ns = self.now_ns;
        let Some(attempt) = self.attempts.get(&number) else { return };
        let call_number = attempt.call;
        self.settle_race(call_number, number);
        self.credit(call_number);
        let Some(mut attempt) = self.attempts.remove(&number) else { return };
        let Some(call) = self.calls.get(&call_number) else { return };
        let (mut input_tokens, mut output_tokens) = (0, 0);
        for &(prompt, answer) in &attempt.answers {
            input_tokens += u64::from(prompt);
            output_tokens += u64::from(answer);
        }
        let total = input_tokens + output_tokens;
        let used = if total > 0 { total as f64 } else { call.tokens };
        self.paces.settle(attempt.taken.take(), Some(used), now_ns);
        // The permit first: a limiter that steers sees the place free.
        let answers = std::mem::take(&mut attempt.answers);
        self.leave(call_number, Ok(answers), attempt.first_token_ns);
        let latency_ns = now_ns - attempt.begun_ns;
        let health = &mut self.servers[attempt.at].health;
        health.succeeded();
        if let Some(hedger) = &mut self.hedger {
            hedger.observe(latency_ns);
        }
        if health.is_auto() {
            let in_flight = attempt.in_flight;
            let sample = Sample { latency_ns, input_tokens, output_tokens, in_flight };
            self.steer(attempt.at, News::Completed(sample));
        }
        let effect = self.servers[attempt.at].health.answers();
        attempt.reported = true;
        self.pass_on(effect);
        self.end_visit(&attempt);
    }

    /// A server has failed `number`.
    pub(super) fn failed(&mut self, number: u64, failed: Failed) {
        let now_ns = self.now_ns;
        if self.goes_on_beside(number).is_some() {
            if let Some(attempt) = self.attempts.get_mut(&number) {
                attempt.failed = true;
            }
            return;
        }
        let Some(attempt) = self.attempts.get(&number) else { return };
        let call_number = attempt.call;
        self.settle_race(call_number, number);
        self.credit(call_number);
        let Some(mut attempt) = self.attempts.remove(&number) else { return };
        let taken = attempt.taken.take();
        attempt.reported = true;
        self.blame(&attempt, failed);
        self.end_visit(&attempt);
        self.paces.settle(taken, Some(0.0), now_ns);
        let Some(call) = self.calls.get_mut(&call_number) else { return };
        call.attempt = None;
        call.shunned.failed(attempt.at);
        call.last = Some(failed.class);
        if failed.is_shed() {
            call.sheds += 1;
            let until_ns = now_ns.saturating_add(failed.retry_after_ns.unwrap_or(0));
            call.shunned.refused(attempt.at, until_ns);
        }
        match self.backoff(call_number, attempt.at, failed) {
            None => self.leave(call_number, Err(failed.class), None),
            Some(delay_ns) => self.pause(call_number, delay_ns),
        }
    }

    /// A call gives its permit back and tries again later.
    fn pause(&mut self, number: u64, delay_ns: u64) {
        let now_ns = self.now_ns;
        let Some(call) = self.calls.get_mut(&number) else { return };
        let at_ns = now_ns.saturating_add(delay_ns);
        call.phase = Phase::Backoff(at_ns);
        self.books.lets_go(call.job);
        self.agenda.plan(at_ns, Event::Retry { call: number });
        let granted = self.line.pause(call.ticket, now_ns);
        self.granted(granted);
    }

    /// A call's first try is over, and earns its part of a retry.
    fn credit(&mut self, number: u64) {
        if let Some(call) = self.calls.get_mut(&number)
            && !std::mem::replace(&mut call.credited, true)
        {
            self.budget.on_call();
        }
    }

    /// What a failure says of its server.
    fn blame(&mut self, attempt: &Attempt, failed: Failed) {
        let &Attempt { at, trial, .. } = attempt;
        let health = &mut self.servers[at].health;
        let effect = health.failed(failed, trial, self.now_ns, &mut self.rng);
        self.pass_on(effect);
        self.steer(at, News::Nothing);
    }

    /// How long to wait before the next try after server `at` failed one; `None` is to give up.
    fn backoff(&mut self, number: u64, at: usize, failed: Failed) -> Option<u64> {
        let now_ns = self.now_ns;
        let call = self.calls.get(&number)?;
        let tries = Tries { made: call.tries + call.hedges, shed: call.sheds };
        let left_ns = call.deadline_ns.saturating_sub(now_ns);
        let held_ns = shortest_hold_ns(&mut All(&mut self.servers), &call.shunned, now_ns);
        let down = self.servers[at].health.is_down();
        let repeat = Repeat { failed, tries, held_ns, down, left_ns };
        repeat.delay_ns(&self.retry, &mut self.budget, now_ns, &mut self.rng)
    }

    /// The time of a call has ended.
    pub(super) fn expire(&mut self, number: u64) {
        let Some(call) = self.calls.get(&number) else { return };
        let (phase, last) = (call.phase, call.last);
        if phase == Phase::Upstream
            && let Some(first) = call.attempt
        {
            self.timed_out(first);
        }
        self.drop_tries(number);
        let class = match phase {
            Phase::Down => last.unwrap_or_else(|| self.outage()),
            _ => ErrorClass::Timeout,
        };
        self.leave(number, Err(class), None);
    }

    /// The time of a call has ended while a server had it. Whether that says something of the server
    /// is for its health to judge; if not, the try ends without news.
    fn timed_out(&mut self, number: u64) {
        let now_ns = self.now_ns;
        let Some(attempt) = self.attempts.get_mut(&number) else { return };
        let at = attempt.at;
        let silence = (now_ns.saturating_sub(attempt.sent_ns), self.line.usual());
        let health = &mut self.servers[at].health;
        let effect = health.timed_out(silence, attempt.trial, now_ns, &mut self.rng);
        let Some(effect) = effect else { return };
        attempt.reported = true;
        self.pass_on(effect);
        self.steer(at, News::Nothing);
    }

    /// A call's tries are cut off, and it stands in no line of a rate any more.
    pub(super) fn drop_tries(&mut self, number: u64) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let (phase, first, beside) = (call.phase, call.attempt.take(), call.beside.take());
        if let Some((second, extra)) = beside {
            let granted = self.line.release(extra, None, self.now_ns);
            self.granted(granted);
            self.abandon(second);
        }
        if let Some(first) = first {
            self.abandon(first);
        }
        match phase {
            Phase::Down => self.seeks_no_more(number),
            Phase::Rate => self.leave_rates(number),
            Phase::Line | Phase::Upstream | Phase::Backoff(_) => {}
        }
    }

    /// A call is over.
    pub(super) fn leave(
        &mut self,
        number: u64,
        result: Result<Vec<(u32, u32)>, ErrorClass>,
        first_token_ns: Option<u64>,
    ) {
        let now_ns = self.now_ns;
        let Some(call) = self.calls.remove(&number) else { return };
        self.ids.remove(&call.id);
        self.deadlines.remove(&(call.deadline_ns, number));
        let (mut prompt, mut completion) = (0, 0);
        for &(input, output) in result.iter().flatten() {
            prompt += u64::from(input);
            completion += u64::from(output);
        }
        // A server that counts no tokens is believed to have used what was expected.
        let cost = (prompt + completion > 0).then(|| {
            let input = if prompt > 0 { prompt as f64 } else { call.input };
            self.line.learn(call.key, input, completion as f64)
        });
        if !matches!(call.phase, Phase::Line | Phase::Backoff(_)) {
            self.books.lets_go(call.job);
        }
        let granted = match call.phase {
            Phase::Backoff(_) => {
                self.line.forget(call.ticket);
                Vec::new()
            }
            Phase::Line => self.line.go_away(call.ticket, now_ns),
            _ => self.line.release(call.ticket, cost, now_ns),
        };
        self.granted(granted);
        if result.is_ok() {
            self.line.served(now_ns - call.held_ns);
            self.stats.ok += 1;
            self.stats.prompt_tokens += prompt;
            self.stats.completion_tokens += completion;
            self.books.count(call.job, |job| {
                job.ok += 1;
                job.prompt_tokens += prompt;
                job.completion_tokens += completion;
            });
        } else {
            self.stats.errors += 1;
            self.books.count(call.job, |job| job.errors += 1);
        }
        if result == Err(ErrorClass::Cancelled) {
            return;
        }
        let attempts = call.tries + call.hedges;
        self.replies.push_back(Reply {
            id: call.id,
            at_ns: now_ns,
            result,
            attempts,
            first_token_ns,
        });
    }
}

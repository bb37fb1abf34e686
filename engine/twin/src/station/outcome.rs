//! How tries and calls end; the gateway's `target/visit.rs` and the ends of `forward.rs`.

use sage_core::endpoint::ErrorClass;
use sage_core::limiter::{Overload, Sample};
use sage_core::retry::{Disposition, Failure};

use super::agenda::Event;
use super::call::{Attempt, Failed, Phase};
use super::health::News;
use super::settings::{LEAST_LONG_NS, LONG_FACTOR, LONG_NS, SHED_FACTOR};
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
        self.paces.settle(std::mem::take(&mut attempt.taken), Some(used), now_ns);
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
        self.took(attempt.at);
        self.reached(attempt.at);
        self.end_visit(&attempt, true);
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
        let taken = std::mem::take(&mut attempt.taken);
        self.blame(&attempt, failed);
        self.end_visit(&attempt, true);
        self.paces.settle(taken, Some(0.0), now_ns);
        let Some(call) = self.calls.get_mut(&call_number) else { return };
        call.attempt = None;
        call.shunned.last = Some(attempt.at);
        call.last = Some(failed.class);
        if failed.disposition() == Disposition::Shed {
            call.sheds += 1;
            let until_ns = now_ns.saturating_add(failed.retry_after_ns.unwrap_or(0));
            call.shunned.refused(attempt.at, until_ns);
        }
        match self.backoff(call_number, failed) {
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
        let (at, now_ns) = (attempt.at, self.now_ns);
        let shed = failed.disposition() == Disposition::Shed;
        let health = &mut self.servers[at].health;
        if shed {
            let retry_after_ns = failed.retry_after_ns;
            health.refused(retry_after_ns.unwrap_or(0), now_ns);
            health.overloaded(Overload::Throttled { retry_after_ns }, now_ns);
        } else {
            self.took(at);
        }
        // A server that says when to come back works, and so does one that finds fault with a call.
        let works = match failed.class {
            ErrorClass::Server => shed && failed.retry_after_ns.is_some(),
            _ => true,
        };
        if works {
            self.reached(at);
        } else {
            if !shed {
                self.servers[at].health.overloaded(Overload::Failed, now_ns);
            }
            self.came_to_nothing(at, attempt.trial);
        }
        self.steer(at, News::Nothing);
    }

    /// A server took a call, or found fault with it.
    fn took(&mut self, at: usize) {
        if self.servers[at].health.took() {
            self.news();
        }
    }

    /// A server has answered something.
    fn reached(&mut self, at: usize) {
        if self.servers[at].health.reached() {
            self.adjust();
            self.news();
        }
    }

    fn came_to_nothing(&mut self, at: usize, trial: bool) {
        if self.servers[at].health.came_to_nothing(trial, self.now_ns, &mut self.rng) {
            self.adjust();
        }
        self.news();
    }

    /// How long to wait before the next try; `None` is to give up.
    fn backoff(&mut self, number: u64, failed: Failed) -> Option<u64> {
        let now_ns = self.now_ns;
        let call = self.calls.get(&number)?;
        let (shed, max) = (failed.disposition() == Disposition::Shed, self.retry.max);
        let attempt = match failed.disposition() {
            Disposition::Terminal => return None,
            Disposition::Shed if call.sheds > max.saturating_mul(SHED_FACTOR) => return None,
            Disposition::Shed => call.sheds.min(max),
            Disposition::Retry => (call.tries + call.hedges).saturating_sub(call.sheds),
        };
        let left_ns = call.deadline_ns.saturating_sub(now_ns);
        // What a server asked for concerns that server; another one may be asked at once.
        let servers = self.servers.iter().enumerate();
        let waits = servers
            .map(|(i, server)| server.health.held_ns(now_ns).max(call.shunned.wait(i, now_ns)));
        let held_ns = waits.min().unwrap_or(0);
        let failure = Failure { class: failed.class, retry_after_ns: Some(held_ns) };
        let delay_ns = self.retry.next_delay(attempt, failure, left_ns, &mut self.rng)?;
        let budgeted_ns = if shed { 0 } else { self.budget.reserve(now_ns, left_ns)? };
        Some(delay_ns.max(budgeted_ns)).filter(|&delay_ns| delay_ns < left_ns)
    }

    /// The time of a call has ended.
    pub(super) fn expire(&mut self, number: u64) {
        let Some(call) = self.calls.get(&number) else { return };
        let (phase, last) = (call.phase, call.last);
        let sent = call.attempt.and_then(|number| self.attempts.get(&number));
        let sent = sent.map(|attempt| (attempt.at, attempt.sent_ns));
        self.drop_tries(number);
        let class = match phase {
            Phase::Down => last.unwrap_or_else(|| self.outage()),
            _ => ErrorClass::Timeout,
        };
        if let (Phase::Upstream, Some((at, sent_ns))) = (phase, sent) {
            self.timed_out(at, self.now_ns.saturating_sub(sent_ns));
        }
        self.leave(number, Err(class), None);
    }

    /// That says something of the server only if it was long: a client in a hurry must not close it
    /// for the others.
    fn timed_out(&mut self, at: usize, after_ns: u64) {
        let usual_ns = self.line.service_s().map(|usual_s| usual_s * LONG_FACTOR * 1e9);
        if after_ns < usual_ns.map_or(LONG_NS, |usual_ns| (usual_ns as u64).max(LEAST_LONG_NS)) {
            return;
        }
        self.servers[at].health.overloaded(Overload::Failed, self.now_ns);
        self.came_to_nothing(at, true);
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
            Phase::Rate(_) => {
                if let Some(rate) = self.paces.leave(number) {
                    self.turn(rate);
                }
            }
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
        } else {
            self.stats.errors += 1;
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

//! One server: what is known of it, and what answers there.

use sage_core::limiter::{LimiterConfig, ServerLoad};
use sage_core::upstream::settings::MAX_TEXTS;
use sage_core::upstream::{Health, Servers};
use sage_core::vllm::Request;

use crate::model::{ServerKind, ServerModel, Work};

use super::agenda::{Agenda, Event};
use super::call::{Attempt, ITEM_BITS, Kind};
use super::engines::{Generator, Texts};
use super::places::Places;
use super::poll::Poll;

/// See the module.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) health: Health,
    pub(super) backend: Backend,
    pub(super) poll: Poll,
}

/// What answers.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one for a server")]
pub(super) enum Backend {
    Vllm {
        generator: Generator,
        texts: Texts,
    },
    /// Calls have places; the time of one is fixed or in the work.
    Places {
        places: Places,
        fixed_ns: Option<u64>,
        speed: f64,
    },
}

/// The server finds fault with a call.
#[derive(Debug)]
pub(super) struct Refused;

impl Server {
    pub(super) fn new(model: &ServerModel, limiter: Option<LimiterConfig>) -> Self {
        let speed = model.speed;
        let places =
            |places, fixed_ns| Backend::Places { places: Places::new(places), fixed_ns, speed };
        let backend = match &model.kind {
            ServerKind::Vllm { generator, embedder } => Backend::Vllm {
                generator: Generator::new(generator, speed),
                texts: Texts::new(embedder, speed),
            },
            ServerKind::Fixed { service_ns } => places(None, Some(*service_ns)),
            ServerKind::Queue { servers } => places(Some(*servers), None),
        };
        Server { health: Health::new(limiter), backend, poll: Poll::default() }
    }

    /// Start what `attempt` asks for; `at` is the server's position.
    pub(super) fn start(
        &mut self,
        (number, attempt): (u64, &Attempt),
        items: &[Work],
        agenda: &mut Agenda,
        now_ns: u64,
    ) -> Result<(), Refused> {
        let server = attempt.at;
        match &mut self.backend {
            Backend::Places { places, fixed_ns, speed } => {
                let service_ns = fixed_ns.unwrap_or_else(|| items.iter().map(service_ns).sum());
                let service_ns = (service_ns as f64 / *speed).round() as u64;
                if let Some(at_ns) = places.start(number, service_ns, now_ns) {
                    agenda.plan(at_ns, Event::Served { attempt: number });
                }
            }
            Backend::Vllm { generator, texts } => {
                check(items, generator, texts)?;
                for (item, work) in (number << ITEM_BITS..).zip(items) {
                    match work {
                        Work::Embed { tokens } => {
                            if texts.submit(item, *tokens, now_ns) {
                                agenda.plan(now_ns, Event::Embedded { server });
                            }
                        }
                        Work::Generate { prompt_tokens, blocks, max_tokens, target_tokens } => {
                            let request = Request {
                                id: item,
                                prompt_tokens: *prompt_tokens,
                                blocks: blocks.to_vec(),
                                max_tokens: *max_tokens,
                                target_tokens: *target_tokens,
                                priority: 0,
                            };
                            // One item that can never run fails the whole call.
                            let woken = generator.submit(request, now_ns).map_err(|_| Refused)?;
                            if woken {
                                agenda.plan(now_ns, Event::Generated { server });
                            }
                        }
                        Work::None | Work::Cpu(_) | Work::Drawn(_) | Work::Wait(_) => {
                            return Err(Refused);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Cut a try off.
    pub(super) fn cut_off(
        &mut self,
        (number, attempt): (u64, &Attempt),
        agenda: &mut Agenda,
        now_ns: u64,
    ) {
        let items = (number << ITEM_BITS..).zip(&attempt.answers);
        match (&mut self.backend, attempt.kind) {
            (Backend::Places { places, .. }, _) => {
                if let Some((next, at_ns)) = places.end(number, now_ns) {
                    agenda.plan(at_ns, Event::Served { attempt: next });
                }
            }
            (Backend::Vllm { texts, .. }, Kind::Embed) => {
                items.for_each(|(item, _)| texts.leave(item));
            }
            (Backend::Vllm { generator, .. }, _) => {
                let open = items.filter(|(_, (_, produced))| *produced == 0);
                open.for_each(|(item, _)| generator.leave(item));
            }
        }
    }

    /// What is known of the answers to `items` before they are there.
    pub(super) fn answers(&self, items: &[Work]) -> Vec<(u32, u32)> {
        let known = items.iter().map(usage);
        match &self.backend {
            Backend::Places { .. } => known.collect(),
            Backend::Vllm { .. } => known.map(|(prompt, _)| (prompt, 0)).collect(),
        }
    }

    /// What its metrics say, if it has any.
    pub(super) fn load(&self) -> Option<ServerLoad> {
        match &self.backend {
            Backend::Vllm { generator, .. } => Some(generator.load()),
            Backend::Places { .. } => None,
        }
    }

    /// Time during which it computed.
    pub(super) fn busy_ns(&self) -> u64 {
        match &self.backend {
            Backend::Vllm { generator, texts } => generator.busy_ns() + texts.busy_ns(),
            Backend::Places { places, .. } => places.busy_ns(),
        }
    }
}

/// All servers of an endpoint.
#[derive(Debug)]
pub(super) struct All<'a>(pub(super) &'a mut [Server]);

impl Servers for All<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn with<R>(&mut self, at: usize, look: impl FnOnce(&mut Health) -> R) -> R {
        look(&mut self.0[at].health)
    }
}

/// What the API server of a simulated server looks at before anything runs.
fn check(items: &[Work], generator: &Generator, texts: &Texts) -> Result<(), Refused> {
    let fits = items.iter().all(|item| match item {
        Work::Embed { tokens } => items.len() <= MAX_TEXTS && texts.fits(*tokens),
        Work::Generate { prompt_tokens, max_tokens, .. } => {
            generator.fits(*prompt_tokens, *max_tokens)
        }
        Work::None | Work::Cpu(_) | Work::Drawn(_) | Work::Wait(_) => false,
    });
    if fits { Ok(()) } else { Err(Refused) }
}

/// Time of one item at a place, nanoseconds.
fn service_ns(work: &Work) -> u64 {
    const TOKEN_NS: u64 = 1_000_000;
    match work {
        Work::None => 0,
        Work::Cpu(ns) | Work::Wait(ns) => *ns,
        // Refused by the check of the model: nothing that calls computes.
        Work::Drawn(drawn) => drawn.mean_ns(),
        Work::Embed { .. } | Work::Generate { .. } => {
            let (prompt, answer) = usage(work);
            (u64::from(prompt) + u64::from(answer)) * TOKEN_NS
        }
    }
}

/// Prompt and generated tokens of an item that is answered without a model.
fn usage(work: &Work) -> (u32, u32) {
    match work {
        Work::None | Work::Cpu(_) | Work::Drawn(_) | Work::Wait(_) => (0, 0),
        Work::Embed { tokens } => (*tokens, 0),
        Work::Generate { prompt_tokens, max_tokens, target_tokens, .. } => {
            (*prompt_tokens, (*max_tokens).min(*target_tokens).max(1))
        }
    }
}

//! One body of checks, two arms: the gateway and the simulator between real sockets, and the twin's
//! station in virtual time. Both are made of the same decisions; here they are asked the same and
//! must answer the same.
//!
//! What both arms decide is compared exactly: answers, tokens, tries, refusals, most calls at once.
//! The order of the answers and the time they take also depend on the machine under the live arm. The
//! order is compared within bounds; the time is only held against what is possible, and printed.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail and print")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{TOKEN, call, gateway_of, until};
use sage_core::endpoint::{
    Answer, Call, CallOutcome, Completion, Endpoint, ErrorClass, GenerateOptions, Lane, Request,
};
use sage_core::fair::Share;
use sage_core::vllm::{Profile, embedder, profile, tokens};
use sage_dsl::plan::RetryPlan;
use sage_llm::client::{Client, ClientConfig, EndpointTarget};
use sage_llm::gateway::{Concurrency, GatewayConfig, JobShares, Upstream};
use sage_llm::simulator::{Faults, SimulatorConfig, serve};
use sage_twin::model::{EndpointModel, ServerKind, ServerModel, Work};
use sage_twin::station::{Reply, Station, StationCall};
use tokio::net::TcpListener;

/// One of the simulator's embedding models.
const EMBEDDER: &str = "BAAI/bge-small-en-v1.5";

/// One call.
#[derive(Debug, Clone)]
struct Ask {
    job: usize,
    lane: Lane,
    what: What,
    timeout: Duration,
    /// Made only when so many calls have come to the gateway.
    after: u64,
}

#[derive(Debug, Clone)]
enum What {
    /// Answers of so many tokens to these prompts.
    Prompts(Vec<String>, u32),
    /// Vectors for these texts.
    Texts(Vec<String>),
}

impl Ask {
    fn new(job: usize, what: What) -> Ask {
        let (lane, timeout) = (Lane::Normal, Duration::from_secs(300));
        Ask { job, lane, what, timeout, after: 0 }
    }

    fn prompt(job: usize, words: usize, max_tokens: u32, salt: usize) -> Ask {
        Ask::new(job, What::Prompts(vec![text(words, salt)], max_tokens))
    }
}

/// A text of `words` words whose first ones tell it from others.
fn text(words: usize, salt: usize) -> String {
    let word = |n: usize| format!("word{}", (n * 7 + salt * 131) % 977);
    (0..words).map(word).collect::<Vec<_>>().join(" ")
}

/// An endpoint, and what is asked of it.
#[derive(Debug, Clone)]
struct Scenario {
    profile: Profile,
    servers: usize,
    speed: f64,
    /// `None` is `auto`.
    concurrency: Option<u32>,
    queue: u32,
    shares: Vec<f64>,
    fair: bool,
    retry: RetryPlan,
    /// Every try fails with 500.
    broken: bool,
    asks: Vec<Ask>,
    /// The run is over when so many calls are answered.
    enough: usize,
}

impl Scenario {
    fn new(speed: f64, concurrency: u32, asks: Vec<Ask>) -> Scenario {
        Scenario {
            profile: profile("a100/qwen2.5-7b").unwrap().clone(),
            servers: 1,
            speed,
            concurrency: Some(concurrency),
            queue: 10_000,
            shares: vec![1.0, 1.0],
            fair: true,
            retry: RetryPlan::default(),
            broken: false,
            enough: asks.len(),
            asks,
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
struct End {
    /// Prompt and generated tokens, or the class of the failure.
    result: Result<(u64, u64), ErrorClass>,
    attempts: u32,
}

/// What one arm did.
#[derive(Debug)]
struct Seen {
    /// By call; `None` while it is open.
    ends: Vec<Option<End>>,
    /// Calls as they ended.
    order: Vec<usize>,
    calls: u64,
    ok: u64,
    errors: u64,
    attempts: u64,
    retries: u64,
    max_in_flight: u64,
    limit: u32,
    prompt_tokens: u64,
    completion_tokens: u64,
    /// From the first call to the last end.
    seconds: f64,
}

impl Seen {
    /// Calls of `job` among the first half that ended.
    fn in_first_half(&self, asks: &[Ask], job: usize) -> usize {
        let half = &self.order[..self.order.len() / 2];
        half.iter().filter(|&&call| asks[call].job == job).count()
    }
}

/// The gateway and the simulator, with clients and sockets.
async fn live(scenario: &Scenario) -> Seen {
    let mut urls = Vec::new();
    for seed in 0..scenario.servers {
        let mut config = SimulatorConfig::new(&scenario.profile);
        config.speed = scenario.speed;
        config.seed = seed as u64;
        if scenario.broken {
            config.fault = Faults::parse("status_500=100%").unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        urls.push(format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(serve(config, listener, std::future::pending()));
    }
    let (url, model) = (urls.remove(0), &*scenario.profile.model);
    let upstream = Upstream {
        replicas: urls,
        concurrency: scenario
            .concurrency
            .map_or(Concurrency::Auto { max: 256, latency_target: None }, Concurrency::Fixed),
        queue: scenario.queue,
        retry: scenario.retry.into(),
        retry_budget: scenario.retry.budget,
        ..Upstream::new("e", url, model)
    };
    let job = |job: usize| format!("job{job}");
    let share = |(at, &weight): (usize, &f64)| (job(at), Share { weight, reserve: 0 });
    let shares = scenario.shares.iter().enumerate().map(share).collect();
    let (gateway, stats) = gateway_of(GatewayConfig {
        upstreams: vec![upstream],
        token: Some(TOKEN.into()),
        jobs: JobShares { shares, one_line: !scenario.fair },
        ..GatewayConfig::default()
    })
    .await;
    let clients: Vec<Client> =
        (0..scenario.shares.len()).map(|at| client(&gateway, job(at), model)).collect();
    let began = Instant::now();
    let (tell, ends) = std::sync::mpsc::channel();
    let count = Arc::new(AtomicUsize::new(0));
    for (at, ask) in scenario.asks.iter().enumerate() {
        until(|| stats.snapshot().endpoints[0].total.calls >= ask.after).await;
        let request = match &ask.what {
            What::Prompts(prompts, max_tokens) => Request::Generate {
                prompts: prompts.clone(),
                options: GenerateOptions {
                    max_tokens: *max_tokens,
                    chat: false,
                    ..GenerateOptions::default()
                },
            },
            What::Texts(texts) => Request::Embed { texts: texts.clone() },
        };
        let records = (0..request.len() as u64).map(|item| (at as u64) << 32 | item).collect();
        let endpoint = usize::from(matches!(ask.what, What::Texts(_)));
        let one = Call { endpoint, lane: ask.lane, records, ..call(request, ask.timeout) };
        let (tell, count) = (tell.clone(), Arc::clone(&count));
        let told = Completion::new(move |outcome| {
            let _ = tell.send((at, began.elapsed(), outcome));
            count.fetch_add(1, Ordering::SeqCst);
        });
        clients[ask.job].submit(one, told);
    }
    until_long(|| count.load(Ordering::SeqCst) >= scenario.enough).await;
    let mut seen = seen(scenario.asks.len());
    for (at, after, outcome) in ends.try_iter() {
        seen.seconds = after.as_secs_f64();
        seen.order.push(at);
        seen.ends[at] = Some(end(outcome));
    }
    let endpoint = stats.snapshot().endpoints[0].clone();
    let total = endpoint.total;
    Seen {
        calls: total.calls,
        ok: total.ok,
        errors: total.errors.sum(),
        attempts: total.attempts,
        retries: total.retries,
        max_in_flight: total.max_in_flight,
        limit: endpoint.limit,
        prompt_tokens: total.prompt_tokens,
        completion_tokens: total.completion_tokens,
        ..seen
    }
}

/// A worker of `job`. The endpoint serves two models, so it is two of the plan's.
fn client(gateway: &str, job: String, model: &str) -> Client {
    let endpoint = |model: &str| EndpointTarget { name: "e".into(), model: model.into() };
    Client::new(ClientConfig {
        gateway: gateway.into(),
        tls: None,
        token: TOKEN.into(),
        job,
        worker: 0,
        endpoints: vec![endpoint(model), endpoint(EMBEDDER)],
        max_in_flight: 200,
    })
    .unwrap()
}

fn seen(calls: usize) -> Seen {
    Seen {
        ends: vec![None; calls],
        order: Vec::new(),
        calls: 0,
        ok: 0,
        errors: 0,
        attempts: 0,
        retries: 0,
        max_in_flight: 0,
        limit: 0,
        prompt_tokens: 0,
        completion_tokens: 0,
        seconds: 0.0,
    }
}

fn end(outcome: CallOutcome) -> End {
    let tokens = outcome.result.map_err(|error| error.class).map(|answer| match answer {
        Answer::Embedded { tokens, .. } => (tokens, 0),
        Answer::Generated(texts) => texts.iter().fold((0, 0), |(prompt, answer), text| {
            (prompt + text.prompt_tokens, answer + text.completion_tokens)
        }),
    });
    End { result: tokens, attempts: outcome.attempts }
}

/// Wait until `condition` holds, however busy the machine is.
async fn until_long(mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(120), "the condition never held");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The station, with a caller that costs nothing.
fn twin(scenario: &Scenario) -> Seen {
    let kind = ServerKind::Vllm {
        generator: Box::new(scenario.profile.clone()),
        embedder: *embedder(EMBEDDER).unwrap(),
    };
    let model = EndpointModel {
        name: "e".into(),
        servers: vec![ServerModel { kind, speed: scenario.speed }; scenario.servers],
        affinity: false,
        concurrency: scenario.concurrency,
        concurrency_max: 256,
        latency_target_ns: None,
        queue: scenario.queue,
        aging_ns: 10_000_000_000,
        fair: scenario.fair,
        retry: scenario.retry,
        hedge: None,
        requests_per_s: None,
        tokens_per_s: None,
        error_share: f64::from(u8::from(scenario.broken)),
    };
    let mut station = Station::new(&model, &scenario.shares, 1).unwrap();
    for (id, ask) in (0..).zip(&scenario.asks) {
        let items = match &ask.what {
            What::Texts(texts) => {
                texts.iter().map(|text| Work::Embed { tokens: tokens::count(text) }).collect()
            }
            What::Prompts(prompts, max_tokens) => prompts
                .iter()
                .map(|prompt| {
                    let prompt = tokens::tokenize(prompt);
                    Work::Generate {
                        prompt_tokens: prompt.len() as u32,
                        blocks: tokens::block_hashes(&prompt, scenario.profile.block_size).into(),
                        max_tokens: *max_tokens,
                        // It has more to say than it may.
                        target_tokens: u32::MAX,
                    }
                })
                .collect(),
        };
        let deadline_ns = ask.timeout.as_nanos() as u64;
        station.submit(
            StationCall { id, job: ask.job, stage: 0, lane: ask.lane, items, deadline_ns },
            0,
        );
    }
    let (mut replies, mut seen): (Vec<Reply>, _) = (Vec::new(), seen(scenario.asks.len()));
    while let Some(now) = station.next_ns().filter(|_| replies.len() < scenario.enough) {
        station.advance(now, &mut replies);
    }
    for Reply { id, at_ns, result, attempts, .. } in replies {
        let result = result.map(|items| {
            items.iter().fold((0, 0), |(prompt, answer), item| {
                (prompt + u64::from(item.0), answer + u64::from(item.1))
            })
        });
        seen.seconds = at_ns as f64 / 1e9;
        seen.order.push(id as usize);
        seen.ends[id as usize] = Some(End { result, attempts });
    }
    let stats = station.stats();
    Seen {
        calls: stats.calls,
        ok: stats.ok,
        errors: stats.errors,
        attempts: stats.attempts,
        retries: stats.retries,
        max_in_flight: stats.max_in_flight,
        limit: stats.limit,
        prompt_tokens: stats.prompt_tokens,
        completion_tokens: stats.completion_tokens,
        ..seen
    }
}

/// Both arms, and that they agree in all that does not depend on time.
async fn both(name: &str, scenario: &Scenario) -> (Seen, Seen) {
    let (live, twin) = (live(scenario).await, twin(scenario));
    let (live_s, twin_s) = (live.seconds, twin.seconds);
    // What is refused at once takes the twin no time.
    let ratio = if twin_s > 0.0 { format!("{:.2}", live_s / twin_s) } else { "none".to_owned() };
    println!("{name}: live (simulated endpoint) {live_s:.3} s, twin {twin_s:.3} s, ratio {ratio}");
    assert_eq!(live.ends, twin.ends, "{name}: left: live, right: twin");
    let counts = |seen: &Seen| {
        let Seen { calls, ok, errors, attempts, retries, .. } = *seen;
        ((calls, ok, errors, attempts, retries), (seen.prompt_tokens, seen.completion_tokens))
    };
    assert_eq!(counts(&live), counts(&twin), "{name}: left: live, right: twin");
    for arm in [&live, &twin] {
        let most = u64::from(scenario.concurrency.unwrap_or(256));
        assert!(arm.max_in_flight <= most, "{name}: {arm:?}");
    }
    assert_eq!(live.calls, live.ok + live.errors + open(&live), "{name}");
    (live, twin)
}

/// Calls that are not answered.
fn open(seen: &Seen) -> u64 {
    seen.ends.iter().filter(|end| end.is_none()).count() as u64
}

/// The live arm cannot be faster than the model it is paced by, but for how its calls happen to meet
/// in steps. How much slower it is says how busy the machine is, and is only printed.
fn live_is_no_faster(live: &Seen, twin: &Seen) {
    assert!(live.seconds > 0.85 * twin.seconds, "{} s and {} s", live.seconds, twin.seconds);
}

/// Calls of two jobs, of unlike lengths, alternately.
fn two_jobs(calls: usize) -> Vec<Ask> {
    let one = |n: usize| Ask::prompt(n % 2, 40 + n % 5 * 30, 12 + n as u32 % 9, n);
    (0..calls).map(one).collect()
}

#[tokio::test]
async fn a_backlog_of_two_jobs_is_worked_off_alike() {
    let mut asks = two_jobs(120);
    // Whose calls get the first places must not be chance.
    (0..).zip(&mut asks[..9]).for_each(|(n, ask)| ask.after = n);
    let scenario = Scenario { shares: vec![1.0, 3.0], ..Scenario::new(4.0, 8, asks) };
    let (live, twin) = both("shares 1:3", &scenario).await;
    for arm in [&live, &twin] {
        assert_eq!((arm.ok, arm.attempts, arm.max_in_flight), (120, 120, 8));
    }
    live_is_no_faster(&live, &twin);
    let (in_live, in_twin) =
        (live.in_first_half(&scenario.asks, 1), twin.in_first_half(&scenario.asks, 1));
    println!("of the first 60 answers {in_live} (live) and {in_twin} (twin) are the second job's");
    assert!((41..=49).contains(&in_twin), "three of four, not {in_twin} of 60");
    assert!(in_live.abs_diff(in_twin) <= 5, "{in_live} (live), {in_twin} (twin)");
}

#[tokio::test]
async fn without_shares_the_order_is_that_of_arrival() {
    let mut asks = two_jobs(64);
    // All of the first job first.
    asks.sort_by_key(|ask| ask.job);
    asks[32..].iter_mut().for_each(|ask| ask.after = 32);
    let shares = vec![1.0, 3.0];
    let scenario = Scenario { fair: false, shares, ..Scenario::new(8.0, 4, asks) };
    let (live, twin) = both("one line", &scenario).await;
    let (in_live, in_twin) =
        (live.in_first_half(&scenario.asks, 1), twin.in_first_half(&scenario.asks, 1));
    assert!(in_twin <= 3, "{in_twin}");
    assert!(in_live <= 6, "{in_live}");
}

#[tokio::test]
async fn several_prompts_and_texts_are_one_call_each() {
    let texts: Vec<String> = (0..9).map(|n| text(20 + n, n)).collect();
    let asks = vec![
        Ask::new(0, What::Prompts((0..5).map(|n| text(30 + n, n)).collect(), 15)),
        Ask::new(1, What::Texts(texts)),
        Ask::prompt(1, 50, 10, 99),
        Ask::new(0, What::Texts(vec![text(3, 1)])),
    ];
    let (live, _) = both("several items", &Scenario::new(8.0, 2, asks)).await;
    assert_eq!((live.ok, live.attempts), (4, 4));
    assert_eq!(live.completion_tokens, 5 * 15 + 10);
}

#[tokio::test]
async fn two_servers_share_a_fixed_limit() {
    let scenario = Scenario { servers: 2, ..Scenario::new(8.0, 6, two_jobs(64)) };
    let (live, twin) = both("two servers", &scenario).await;
    assert_eq!((live.max_in_flight, twin.max_in_flight), (6, 6));
    live_is_no_faster(&live, &twin);
    let half = |arm: &Seen| arm.in_first_half(&scenario.asks, 1);
    let (in_live, in_twin) = (half(&live), half(&twin));
    println!("of the first 32 answers {in_live} (live) and {in_twin} (twin) are the second job's");
    assert!(in_live.abs_diff(in_twin) <= 8, "{in_live} (live), {in_twin} (twin)");
}

#[tokio::test]
async fn a_server_that_fails_is_asked_as_often_as_the_rule_says() {
    // Three calls of three tries are too few to close the server.
    let asks = (0..3).map(|n| Ask::prompt(0, 20, 8, n)).collect();
    let retry = RetryPlan { max: 2, base_ns: 5_000_000, cap_ns: 20_000_000, budget: 0.1 };
    let scenario = Scenario { broken: true, retry, ..Scenario::new(8.0, 4, asks) };
    let (live, _) = both("every try fails", &scenario).await;
    assert_eq!((live.errors, live.attempts, live.retries), (3, 9, 6));
    // A share of none is no retry at all.
    let retry = RetryPlan { budget: 0.0, ..retry };
    let (live, _) = both("no budget", &Scenario { retry, ..scenario }).await;
    assert_eq!((live.errors, live.attempts, live.retries), (3, 3, 0));
}

#[tokio::test]
async fn a_full_line_refuses_alike() {
    // So slow that the first is not answered before the test ends.
    let one = |n: usize| Ask { after: n as u64, ..Ask::prompt(0, 20, 64, n) };
    let asks = (0..5).map(one).collect();
    let scenario = Scenario { queue: 2, enough: 2, ..Scenario::new(0.01, 1, asks) };
    let (live, _) = both("a full line", &scenario).await;
    assert_eq!((live.calls, live.errors, open(&live)), (5, 2, 3));
    let refused = End { result: Err(ErrorClass::Throttled), attempts: 0 };
    assert_eq!(live.ends[3..], [Some(refused.clone()), Some(refused)]);
}

#[tokio::test]
async fn what_cannot_be_answered_ends_alike() {
    let profile = Profile { max_model_len: 200, ..profile("a100/qwen2.5-7b").unwrap().clone() };
    let asks = vec![
        // Longer than the model's context, alone and beside one that fits.
        Ask::prompt(0, 300, 8, 1),
        Ask::new(0, What::Prompts(vec![text(20, 2), text(300, 3)], 8)),
        Ask::new(1, What::Texts(vec![text(400, 4)])),
        Ask::prompt(1, 20, 8, 5),
    ];
    let scenario = Scenario { profile, ..Scenario::new(8.0, 4, asks) };
    let (live, _) = both("too long", &scenario).await;
    assert_eq!((live.ok, live.errors, live.attempts), (1, 3, 4));
}

#[tokio::test]
async fn an_automatic_limit_begins_alike_and_holds() {
    let asks = (0..120).map(|n| Ask::prompt(n % 2, 60, 10, n)).collect();
    let scenario = Scenario { concurrency: None, ..Scenario::new(4.0, 1, asks) };
    // Calls at once depend on when the limit grows: only what it begins with is sure.
    let (live, twin) = (live(&scenario).await, twin(&scenario));
    println!(
        "auto: live (simulated endpoint) limit {} after {:.2} s, twin {} after {:.2} s",
        live.limit, live.seconds, twin.limit, twin.seconds
    );
    assert_eq!(live.ends, twin.ends);
    for arm in [&live, &twin] {
        assert_eq!((arm.ok, arm.attempts), (120, 120));
        assert!((32..=120).contains(&arm.max_in_flight), "{}", arm.max_in_flight);
    }
}

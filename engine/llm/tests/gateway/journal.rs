//! Answers that were paid before.

use sage_core::endpoint::{Answer, CacheMode, Call, CallOutcome, GenerateOptions};
use sage_llm::client::Client;
use sage_llm::journal::{Journal, JournalConfig, Kind};
use serde_json::{Value, json};

use super::*;

pub(crate) fn journal(folder: &tempfile::TempDir, name: &str, kind: Kind) -> Journal {
    let path = folder.path().join(name);
    Journal::open(JournalConfig { path, max_bytes: 16 << 20, kind }).unwrap()
}

/// Answers each prompt with itself in capitals and keeps what was asked.
fn capitals(asked: &Arc<std::sync::Mutex<Vec<Vec<String>>>>, simulated: bool) -> Router {
    let asked = asked.clone();
    let answer = move |body: Bytes| {
        let body: Value = serde_json::from_slice(&body).unwrap();
        let prompts: Vec<String> = match &body["prompt"] {
            Value::String(text) => vec![text.clone()],
            list => serde_json::from_value(list.clone()).unwrap(),
        };
        asked.lock().unwrap().push(prompts.clone());
        let choice = |(index, text): (usize, &String)| json!({"index": index, "text": text.to_uppercase(), "finish_reason": "stop"});
        let choices: Vec<Value> = prompts.iter().enumerate().map(choice).collect();
        let usage = json!({"prompt_tokens": 3 * prompts.len(), "completion_tokens": prompts.len()});
        let body = json!({"model": "m", "choices": choices, "usage": usage}).to_string();
        async move {
            let mut answer = body.into_response();
            if simulated {
                answer.headers_mut().insert("x-sage-endpoint", "simulated".parse().unwrap());
            }
            answer
        }
    };
    Router::new().route("/v1/completions", post(answer))
}

struct Setting {
    asked: Arc<std::sync::Mutex<Vec<Vec<String>>>>,
    gateway: String,
    stats: sage_llm::gateway::StatsHandle,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Setting {
    async fn new(simulated: bool) -> Setting {
        let asked = Arc::default();
        let folder = tempfile::tempdir().unwrap();
        let url = serve(capitals(&asked, simulated)).await;
        let (gateway, stats) = gateway_of(GatewayConfig {
            upstreams: vec![upstream(&url)],
            token: Some(TOKEN.into()),
            journal: Some(journal(&folder, "run", Kind::Run)),
            content: Some(journal(&folder, "content", Kind::Content)),
            ..GatewayConfig::default()
        })
        .await;
        let client = client(&gateway);
        Setting { asked, gateway, stats, client, _folder: folder }
    }

    async fn ask(&self, cache: CacheMode, items: &[(&str, u64)]) -> CallOutcome {
        let texts: Vec<&str> = items.iter().map(|(text, _)| *text).collect();
        let records = items.iter().map(|(_, record)| *record).collect();
        let call = Call { cache, records, ..call(prompts(&texts), Duration::from_secs(30)) };
        submit(&self.client, call).await.unwrap()
    }

    fn asked(&self) -> Vec<Vec<String>> {
        self.asked.lock().unwrap().clone()
    }
}

fn cached(outcome: &CallOutcome) -> bool {
    let Ok(Answer::Generated(texts)) = &outcome.result else { panic!("{outcome:?}") };
    texts.iter().all(|text| text.cached)
}

#[tokio::test]
async fn a_record_s_answer_is_paid_for_once() {
    let setting = Setting::new(false).await;
    let first = setting.ask(CacheMode::Run, &[("a", 1)]).await;
    assert!(!cached(&first));
    let again = setting.ask(CacheMode::Run, &[("a", 1)]).await;
    assert!(cached(&again));
    assert_eq!((again.attempts, texts(again)), (0, vec!["A".to_owned()]));
    // Another record, another prompt, another mode: paid for.
    for (cache, items) in [
        (CacheMode::Run, [("a", 2)]),
        (CacheMode::Run, [("b", 1)]),
        (CacheMode::Content, [("a", 1)]),
        (CacheMode::Off, [("a", 1)]),
    ] {
        assert!(!cached(&setting.ask(cache, &items).await));
    }
    assert_eq!(setting.asked().len(), 5);
    let endpoint = setting.stats.snapshot().endpoints[0].clone();
    assert!(add_up(&endpoint.total));
    assert_eq!((endpoint.total.calls, endpoint.total.ok, endpoint.total.cache_hits), (6, 6, 1));
    assert_eq!((endpoint.total.prompt_tokens, endpoint.not_kept), (15, 0));
}

#[tokio::test]
async fn what_was_refused_for_good_is_not_asked_once_more() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let answer = move |body: Bytes| {
        count.fetch_add(1, Ordering::SeqCst);
        let status = if String::from_utf8_lossy(&body).contains("long") { 400 } else { 403 };
        async move {
            let body = json!({"error": {"message": "no such thing"}}).to_string();
            (axum::http::StatusCode::from_u16(status).unwrap(), body)
        }
    };
    let url = serve(Router::new().route("/v1/completions", post(answer))).await;
    let folder = tempfile::tempdir().unwrap();
    let (gateway, _) = gateway_of(GatewayConfig {
        upstreams: vec![upstream(&url)],
        token: Some(TOKEN.into()),
        journal: Some(journal(&folder, "run", Kind::Run)),
        ..GatewayConfig::default()
    })
    .await;
    let client = client(&gateway);
    let ask = async |cache, text: &str, record| {
        let call = Call {
            cache,
            records: vec![record],
            ..call(prompts(&[text]), Duration::from_secs(30))
        };
        let outcome = submit(&client, call).await.unwrap();
        let error = outcome.result.unwrap_err();
        (error.status, error.message, outcome.attempts)
    };
    let first = ask(CacheMode::Run, "too long", 1).await;
    assert_eq!((first.0, first.2), (Some(400), 1));
    // The same in every word.
    assert_eq!(ask(CacheMode::Run, "too long", 1).await, first);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    // Another record, another question, a run that keeps nothing, and what may be mended.
    for (cache, text, record) in [
        (CacheMode::Run, "too long", 2),
        (CacheMode::Run, "as long", 1),
        (CacheMode::Off, "too long", 1),
        (CacheMode::Run, "forbidden", 1),
        (CacheMode::Run, "forbidden", 1),
    ] {
        let before = calls.load(Ordering::SeqCst);
        ask(cache, text, record).await;
        assert_eq!(calls.load(Ordering::SeqCst), before + 1, "{text}");
    }
}

#[tokio::test]
async fn of_a_list_only_what_is_missing_is_asked() {
    let setting = Setting::new(false).await;
    setting.ask(CacheMode::Content, &[("a", 1), ("b", 2)]).await;
    let outcome = setting.ask(CacheMode::Content, &[("c", 3), ("b", 4), ("d", 5), ("c", 6)]).await;
    assert_eq!(texts(outcome), ["C", "B", "D", "C"]);
    assert_eq!(setting.asked(), [vec!["a", "b"], vec!["c", "d"]]);
    let total = setting.stats.snapshot().endpoints[0].total.clone();
    assert_eq!((total.calls, total.cache_hits, total.prompt_tokens), (2, 2, 12));
    assert!(cached(&setting.ask(CacheMode::Content, &[("d", 1), ("a", 2)]).await));
}

#[tokio::test]
async fn the_same_question_at_the_same_time_is_paid_for_once() {
    let setting = Setting::new(false).await;
    let ask = |_| {
        let call =
            Call { cache: CacheMode::Content, ..call(prompts(&["same"]), Duration::from_secs(30)) };
        submit(&setting.client, call)
    };
    let answers: Vec<_> = (0..20).map(ask).collect();
    for answer in answers {
        assert_eq!(texts(answer.await.unwrap()), ["SAME"]);
    }
    assert_eq!(setting.asked().len(), 1);
    assert_eq!(setting.stats.snapshot().endpoints[0].total.cache_hits, 19);
}

#[tokio::test]
async fn what_was_simulated_says_so_also_later() {
    let setting = Setting::new(true).await;
    for hits in ["0", "1"] {
        let request = plain(&setting.gateway, "/v1/completions", BODY);
        let answer = request.header("x-sage-cache", "content").send().await.unwrap();
        assert_eq!(answer.headers()["x-sage-endpoint"], "simulated");
        assert_eq!(answer.headers()["x-sage-cached"], hits);
    }
    // A client that says nothing pays.
    let answer = plain(&setting.gateway, "/v1/completions", BODY).send().await.unwrap();
    assert!(!answer.headers().contains_key("x-sage-cached"));
    assert_eq!(setting.asked().len(), 2);
}

#[tokio::test]
async fn broken_answers_are_not_kept() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let answer = move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { r#"{"choices":[{"index":0,"text":"cut","finish_reason":"abort"}]}"# }
    };
    let url = serve(Router::new().route("/v1/completions", post(answer))).await;
    let folder = tempfile::tempdir().unwrap();
    let (gateway, _) = gateway_of(GatewayConfig {
        upstreams: vec![upstream(&url)],
        token: Some(TOKEN.into()),
        content: Some(journal(&folder, "content", Kind::Content)),
        cache: CacheMode::Content,
        ..GatewayConfig::default()
    })
    .await;
    for _ in 0..2 {
        let answer = plain(&gateway, "/v1/completions", BODY).send().await.unwrap();
        assert!(answer.text().await.unwrap().contains("cut"));
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn streams_are_kept_and_told_again() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let answer = move |body: Bytes| {
        count.fetch_add(1, Ordering::SeqCst);
        assert!(String::from_utf8_lossy(&body).contains(r#""stream":true"#));
        async {
            let events = [
                r#"{"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"he"}}]}"#,
                r#"{"choices":[{"index":0,"delta":{"content":"llo"},"finish_reason":"stop"}]}"#,
                r#"{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}}"#,
                "[DONE]",
            ];
            let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
            ([("content-type", "text/event-stream")], body)
        }
    };
    let url = serve(Router::new().route("/v1/chat/completions", post(answer))).await;
    let folder = tempfile::tempdir().unwrap();
    let (gateway, stats) = gateway_of(GatewayConfig {
        upstreams: vec![upstream(&url)],
        token: Some(TOKEN.into()),
        journal: Some(journal(&folder, "run", Kind::Run)),
        ..GatewayConfig::default()
    })
    .await;
    let client = client(&gateway);
    let ask = |stream: bool| {
        let options = GenerateOptions { max_tokens: 8, stream, ..GenerateOptions::default() };
        let request = Request::Generate { prompts: vec!["hi".into()], options };
        let call = Call { records: vec![1], ..call(request, Duration::from_secs(30)) };
        submit(&client, call)
    };
    let fresh = ask(true).await.unwrap();
    assert!(fresh.first_token_ns.is_some() && !cached(&fresh));
    assert_eq!(texts(fresh), ["hello"]);
    for stream in [true, false] {
        let again = ask(stream).await.unwrap();
        assert!(cached(&again));
        assert_eq!(again.first_token_ns, None, "no model was asked");
        assert_eq!(texts(again), ["hello"]);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    let total = stats.snapshot().endpoints[0].total.clone();
    assert_eq!((total.calls, total.ok, total.completion_tokens), (3, 3, 2));
}

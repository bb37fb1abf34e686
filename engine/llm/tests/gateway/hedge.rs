//! A second try beside a slow first one.

use sage_llm::gateway::HedgeRule;

use super::*;

const VECTOR: &str =
    r#"{"data":[{"index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":2,"total_tokens":2}}"#;

/// Answers embeddings at once, but call number `slow` (from 0) never.
fn stuck_at(slow: usize) -> (Router, Watch) {
    let watch = Watch::default();
    let seen = watch.clone();
    let answer = move || {
        let stuck = seen.seen() == slow;
        let visit = seen.visit();
        async move {
            if stuck {
                std::future::pending::<()>().await;
            }
            drop(visit);
            VECTOR
        }
    };
    (Router::new().route("/v1/embeddings", post(answer)), watch)
}

fn embed() -> Request {
    Request::Embed { texts: vec!["a".into()] }
}

#[tokio::test]
async fn the_faster_try_counts_and_the_other_is_cut_off() {
    let (router, watch) = stuck_at(60);
    let url = serve(router).await;
    // Each call earns a whole second try, so the one that is stuck has one however many went before.
    let hedge = Some(HedgeRule { quantile: 0.5, budget: 1.0 });
    let (gateway, stats) = gateway(Upstream { hedge, ..upstream(&url) }).await;
    let client = client(&gateway);
    // Some of the first may be hedged already; sooner or later call 60 comes and is stuck.
    for _ in 0..60 {
        assert!(ask(&client, embed()).await.result.is_ok());
    }
    until(|| watch.now() == 0).await;
    let endpoint = stats.snapshot().endpoints[0].clone();
    assert!(endpoint.total.hedges >= 1 || watch.seen() <= 60);
    if watch.seen() <= 60 {
        assert!(ask(&client, embed()).await.result.is_ok());
        until(|| watch.now() == 0).await;
    }
    let total = stats.snapshot().endpoints[0].total.clone();
    assert!(total.hedges >= 1);
    assert_eq!((total.retries, total.in_flight, total.errors.sum()), (0, 0, 0));
    assert_eq!(total.attempts, total.calls + total.hedges);
    let replicas = stats.snapshot().endpoints[0].replicas.clone();
    assert_eq!(replicas[0].attempts, total.attempts);
}

#[tokio::test]
async fn without_a_rule_there_is_one_try() {
    let (router, watch) = stuck_at(30);
    let (gateway, _) = gateway(upstream(&serve(router).await)).await;
    let client = client(&gateway);
    for _ in 0..30 {
        assert!(ask(&client, embed()).await.result.is_ok());
    }
    let outcome = submit(&client, call(embed(), Duration::from_millis(300))).await.unwrap();
    assert_eq!(outcome.result.unwrap_err().class, ErrorClass::Timeout);
    assert_eq!(watch.seen(), 31);
}

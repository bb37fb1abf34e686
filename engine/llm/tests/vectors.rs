//! An embedding endpoint over a function is called like any other.

#![expect(clippy::unwrap_used, reason = "a failure here should stop the test")]

mod common;

use std::sync::Arc;

use sage_core::endpoint::{Answer, Request};
use sage_llm::gateway::{Upstream, probe};
use sage_llm::vectors::{VectorServer, serve_vectors};
use tokio::net::TcpListener;

use self::common::{ask, client, gateway, upstream};

fn lengths(texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
    if texts.contains(&"bad") {
        return Err("it does not like `bad`".into());
    }
    Ok(texts.iter().map(|text| vec![text.len() as f32, 1.0]).collect())
}

fn embed(texts: &[&str]) -> Request {
    Request::Embed { texts: texts.iter().map(|&text| text.into()).collect() }
}

#[tokio::test]
async fn it_has_its_model_and_answers_in_order() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = VectorServer { model: "m".into(), embed: Arc::new(lengths) };
    tokio::spawn(serve_vectors(server, listener));

    assert!(!probe(&upstream(&url)).await.unwrap().simulated);
    let other = probe(&Upstream::new("e", url.clone(), "n")).await.unwrap_err().to_string();
    assert!(other.contains('m'), "{other}");

    let (gateway, _) = gateway(upstream(&url)).await;
    let client = client(&gateway);
    match ask(&client, embed(&["abc", "a", "abcde"])).await.result.unwrap() {
        Answer::Embedded { vectors, .. } => {
            assert_eq!(vectors, [[3.0, 1.0], [1.0, 1.0], [5.0, 1.0]]);
        }
        Answer::Generated(_) => panic!("vectors were asked for"),
    }
    let error = ask(&client, embed(&["bad"])).await.result.unwrap_err().to_string();
    assert!(error.contains("it does not like `bad`"), "{error}");
}

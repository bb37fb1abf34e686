//! Calibration against simulators, whose truth is known, and against endpoints that misbehave.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail and print")]

use std::time::Duration;

use sage_core::vllm::Profile;
use sage_core::vllm::fit::{Figures, fit, replay};
use sage_core::vllm::profile;
use sage_llm::calibrate::{Bounds, CalibrateError, Measured, Plan, Progress, Target, measure};
use sage_llm::simulator::{SimulatorConfig, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const MODEL: &str = "Qwen/Qwen2.5-7B-Instruct";

fn simulator(profile: &Profile, change: impl FnOnce(&mut SimulatorConfig)) -> Target {
    let mut config = SimulatorConfig::new(profile);
    change(&mut config);
    // Accepted connections inherit it. Without, a first token waits for the client's delayed ACK.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_nodelay(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(128).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(config, listener, std::future::pending()));
    Target { url, model: None, api_key: None }
}

async fn probe(target: &Target, bounds: &Bounds) -> Result<Measured, CalibrateError> {
    let plan = Plan::within(bounds).unwrap();
    measure(target, &plan, bounds, 7, std::future::pending(), |_| {}).await
}

fn truth() -> &'static Profile {
    profile("a100/qwen2.5-7b").unwrap()
}

/// The clock is real here, so whoever else uses the machine disturbs; the bounds are wide for that.
/// What the method itself loses is tested in virtual time, in `sage-core`.
#[tokio::test]
async fn a_simulator_is_recovered_from_outside() {
    let target = simulator(truth(), |config| config.speed = 2.0);
    let bounds = Bounds { max_concurrency: 16, ..Bounds::default() };
    let measured = probe(&target, &bounds).await.unwrap();
    assert!(measured.simulated && measured.model == MODEL);
    assert_eq!(measured.max_model_len, Some(truth().max_model_len));
    assert!(measured.notes.is_empty(), "{:?}", measured.notes);
    let plan = Plan::within(&bounds).unwrap();
    assert_eq!((measured.cells.len(), measured.requests), (plan.cells.len(), plan.requests()));
    assert!(measured.tokens <= plan.tokens(), "{} of {}", measured.tokens, plan.tokens());
    for cell in &measured.cells {
        assert!(cell.samples.is_sorted_by_key(|sample| sample.sent_ns));
        let held_out = if cell.held_out { " (held out)" } else { "" };
        println!("{}{held_out}: {:?}", cell.name, Figures::of(&cell.samples));
    }
    let fitted = fit(&measured.cells, &measured.model).unwrap();
    let errors = fitted.errors(true).unwrap();
    for (cell, measured, model) in &fitted.cells {
        println!("{}: {measured:.1?} {model:.1?}", cell.name);
    }
    println!("from {}, held out: {errors:.3?}", fitted.base);
    assert!(errors[0] < 0.15 && errors[2] < 0.15, "throughput, TPOT on held-out cells: {errors:?}");
    // The truth, twice as fast, against the fit, on a load of which neither has seen anything.
    let mut unseen = measured.cells.iter().find(|cell| cell.held_out).unwrap().clone();
    unseen.concurrency = 12;
    let [model, real] =
        [&fitted.profile, truth()].map(|profile| Figures::of(&replay(profile, &unseen)).throughput);
    println!("12 clients: fit {model:.0} tokens/s, truth {:.0}", real * 2.0);
    assert!((model / (real * 2.0) - 1.0).abs() < 0.2);
}

#[tokio::test]
async fn what_is_whole_is_kept_when_the_user_stops() {
    let target = simulator(truth(), |config| config.speed = 20.0);
    let bounds = Bounds { max_concurrency: 8, ..Bounds::default() };
    let plan = Plan::within(&bounds).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut stop = Some(stop);
    let stopped = async {
        let _ = stopped.await;
    };
    let end_after_two = |progress: Progress<'_>| {
        if let Progress::Cell { cell, .. } = progress
            && !cell.held_out
            && cell.concurrency == 1
            && cell.name.contains("1200")
        {
            stop.take().map(|stop| stop.send(()));
        }
    };
    let measured = measure(&target, &plan, &bounds, 7, stopped, end_after_two).await.unwrap();
    assert_eq!((measured.cells.len(), measured.interrupted), (2, true));
    assert!(measured.notes[0].starts_with("stopped by the user"), "{:?}", measured.notes);
    assert!(
        fit(&measured.cells, &measured.model).unwrap().errors(true).is_none(),
        "nothing was held out"
    );
}

#[tokio::test]
async fn time_ends_the_probe() {
    let target = simulator(truth(), |config| config.speed = 0.01);
    let bounds = Bounds { time: Duration::from_millis(3500), ..Bounds::default() };
    let target = Target { model: Some(MODEL.into()), ..target };
    let measured = probe(&target, &bounds).await;
    // The opening call alone may take longer at this speed; then its own limit holds.
    let Ok(measured) = measured else { panic!("{measured:?}") };
    assert!(measured.cells.is_empty() && measured.notes[0].contains("were up"), "{measured:?}");
}

#[tokio::test]
async fn endpoints_that_are_not_usable_say_why() {
    let bounds = Bounds::default();
    let target = simulator(truth(), |config| config.api_key = Some("secret".into()));
    let error = probe(&target, &bounds).await.unwrap_err().to_string();
    assert!(error.contains("401"), "{error}");
    let target = simulator(truth(), |_| {});
    let wrong = Target { model: Some("Qwen/Qwen2.5-7B-Instrct".into()), ..target };
    let error = probe(&wrong, &bounds).await.unwrap_err().to_string();
    assert!(error.contains(MODEL), "{error}");
    let nowhere = Target { url: "http://127.0.0.1:9".into(), model: None, api_key: None };
    let error = probe(&nowhere, &bounds).await.unwrap_err().to_string();
    assert!(error.contains("no connection"), "{error}");
}

/// An endpoint of one model that answers every chat with `answer`, and counts them.
async fn scripted(answer: &'static str) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = vec![0; 64 * 1024];
                let length = socket.read(&mut read).await.unwrap_or(0);
                let asked = String::from_utf8_lossy(&read[..length]).into_owned();
                let answer = if asked.starts_with("GET") {
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
                     {\"data\":[{\"id\":\"m\"}]}"
                } else {
                    answer
                };
                let _ = socket.write_all(answer.as_bytes()).await;
                let _ = socket.shutdown().await;
            });
        }
    });
    Target { url, model: None, api_key: None }
}

#[tokio::test]
async fn streams_without_counts_are_refused_at_the_first_answer() {
    let target = scripted(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n\
         data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n",
    )
    .await;
    let error = probe(&target, &Bounds::default()).await.unwrap_err();
    assert!(matches!(error, CalibrateError::NoUsage), "{error}");
}

#[tokio::test]
async fn a_refusal_is_shown_in_the_words_of_the_endpoint() {
    let target = scripted(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nconnection: close\r\n\
         \r\n{\"error\":{\"message\":\"quota is used up\"}}",
    )
    .await;
    let error = probe(&target, &Bounds::default()).await.unwrap_err().to_string();
    assert!(error.contains("429") && error.contains("quota is used up"), "{error}");
}

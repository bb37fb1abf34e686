//! Failures have the API's shape, whatever fails.

use serde_json::Value;

use super::*;

#[tokio::test]
async fn every_refusal_is_an_error_object() {
    let (gateway, _) = gateway_of(GatewayConfig {
        upstreams: vec![upstream(&format!("http://{}", free_port().await))],
        token: Some(TOKEN.into()),
        max_body: 1_000,
        ..GatewayConfig::default()
    })
    .await;
    let path = "/v1/completions";
    let post = |path: &str| http().post(format!("{gateway}{path}")).bearer_auth(TOKEN);
    let get = |path: &str| http().get(format!("{gateway}{path}")).bearer_auth(TOKEN);
    let cases = [
        (post(path).body("{"), 400, "BadRequestError"),
        (
            http().post(format!("{gateway}{path}")).bearer_auth("x").body(BODY),
            401,
            "AuthenticationError",
        ),
        (http().post(format!("{gateway}{path}")).body(BODY), 401, "AuthenticationError"),
        (get("/v1/other"), 404, "NotFoundError"),
        (get(path), 405, "BadRequestError"),
        (post(path).body("x".repeat(1_001)), 413, "BadRequestError"),
        (post(path).header("x-long", "y".repeat(70_000)).body(BODY), 431, "BadRequestError"),
        (post(path).header("x-sage-deadline-ms", "50").body(BODY), 503, "ServiceUnavailableError"),
        (
            http().delete(format!("{gateway}/x-sage/calls/-")).bearer_auth(TOKEN),
            400,
            "BadRequestError",
        ),
    ];
    for (request, status, kind) in cases {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["content-type"], "application/json");
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(body["error"]["type"], kind, "{body}");
        assert_eq!(body["error"]["code"], status);
        assert!(!body["error"]["message"].as_str().unwrap().is_empty());
    }
}

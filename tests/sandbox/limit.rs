use serde_json::{Value, json};

use super::{ACCOUNT, World};

#[tokio::test]
async fn every_answer_tells_how_many_calls_are_left() {
    let world = World::new().await;
    let path = format!("/accounts/{ACCOUNT}/workers/scripts");
    let told = async |path: &str| {
        let answer = world.sent("GET", path, Value::Null).await;
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        (header("ratelimit"), header("ratelimit-policy"))
    };
    let policy = "\"default\";q=1200;w=300".to_owned();
    assert_eq!(
        told(&path).await,
        ("\"default\";r=1199;t=1".into(), policy.clone())
    );
    // A refusal costs a call too
    assert_eq!(told("/nowhere").await.1, policy);
    let url = format!("{}/user", world.sandbox.api());
    let stranger = world.http.get(url).send().await.unwrap();
    assert!(stranger.headers().contains_key("ratelimit"));
    // The sandbox's own calls are not Cloudflare's
    let own = world.sent("GET", "/sandbox/limits", Value::Null).await;
    assert!(!own.headers().contains_key("ratelimit"));
    assert_eq!(own.json::<Value>().await.unwrap()["result"], json!(null));
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_limit_that_is_kept_refuses_with_a_pause_and_answers_after_it() {
    let world = World::new().await;
    let path = format!("/accounts/{ACCOUNT}/workers/scripts");
    world
        .ok("PUT", "/sandbox/limits", json!({"calls": 2, "seconds": 1}))
        .await;
    for _ in 0..2 {
        world.ok("GET", &path, Value::Null).await;
    }
    for (path, code, message) in [
        (
            path.as_str(),
            10429,
            "Rate limited. Please wait and consider throttling your request speed",
        ),
        (
            "/zones",
            971,
            "Please wait and consider throttling your request speed",
        ),
    ] {
        let answer = world.sent("GET", path, Value::Null).await;
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(answer.headers()["ratelimit"], "\"default\";r=0;t=1");
        assert_eq!(
            answer.json::<Value>().await.unwrap()["errors"],
            json!([{"code": code, "message": message}])
        );
    }
    // Ready when it answers: nothing is asserted about how long that takes
    while world.call("GET", &path, Value::Null).await.0 == 429 {
        tokio::task::yield_now().await;
    }
    world.ok("DELETE", "/sandbox/limits", Value::Null).await;
    for _ in 0..5 {
        world.ok("GET", &path, Value::Null).await;
    }
    world.sandbox.stop().await.unwrap();
}

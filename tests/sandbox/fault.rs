use std::time::Duration;

use serde_json::{Value, json};

use super::World;

const PATH: &str = "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/scripts";

async fn fault(world: &World, fault: Value) {
    world.ok("POST", "/sandbox/faults", fault).await;
}

#[tokio::test]
async fn a_call_meets_the_status_that_a_test_asked_for() {
    let world = World::new().await;
    fault(
        &world,
        json!({"nth": 2, "method": "GET", "path": "/scripts", "kind": "status", "status": 503}),
    )
    .await;
    assert_eq!(world.call("GET", PATH, Value::Null).await.0, 200);
    assert_eq!(world.call("GET", "/zones", Value::Null).await.0, 200);
    assert_eq!(world.call("GET", PATH, Value::Null).await.0, 503);
    assert_eq!(world.call("GET", PATH, Value::Null).await.0, 200);

    let url = format!("{}{PATH}", world.sandbox.api());
    let get = || {
        world
            .http
            .get(&url)
            .bearer_auth(world.sandbox.token())
            .send()
    };
    fault(&world, json!({"kind": "rate_limit", "retry_after": 7})).await;
    let answer = get().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    fault(&world, json!({"kind": "html"})).await;
    let answer = get().await.unwrap();
    assert_eq!(answer.headers()["cf-mitigated"], "challenge");
    assert!(answer.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn an_answer_can_be_lost_before_or_after_the_call_is_handled() {
    let world = World::new().await;
    let url = format!(
        "{}/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/subdomain",
        world.sandbox.api()
    );
    let put = |name: &str| {
        world
            .http
            .put(&url)
            .bearer_auth(world.sandbox.token())
            .json(&json!({"subdomain": name}))
            .send()
    };
    let subdomain = || async {
        world
            .ok(
                "GET",
                "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/subdomain",
                Value::Null,
            )
            .await["subdomain"]
            .clone()
    };
    fault(&world, json!({"method": "PUT", "kind": "reset"})).await;
    assert!(put("never").await.is_err());
    assert_eq!(subdomain().await, "sandbox");
    fault(&world, json!({"method": "PUT", "kind": "lost"})).await;
    assert!(put("done").await.is_err());
    assert_eq!(subdomain().await, "done");
    fault(&world, json!({"method": "PUT", "kind": "hang"})).await;
    assert!(
        tokio::time::timeout(Duration::from_millis(200), put("hanging"))
            .await
            .is_err()
    );
    assert_eq!(subdomain().await, "done");
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn the_calls_so_far_are_listed_until_they_are_cleared() {
    let world = World::new().await;
    world
        .call("GET", "/zones?name=glow.trade", Value::Null)
        .await;
    let calls = world.ok("GET", "/sandbox/requests", Value::Null).await;
    assert_eq!(
        calls,
        json!([{"method": "GET", "path": "/zones", "query": "name=glow.trade"}])
    );
    fault(&world, json!({"kind": "hang"})).await;
    world.ok("DELETE", "/sandbox/requests", Value::Null).await;
    assert_eq!(
        world.ok("GET", "/sandbox/requests", Value::Null).await,
        json!([])
    );
    assert_eq!(
        world.ok("GET", "/sandbox/faults", Value::Null).await,
        json!([])
    );
    world.sandbox.stop().await.unwrap();
}

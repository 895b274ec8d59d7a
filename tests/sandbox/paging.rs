use edge_broadcast_sandbox::start;
use serde_json::{Value, json};

use super::{ACCOUNT, World, client, options, script};

/// The list and the `result_info` of one page.
async fn page(world: &World, path: &str, list: &str) -> (usize, Value) {
    let (status, body) = world.call("GET", path, Value::Null).await;
    assert_eq!(status, 200, "{path}: {body}");
    let list = body["result"]
        .pointer(list)
        .unwrap_or_else(|| panic!("{body}"));
    (list.as_array().unwrap().len(), body["result_info"].clone())
}

#[tokio::test]
async fn versions_and_deployments_come_in_tens_and_end_with_an_empty_page() {
    let world = World::new().await;
    world.deploy_room().await;
    let staged = format!("/accounts/{ACCOUNT}/workers/workers/room/versions/latest");
    for number in 0..11 {
        let env = json!({"env": {"MORE": {"type": "secret_text", "text": number.to_string()}}});
        world.ok("PATCH", &staged, env).await;
    }
    let versions = format!("{}/versions", script("room"));
    let info =
        |page, count| json!({"page": page, "per_page": 10, "count": count, "total_count": 12});
    assert_eq!(page(&world, &versions, "/items").await, (10, info(1, 10)));
    let behind = |number: u32| format!("{versions}?page={number}");
    assert_eq!(page(&world, &behind(2), "/items").await, (2, info(2, 2)));
    assert_eq!(page(&world, &behind(3), "/items").await, (0, info(3, 0)));
    let all = format!("{versions}?deployable=true");
    assert_eq!(page(&world, &all, "/items").await.0, 12);

    let deployments = format!("{}/deployments", script("room"));
    let first = world.ok("GET", &deployments, Value::Null).await["deployments"][0].clone();
    let again = json!({"strategy": "percentage", "versions": first["versions"]});
    for _ in 0..11 {
        world.ok("POST", &deployments, again.clone()).await;
    }
    let info = |page, per_page, count, pages| json!({"page": page, "per_page": per_page, "count": count, "total_count": 12, "total_pages": pages});
    let list = "/deployments";
    assert_eq!(
        page(&world, &deployments, list).await,
        (10, info(1, 10, 10, 2))
    );
    let fives = format!("{deployments}?page=3&per_page=5");
    assert_eq!(page(&world, &fives, list).await, (2, info(3, 5, 2, 3)));
    let behind = format!("{deployments}?page=9&per_page=100");
    assert_eq!(page(&world, &behind, list).await, (0, info(9, 100, 0, 1)));
    // Both ends belong to the range
    let made = first["created_on"].as_str().unwrap();
    let until = format!("{deployments}?until={made}");
    assert_eq!(page(&world, &until, list).await.0, 1);
    let since = format!("{deployments}?since={made}&per_page=100");
    assert_eq!(page(&world, &since, list).await.0, 12);
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn zones_accounts_memberships_and_namespaces_come_in_twenties() {
    let mut options = options(None);
    options.zones = (10..35)
        .map(|number| format!("zone-{number}.test"))
        .collect();
    options.records = Vec::new();
    let world = World {
        sandbox: start(options).await.unwrap(),
        http: client(),
    };
    let zones = format!("/zones?account.id={ACCOUNT}");
    let info = |page, count| json!({"page": page, "per_page": 20, "count": count, "total_count": 25, "total_pages": 2});
    assert_eq!(page(&world, &zones, "").await, (20, info(1, 20)));
    assert_eq!(
        page(&world, &format!("{zones}&page=2"), "").await,
        (5, info(2, 5))
    );
    assert_eq!(
        page(&world, &format!("{zones}&page=3"), "").await,
        (0, info(3, 0))
    );
    assert_eq!(
        page(&world, &format!("{zones}&per_page=50"), "").await.0,
        25
    );
    for path in ["/accounts", "/memberships"] {
        assert_eq!(page(&world, path, "").await.0, 1);
        assert_eq!(page(&world, &format!("{path}?page=2"), "").await.0, 0);
    }
    let namespaces = format!("/accounts/{ACCOUNT}/workers/durable_objects/namespaces");
    assert_eq!(
        page(&world, &namespaces, "").await,
        (
            0,
            json!({"page": 1, "per_page": 20, "count": 0, "total_count": 0})
        )
    );
    for (path, what) in [
        (
            format!("{zones}&page=0"),
            "page variable must be a number from 1",
        ),
        (
            format!("{zones}&per_page=51"),
            "per_page variable must be a number between 1 and 50",
        ),
        (
            format!("{zones}&per_page=abc"),
            "per_page variable must be a number between 1 and 50",
        ),
        (
            format!("{namespaces}?per_page=1001"),
            "per_page variable must be a number between 1 and 1000",
        ),
    ] {
        let (status, body) = world.call("GET", &path, Value::Null).await;
        assert_eq!(status, 400);
        assert_eq!(
            body,
            json!({
                "success": false, "messages": [], "result": null,
                "errors": [{"code": 6008, "message": "Invalid request parameters", "error_chain": [{"code": 11000, "message": what}]}],
            })
        );
    }
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn what_an_account_has_none_of_is_an_empty_list_of_its_products_shape() {
    let world = World::new().await;
    for (product, result) in [
        ("queues", json!([])),
        ("r2/buckets", json!({"buckets": []})),
        ("secrets_store/stores", json!([])),
        ("storage/kv/namespaces", json!([])),
    ] {
        let path = format!("/accounts/{ACCOUNT}/{product}");
        assert_eq!(
            world.ok("GET", &path, Value::Null).await,
            result,
            "{product}"
        );
    }
    let account = world
        .ok("GET", &format!("/accounts/{ACCOUNT}"), Value::Null)
        .await;
    assert_eq!(
        (&account["id"], &account["type"]),
        (&json!(ACCOUNT), &json!("standard"))
    );
    for path in [
        "/user/tokens/verify".to_owned(),
        format!("/accounts/{ACCOUNT}/tokens/verify"),
    ] {
        assert_eq!(
            world.ok("GET", &path, Value::Null).await["status"],
            "active"
        );
    }
    world.sandbox.stop().await.unwrap();
}

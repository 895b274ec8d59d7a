use edge_broadcast_sandbox::{Strictness, start};
use serde_json::{Value, json};

use super::{World, client, options, script};

async fn unready(strictness: Strictness) -> World {
    let mut options = options(None);
    options.records = Vec::new();
    options.strictness = strictness;
    World {
        sandbox: start(options).await.unwrap(),
        http: client(),
    }
}

#[tokio::test]
async fn a_route_answers_only_where_a_proxied_record_leads() {
    let world = unready(Strictness::Strict).await;
    world.deploy_room().await;
    let (status, body) = world.visit("ws.glow.trade", "/").await;
    assert_eq!(status, 530);
    assert!(
        body.contains("no proxied DNS record for `ws.glow.trade`"),
        "{body}"
    );
    let records = format!("/zones/{}/dns_records", world.zone().await);
    let record = json!({"type": "A", "name": "ws", "content": "192.0.2.1", "proxied": false});
    let made = world.ok("POST", &records, record).await;
    assert_eq!(
        world.visit("ws.glow.trade", "/").await.0,
        530,
        "past the edge"
    );
    let own = format!("{records}/{}", made["id"].as_str().unwrap());
    world.ok("PATCH", &own, json!({"proxied": true})).await;
    assert_eq!(world.visit("ws.glow.trade", "/").await.0, 200);
    world.ok("DELETE", &own, Value::Null).await;
    let wild = json!({"type": "CNAME", "name": "*", "content": "glow.trade", "proxied": true});
    world.ok("POST", &records, wild).await;
    assert_eq!(world.visit("ws.glow.trade", "/").await.0, 200);
    // At the edge, and nobody there wants it
    assert_eq!(world.visit("other.glow.trade", "/").await.0, 404);
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_lenient_sandbox_lets_every_route_answer() {
    let world = unready(Strictness::Lenient).await;
    world.deploy_room().await;
    assert_eq!(world.visit("ws.glow.trade", "/").await.0, 200);
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_custom_domain_makes_its_own_record_and_takes_it_away() {
    let world = unready(Strictness::Strict).await;
    world.deploy_room().await;
    let domains = format!("/accounts/{}/workers/domains", super::ACCOUNT);
    let attached =
        json!({"hostname": "live.glow.trade", "service": "room", "environment": "production"});
    let domain = world.ok("PUT", &domains, attached).await;
    assert_eq!(world.visit("live.glow.trade", "/").await.0, 200);
    let records = format!("/zones/{}/dns_records", world.zone().await);
    let named = format!("{records}?name=live.glow.trade&type=AAAA&proxied=true");
    let made = world.ok("GET", &named, Value::Null).await[0].clone();
    assert_eq!(
        (&made["content"], &made["meta"]["read_only"]),
        (&json!("100::"), &json!(true))
    );
    let own = format!("{records}/{}", made["id"].as_str().unwrap());
    assert_eq!(world.refused("DELETE", &own, Value::Null).await.1, 1046);
    let other = json!({"type": "A", "name": "live", "content": "192.0.2.1"});
    assert_eq!(world.refused("POST", &records, other).await, (400, 81053));
    let own = format!("{domains}/{}", domain["id"].as_str().unwrap());
    world.ok("DELETE", &own, Value::Null).await;
    assert_eq!(world.ok("GET", &named, Value::Null).await, json!([]));
    assert_eq!(world.visit("live.glow.trade", "/").await.0, 530);
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn records_are_listed_by_what_was_asked_for_a_page_at_a_time() {
    let world = unready(Strictness::Strict).await;
    let records = format!("/zones/{}/dns_records", world.zone().await);
    for (kind, name, content, proxied) in [
        ("A", "a", "192.0.2.1", true),
        ("A", "b", "192.0.2.1", false),
        ("TXT", "a", "hello", false),
    ] {
        let record = json!({"type": kind, "name": name, "content": content, "proxied": proxied});
        let made = world.ok("POST", &records, record).await;
        assert_eq!(made["name"], format!("{name}.glow.trade"));
        let own = format!("{records}/{}", made["id"].as_str().unwrap());
        assert_eq!(world.ok("GET", &own, Value::Null).await, made);
    }
    for (query, names) in [
        ("", vec!["a.glow.trade", "b.glow.trade", "a.glow.trade"]),
        ("?name=a.glow.trade", vec!["a.glow.trade", "a.glow.trade"]),
        ("?name.exact=a.glow.trade&type=TXT", vec!["a.glow.trade"]),
        ("?proxied=false&type=A", vec!["b.glow.trade"]),
        ("?content=192.0.2.1&per_page=1&page=2", vec!["b.glow.trade"]),
        ("?page=2", vec![]),
    ] {
        let listed = world
            .ok("GET", &format!("{records}{query}"), Value::Null)
            .await;
        let listed: Vec<&str> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|record| record["name"].as_str().unwrap())
            .collect();
        assert_eq!(listed, names, "{query}");
    }
    let missing = format!("{records}/{}", "0".repeat(32));
    assert_eq!(
        world.refused("GET", &missing, Value::Null).await,
        (404, 81044)
    );
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn settings_are_changed_as_json_or_in_a_part_and_make_a_version() {
    let world = unready(Strictness::Strict).await;
    world.deploy_room().await;
    let path = format!("{}/settings", script("room"));
    let revision = json!({
        "compatibility_date": "2026-02-02", "compatibility_flags": ["nodejs_compat"], "limits": {"cpu_ms": 50},
        "tags": ["a"], "logpush": true, "observability": {"enabled": true}, "usage_model": "standard",
    });
    let settings = world.ok("PATCH", &path, revision).await;
    assert_eq!(settings["compatibility_date"], "2026-02-02");
    assert_eq!(settings["compatibility_flags"], json!(["nodejs_compat"]));
    assert_eq!(settings["limits"], json!({"cpu_ms": 50}));
    assert_eq!(
        (&settings["tags"], &settings["logpush"]),
        (&json!(["a"]), &json!(true))
    );
    assert_eq!(settings["observability"]["logs"]["invocation_logs"], true);
    let versions = format!("{}/versions", script("room"));
    assert_eq!(
        world.ok("GET", &versions, Value::Null).await["items"][0]["number"],
        2
    );
    let part = reqwest::multipart::Part::text(json!({"bindings": [{"name": "ROOM", "type": "durable_object_namespace"}, {"name": "TEXT", "type": "plain_text", "text": "new"}]}).to_string());
    let form = reqwest::multipart::Form::new().part("settings", part);
    let url = format!("{}{path}", world.sandbox.api());
    let request = world.http.patch(url).bearer_auth(world.sandbox.token());
    let answer = request.multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let bindings = answer.json::<Value>().await.unwrap()["result"]["bindings"].clone();
    let named: Vec<&str> = bindings
        .as_array()
        .unwrap()
        .iter()
        .map(|binding| binding["name"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["ROOM", "TEXT"]);
    assert_eq!(
        world
            .refused("PATCH", &path, json!({"migrations": {}}))
            .await,
        (400, 10021)
    );
    assert_eq!(
        world
            .refused("PATCH", &path, json!({"nonsense": 1}))
            .await
            .0,
        400
    );
    world.sandbox.stop().await.unwrap();
}

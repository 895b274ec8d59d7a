use serde_json::{Value, json};

use super::{ACCOUNT, World, script};

const ECHO: &str = "export default { fetch(request, env) { return new Response(env.NAME) } }";

async fn deploy(world: &World, name: &str) {
    let binding = json!({"name": "NAME", "type": "plain_text", "text": name});
    let metadata = json!({"main_module": "index.js", "compatibility_date": "2026-01-01", "bindings": [binding]});
    let (status, body) = world.upload("PUT", &script(name), ECHO, metadata).await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test]
async fn the_most_specific_route_answers_and_a_route_has_one_owner() {
    let world = World::new().await;
    deploy(&world, "one").await;
    deploy(&world, "two").await;
    let zone = world.zone().await;
    let routes = format!("/zones/{zone}/workers/routes");
    let route = |pattern: &str, script: &str| json!({"pattern": pattern, "script": script});
    let first = world
        .ok("POST", &routes, route("*.glow.trade/*", "one"))
        .await;
    world
        .ok("POST", &routes, route("ws.glow.trade/two/*", "two"))
        .await;
    assert_eq!(world.visit("ws.glow.trade", "/").await, (200, "one".into()));
    assert_eq!(
        world.visit("WS.Glow.Trade:8443", "/two/x").await,
        (200, "two".into())
    );
    let (status, body) = world.visit("glow.trade", "/").await;
    assert_eq!(status, 404);
    assert!(body.contains("ws.glow.trade/two/*"), "{body}");

    assert_eq!(
        world
            .refused("POST", &routes, route("*.glow.trade/*", "two"))
            .await,
        (409, 10020)
    );
    let replace = json!([{"pattern": "*.glow.trade/*", "zone_name": "glow.trade"}]);
    assert_eq!(
        world
            .refused("PUT", &format!("{}/routes", script("two")), replace)
            .await,
        (409, 10020)
    );
    assert_eq!(
        world
            .refused("POST", &routes, route("example.com/*", "one"))
            .await
            .1,
        10022
    );
    assert_eq!(
        world
            .refused("POST", &routes, route("a.glow.trade/*", "none"))
            .await
            .1,
        10019
    );
    assert_eq!(
        world
            .refused("GET", "/zones/nowhere/workers/routes", Value::Null)
            .await
            .1,
        7003
    );

    let id = first["id"].as_str().unwrap();
    world
        .ok(
            "PUT",
            &format!("{routes}/{id}"),
            route("*.glow.trade/*", "two"),
        )
        .await;
    assert_eq!(world.visit("ws.glow.trade", "/").await.1, "two");
    world
        .ok("DELETE", &format!("{routes}/{id}"), Value::Null)
        .await;
    assert_eq!(world.visit("ws.glow.trade", "/").await.0, 404);
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_full_replace_of_routes_leaves_what_it_names_and_nothing_else() {
    let world = World::new().await;
    deploy(&world, "one").await;
    let routes = format!("{}/routes", script("one"));
    world
        .ok(
            "PUT",
            &routes,
            json!([{"pattern": "a.glow.trade/*"}, {"pattern": "b.glow.trade/*"}]),
        )
        .await;
    world
        .ok("PUT", &routes, json!([{"pattern": "b.glow.trade/*"}]))
        .await;
    assert_eq!(world.visit("a.glow.trade", "/").await.0, 404);
    assert_eq!(world.visit("b.glow.trade", "/").await.0, 200);
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_custom_domain_respects_dns_records_and_other_workers() {
    let world = World::new().await;
    deploy(&world, "one").await;
    deploy(&world, "two").await;
    let records = format!("/zones/{}/dns_records", world.zone().await);
    let record = json!({"name": "live.glow.trade", "type": "A", "content": "192.0.2.1"});
    let record = world.ok("POST", &records, record).await;
    let domains = "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/domains";
    let attach = |service: &str, over: bool| {
        json!({"hostname": "live.glow.trade", "service": service, "zone_name": "glow.trade", "environment": "production",
            "override_existing_dns_record": over})
    };
    let changeset = format!("{}/domains/changeset?replace_state=true", script("one"));
    let changes = world
        .ok("POST", &changeset, json!([{"hostname": "live.glow.trade"}]))
        .await;
    let conflicting = &changes["conflicting"][0];
    assert_eq!(conflicting["hostname"], "live.glow.trade");
    assert_eq!(conflicting["external_dns_record_id"], record["id"]);
    // Whatever the flag says: the record is somebody's, and must be deleted
    for over in [false, true] {
        assert_eq!(
            world.refused("PUT", domains, attach("one", over)).await,
            (409, 100117)
        );
    }
    let own = format!("{records}/{}", record["id"].as_str().unwrap());
    world.ok("DELETE", &own, Value::Null).await;
    let domain = world.ok("PUT", domains, attach("one", true)).await;
    assert_eq!(
        world.visit("live.glow.trade", "/any").await,
        (200, "one".into())
    );
    assert_eq!(
        world.refused("PUT", domains, attach("two", true)).await,
        (409, 100116)
    );
    world
        .ok(
            "DELETE",
            &format!("{domains}/{}", domain["id"].as_str().unwrap()),
            Value::Null,
        )
        .await;
    assert_eq!(world.visit("live.glow.trade", "/").await.0, 404);
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn the_workers_dev_address_answers_while_it_is_enabled() {
    let world = World::new().await;
    deploy(&world, "one").await;
    let account = world
        .ok(
            "GET",
            "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/subdomain",
            Value::Null,
        )
        .await;
    let host = format!("one.{}.workers.dev", account["subdomain"].as_str().unwrap());
    assert_eq!(world.visit(&host, "/").await.0, 404);
    world
        .ok(
            "POST",
            &format!("{}/subdomain", script("one")),
            json!({"enabled": true}),
        )
        .await;
    assert_eq!(world.visit(&host, "/").await, (200, "one".into()));
    world
        .ok(
            "POST",
            &format!("{}/subdomain", script("one")),
            json!({"enabled": false}),
        )
        .await;
    assert_eq!(world.visit(&host, "/").await.0, 404);
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn limits_data_points_and_the_clients_place_work_as_at_the_edge() {
    let world = World::new().await;
    let code = r#"
        export default {
          async fetch(request, env) {
            env.POINTS.writeDataPoint({ indexes: ["token"], blobs: ["a", "b"], doubles: [1.5] });
            console.log("seen", request.cf.continent);
            const { success } = await env.RATE.limit({ key: request.headers.get("cf-connecting-ip") });
            return Response.json({ success, kind: env.RATE.constructor.name, continent: request.cf.continent });
          },
        }"#;
    let metadata = json!({"main_module": "index.js", "compatibility_date": "2026-01-01", "bindings": [
        {"name": "POINTS", "type": "analytics_engine", "dataset": "broadcast"},
        {"name": "RATE", "type": "ratelimit", "namespace_id": "1", "simple": {"limit": 2, "period": 60}},
    ]});
    let (status, body) = world.upload("PUT", &script("edge"), code, metadata).await;
    assert_eq!(status, 200, "{body}");
    world
        .ok(
            "PUT",
            &format!("{}/routes", script("edge")),
            json!([{"pattern": "glow.trade/*"}]),
        )
        .await;
    let visit = |ip: &'static str| {
        let request = world
            .http
            .get(format!("http://{}/", world.sandbox.ingress()))
            .header("host", "glow.trade");
        let request = request
            .header("cf-connecting-ip", ip)
            .header("cf-ipcontinent", "EU");
        async { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    assert_eq!(
        visit("192.0.2.1").await,
        json!({"success": true, "kind": "Ratelimit", "continent": "EU"})
    );
    assert_eq!(visit("192.0.2.1").await["success"], true);
    assert_eq!(visit("192.0.2.1").await["success"], false);
    assert_eq!(visit("192.0.2.2").await["success"], true);
    let points = loop {
        let points = world
            .ok("GET", "/sandbox/analytics?dataset=broadcast", Value::Null)
            .await;
        if points.as_array().unwrap().len() == 4 {
            break points;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(
        (&points[0]["indexes"], &points[0]["blobs"]),
        (&json!(["token"]), &json!(["a", "b"]))
    );
    assert_eq!(points[0]["doubles"][0], 1.5);
    let logs = world.ok("GET", "/sandbox/logs", Value::Null).await;
    assert!(logs.to_string().contains("seen EU"), "{logs}");
    data_points_answer_sql(&world).await;
    world.sandbox.stop().await.unwrap();
}

/// What the endpoint is around the statements: two methods, no envelope, refusals in plain text, and an account's own data sets.
async fn data_points_answer_sql(world: &World) {
    let sql = "SELECT index1, blob2, blob3, sum(double1) AS sum FROM broadcast GROUP BY index1, blob2, blob3";
    let of = |account: &str| format!("/accounts/{account}/analytics_engine/sql");
    let own = of(ACCOUNT);
    let url = format!("{}{own}", world.sandbox.api());
    let token = world.sandbox.token();
    let posted = world.http.post(&url).bearer_auth(token).body(sql);
    let queried = world.http.get(&url).query(&[("query", sql)]);
    for request in [posted, queried.bearer_auth(token)] {
        let answer = request.send().await.unwrap();
        let kind = answer.headers()["content-type"].clone();
        let answer = answer.text().await.unwrap();
        assert_eq!(kind, "application/json", "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let row = json!({"index1": "token", "blob2": "b", "blob3": "", "sum": 6});
        assert_eq!(answer["data"], json!([row]));
        assert_eq!(answer.get("success"), None, "{answer}");
    }
    let ask = async |path: String, sql: &str| {
        let url = format!("{}{path}", world.sandbox.api());
        let request = world.http.post(url).bearer_auth(token);
        let answer = request.body(sql.to_owned()).send().await.unwrap();
        let kind = answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        (answer.status().as_u16(), kind, answer.text().await.unwrap())
    };
    let refused = |why: &str| {
        let kind = "text/plain; charset=utf-8".to_owned();
        (422, kind, format!("Input was invalid: {why}"))
    };
    let unknown = ask(own, "SELECT uniq(blob1) FROM broadcast").await;
    assert_eq!(unknown, refused("unknown function call: uniq"));
    let other = ask(of(&"0".repeat(32)), sql).await;
    assert_eq!(other, refused("unknown table: broadcast"));
    let nobody = world.http.post(url).body(sql).send().await.unwrap();
    let nobody: Value = nobody.json().await.unwrap();
    assert_eq!(nobody["success"], false, "{nobody}");
}

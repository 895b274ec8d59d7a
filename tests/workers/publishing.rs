use serde_json::json;

use super::{ADMIN, Deployed, HOST, SECRET};
use crate::support::api;

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_only_its_methods_and_every_refusal_is_json_with_a_code() {
    let deployed = Deployed::new();
    for (method, path, refusal, allow) in [
        ("GET", "/", "404 not_found", None),
        ("GET", "/nope", "404 not_found", None),
        ("POST", "/ws/SOL", "405 method_not_allowed", Some("GET")),
        (
            "GET",
            "/broadcast/SOL",
            "405 method_not_allowed",
            Some("POST"),
        ),
        ("PUT", "/broadcast", "405 method_not_allowed", Some("POST")),
        (
            "POST",
            "/health",
            "405 method_not_allowed",
            Some("GET, HEAD"),
        ),
        ("GET", "/ws/SOL", "426 upgrade_required", None),
        ("GET", "/rooms/SOL", "401 missing_credentials", None),
        ("GET", "/secrets/uses", "401 missing_credentials", None),
        ("POST", "/broadcast/SOL", "401 missing_credentials", None),
    ] {
        let answer = deployed.send(method, path, &[], "").await;
        assert_eq!(answer.refusal(), refusal, "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
        assert!(
            !answer.json()["error"]["message"]
                .as_str()
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_is_known_by_either_secret_slot_with_or_without_the_word_bearer() {
    let deployed = Deployed::new();
    let other = "whsec_YW5vdGhlci1zZWNyZXQtb2YtdGhlLXRlc3RzLTAwMDE=";
    let path = api::of_account(
        &deployed.sandbox,
        "workers/scripts/glow-broadcast-staging/secrets",
    );
    let secret =
        json!({ "name": "WEBHOOK_SECRET_ALTERNATE", "text": other, "type": "secret_text" });
    assert_eq!(
        api::call(&deployed.sandbox, "PUT", &path, Some(secret)).await["success"],
        true
    );
    let with = async |value: &str| {
        deployed
            .post("/broadcast/SOL", &[("authorization", value)], "{}")
            .await
    };
    for good in [
        SECRET,
        other,
        &format!("Bearer {SECRET}"),
        &format!("Bearer {other}"),
    ] {
        assert_eq!(with(good).await.status, 200);
    }
    for wrong in [
        "x",
        "Bearer x",
        "Bearer ",
        ADMIN,
        &format!("{SECRET}x"),
        &format!("Basic {SECRET}"),
    ] {
        let refusal = with(wrong).await.refusal();
        assert!(
            refusal == "403 wrong_credentials" || refusal == "401 missing_credentials",
            "{refusal}"
        );
    }
    let used = deployed
        .until("/secrets/uses", |uses| {
            uses["WEBHOOK_SECRET_ALTERNATE"]["uses"] == 2
        })
        .await;
    assert!(
        used["WEBHOOK_SECRET"]["uses"].as_u64().unwrap() >= 2,
        "{used}"
    );
    assert!(
        used["WEBHOOK_SECRET"]["last_used"].as_u64().unwrap() > 1_700_000_000_000,
        "{used}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_update_is_refused_with_the_reason() {
    let deployed = Deployed::new();
    let post = async |headers: &[(&str, &str)], body: &[u8]| {
        deployed
            .post("/broadcast/SOL", headers, body.to_vec())
            .await
            .refusal()
    };
    for body in [
        "",
        "x",
        "[]",
        "\"a\"",
        "null",
        "{\"a\":",
        "{\"slot\":\"x\"}",
    ] {
        let refusal = post(&[], body.as_bytes()).await;
        assert!(
            refusal == "400 invalid_json" || refusal == "400 invalid_update",
            "`{body}`: {refusal}"
        );
    }
    assert_eq!(post(&[], b"{\xff}").await, "400 invalid_json");
    assert_eq!(
        post(&[], br#"{"token":"BONK"}"#).await,
        "400 token_mismatch"
    );
    assert_eq!(
        post(&[("content-type", "text/plain")], b"{}").await,
        "415 unsupported_media_type"
    );
    let gzip = [("content-encoding", "gzip")];
    let answer = deployed.post("/broadcast/SOL", &gzip, "{}").await;
    assert_eq!(
        (
            answer.refusal().as_str(),
            answer.header("accept-encoding"),
            answer.header("content-encoding")
        ),
        ("415 unsupported_encoding", Some("identity"), None)
    );
    let identity = [("content-encoding", "identity")];
    let answer = deployed.post("/broadcast/SOL", &identity, "{}").await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_order_mark_is_skipped_and_reaches_nobody() {
    use futures_util::StreamExt;
    let deployed = Deployed::with(&[("batch_window = \"10ms\"", "batch_window = \"0\"")]);
    let mut client = deployed.client("/ws/SOL", &[]).await;
    for (path, body, text) in [
        ("/broadcast/SOL", "\u{feff}{\"n\":1}", "{\"n\":1,"),
        (
            "/broadcast",
            "\u{feff}[{\"token\":\"SOL\"}]",
            "{\"token\":\"SOL\",",
        ),
    ] {
        let answer = deployed.post(path, &[], body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let frame = client.socket.next().await.unwrap().unwrap();
        let frame = frame.into_text().unwrap();
        assert!(frame.starts_with(text), "{frame}");
    }
    let twice = deployed.post("/broadcast/SOL", &[], "\u{feff}\u{feff}{}");
    assert_eq!(twice.await.refusal(), "400 invalid_json");
}

/// Of a body that says how large it is, nothing is awaited before everything else is known to be right.
#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_body_is_checked_before_it_is_sent() {
    let deployed = Deployed::new();
    let fresh = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let signed = |timestamp: &str, signature: &str| {
        format!(
            "webhook-id: 1\r\nwebhook-timestamp: {timestamp}\r\nwebhook-signature: {signature}\r\n"
        )
    };
    for (secret, headers, refusal) in [
        ("", String::new(), "401 missing_credentials"),
        ("wrong", String::new(), "403 wrong_credentials"),
        (SECRET, signed("soon", "v1,AAAA"), "401 malformed_signature"),
        (SECRET, signed("7", "v1,AAAA"), "401 stale_signature"),
        (
            SECRET,
            signed(&fresh.to_string(), "v2,AAAA"),
            "401 malformed_signature",
        ),
        (
            SECRET,
            "Idempotency-Key: a b\r\n".to_owned(),
            "400 invalid_id",
        ),
        (
            SECRET,
            "Content-Type: text/plain\r\n".to_owned(),
            "415 unsupported_media_type",
        ),
        (
            SECRET,
            "Content-Encoding: gzip\r\n".to_owned(),
            "415 unsupported_encoding",
        ),
    ] {
        let rest = format!("{headers}Content-Length: {}\r\n\r\n", 1 << 20);
        let answer = raw(&deployed, "/broadcast", secret, &rest).await;
        let (status, code) = refusal.split_once(' ').unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(code),
            "{refusal}: {answer}"
        );
    }
    // A body that was sent to its end is no different
    let body = format!("[\"{}\"]", "x".repeat(1_000_000));
    for _ in 0..3 {
        let wrong = [("authorization", "Bearer wrong")];
        let answer = deployed.post("/broadcast", &wrong, body.clone()).await;
        assert_eq!(answer.refusal(), "403 wrong_credentials");
    }
    deployed.publish("SOL", json!({})).await;
}

/// What the body is comes last: whoever is not known learns nothing about it but that it is too large.
#[tokio::test(flavor = "multi_thread")]
async fn size_is_checked_before_credentials_and_credentials_before_the_kind_of_the_body() {
    let deployed = Deployed::new();
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(17_000));
    let unknown = [("authorization", "")];
    let forged = [
        ("webhook-id", "1"),
        ("webhook-timestamp", "soon"),
        ("webhook-signature", "v1,AAAA"),
    ];
    for (headers, body, refusal) in [
        (&[][..], large.as_str(), "413 too_large"),
        (&unknown, &large, "413 too_large"),
        (&forged, &large, "413 too_large"),
        (&forged, "{}", "401 malformed_signature"),
        (&unknown, "{}", "401 missing_credentials"),
        (&unknown, "no object", "401 missing_credentials"),
        (
            &[("authorization", "x")],
            "no object",
            "403 wrong_credentials",
        ),
        (
            &[("authorization", "x"), ("content-type", "text/plain")],
            "{}",
            "403 wrong_credentials",
        ),
        (
            &[("content-type", "text/plain")],
            "no object",
            "415 unsupported_media_type",
        ),
        (&[], "no object", "400 invalid_json"),
    ] {
        let answer = deployed
            .post("/broadcast/SOL", headers, body.to_owned())
            .await;
        assert_eq!(answer.refusal(), refusal, "{headers:?} `{body:.20}`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_a_length_is_read_no_further_than_it_may_be_long() {
    let deployed = Deployed::new();
    let mut client = deployed.client("/ws/SOL", &[]).await;
    let small = chunked(&deployed, SECRET, &["{\"n\"", ":1}"]).await;
    assert!(small.starts_with("HTTP/1.1 200"), "{small}");
    assert_eq!(client.frame().await["n"], 1);
    let chunk = "x".repeat(8_000);
    let large = ["{\"a\":\"", &chunk, &chunk, &chunk, "\"}"];
    for (secret, status) in [(SECRET, 413), ("wrong", 403)] {
        let answer = chunked(&deployed, secret, &large).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    deployed.publish("SOL", json!({ "n": 2 })).await;
}

/// The answer to a publish whose body comes in chunks.
async fn chunked(deployed: &Deployed, secret: &str, chunks: &[&str]) -> String {
    let mut rest = "Transfer-Encoding: chunked\r\n\r\n".to_owned();
    for chunk in chunks.iter().chain(&[""]) {
        rest += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
    }
    raw(deployed, "/broadcast/SOL", secret, &rest).await
}

/// The answer to a publish that goes on with `rest` as it is.
async fn raw(deployed: &Deployed, path: &str, secret: &str, rest: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(deployed.sandbox.ingress)
        .await
        .unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {secret}\r\nContent-Type: application/json\r\nConnection: close\r\n{rest}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    // No more than the head: a server that waits for a body would not end
    let mut answer = vec![0; 512];
    let read = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_too_large_is_refused_alone() {
    let deployed = Deployed::new();
    let items = json!([{ "token": "SOL", "a": "x".repeat(17_000) }, { "token": "SOL" }]);
    let answer = deployed.post("/broadcast", &[], items.to_string()).await;
    assert_eq!(answer.status, 207, "{answer:?}");
    let answer = answer.json();
    assert_eq!(
        (
            &answer["results"][0]["status"],
            &answer["results"][0]["error"]["code"]
        ),
        (&json!(413), &json!("too_large")),
        "{answer}"
    );
    assert_eq!(answer["results"][1]["status"], 200, "{answer}");
    let many = "x".repeat(1 << 20);
    let refusal = deployed.post("/broadcast", &[], many).await.refusal();
    assert_eq!(refusal, "400 invalid_json", "a mebibyte is read");
    // Said beforehand, it is refused before it is sent
    let head = format!("Content-Length: {}\r\n\r\n", (1 << 20) + 1);
    let answer = raw(&deployed, "/broadcast", SECRET, &head).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_of_a_single_publish_is_that_of_a_batchs_item() {
    let deployed = Deployed::new();
    let items = json!([{ "token": "SOL", "n": 1 }]).to_string();
    deployed
        .post("/broadcast", &[("idempotency-key", "x")], items)
        .await;
    for key in ["x", "x:0", "x0", "x,0", "x0V7CS8REbLW4AmQ3hYIuTeP5"] {
        let answer = deployed
            .post("/broadcast/SOL", &[("idempotency-key", key)], "{}")
            .await
            .json();
        assert_eq!(answer["duplicate"], false, "`{key}`: {answer}");
    }
    let refusal = deployed
        .post("/broadcast/SOL", &[("idempotency-key", "x 0")], "{}")
        .await
        .refusal();
    assert_eq!(refusal, "400 invalid_id");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_has_a_key_of_its_own_or_one_that_its_place_in_the_batch_does_not_change() {
    let deployed = Deployed::with(&[("batch_window = \"10ms\"", "batch_window = \"0\"")]);
    let mut client = deployed.client("/ws/SOL", &[]).await;
    let batch = async |key: &str, items: serde_json::Value| {
        let key = [("idempotency-key", key)];
        let key = if key[0].1.is_empty() { &[][..] } else { &key };
        let answer = deployed.post("/broadcast", key, items.to_string()).await;
        let results = answer.json()["results"].clone();
        let results = results.as_array().unwrap().clone();
        let told = results.iter().map(|result| {
            (
                result["seq"].as_u64().unwrap_or_default(),
                result["duplicate"] == true,
            )
        });
        (answer.status, told.collect::<Vec<_>>())
    };
    let (a, b) = (
        json!({ "token": "SOL", "n": 1 }),
        json!({ "token": "SOL", "n": 2 }),
    );
    let first = batch("b1", json!([a, b, a])).await;
    assert_eq!(first, (200, vec![(1, false), (2, false), (3, false)]));
    let reordered = batch("b1", json!([b, a, a])).await;
    assert_eq!(reordered, (200, vec![(2, true), (1, true), (3, true)]));
    let part = batch("b1", json!([a, { "token": "SOL", "n": 3 }])).await;
    assert_eq!(part, (200, vec![(1, true), (4, false)]));
    for n in [1, 2, 1, 3] {
        assert_eq!(client.frame().await["n"], n);
    }
    // Its own, which is that of a single publish too
    let own = json!({ "token": "SOL", "id": "tx-1" });
    assert_eq!(
        batch("", json!([own])).await,
        (200, vec![(5, false)]),
        "without a key of the batch"
    );
    let again = batch("b2", json!([a, own])).await;
    assert_eq!(again, (200, vec![(6, false), (5, true)]));
    let single = [("idempotency-key", "tx-1")];
    let single = deployed.post("/broadcast/SOL", &single, own.to_string());
    assert_eq!(single.await.json()["duplicate"], true);
    let bad = json!([{ "token": "SOL", "id": 7 }, { "token": "SOL", "id": "a b" }, { "token": "SOL", "id": "tx-2" }]);
    let answer = deployed.post("/broadcast", &[], bad.to_string()).await;
    assert_eq!(answer.status, 207, "{answer:?}");
    let results = answer.json()["results"].clone();
    for (index, code) in [(0, json!("invalid_id")), (1, json!("invalid_id"))] {
        assert_eq!(results[index]["error"]["code"], code, "{results}");
    }
    assert_eq!(results[2]["seq"], 7, "{results}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batchs_status_says_whether_all_some_or_none_was_accepted() {
    let deployed = Deployed::new();
    let post = async |items: serde_json::Value| {
        let answer = deployed.post("/broadcast", &[], items.to_string()).await;
        let results = answer.json()["results"].as_array().unwrap().clone();
        let of = |result: &serde_json::Value| result["status"].as_u64().unwrap();
        (answer.status, results.iter().map(of).collect::<Vec<_>>())
    };
    let (good, nameless) = (json!({ "token": "SOL", "slot": 9 }), json!({}));
    let large = json!({ "token": "SOL", "a": "x".repeat(17_000) });
    assert_eq!(post(json!([good, good])).await, (200, vec![200, 200]));
    assert_eq!(post(json!([good, nameless])).await, (207, vec![200, 400]));
    assert_eq!(post(json!([nameless])).await, (400, vec![400]));
    let none = post(json!([nameless, large, 7])).await;
    assert_eq!(none, (413, vec![400, 413, 400]));
    // Nothing is sent of what is stale, and yet there is nothing to be done about it
    let stale = json!({ "token": "SOL", "slot": 8 });
    assert_eq!(post(json!([stale])).await, (200, vec![200]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_is_published_item_by_item_and_a_bad_item_does_not_fail_the_rest() {
    let deployed = Deployed::new();
    let mut client = deployed.client("/ws/SOL", &[]).await;
    let items = json!([{ "token": "SOL", "type": "A", "n": 1 }, { "token": "BONK", "n": 2 }, { "n": 3 }, 7, { "token": "../x" }]);
    let first = deployed
        .post(
            "/broadcast",
            &[("idempotency-key", "batch-1")],
            items.to_string(),
        )
        .await
        .json();
    let statuses: Vec<_> = first["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["status"].clone())
        .collect();
    assert_eq!(statuses, [200, 200, 400, 400, 400]);
    assert_eq!(first["results"][0]["sockets"], 1);
    assert_eq!(first["results"][2]["error"]["code"], "missing_token");
    assert_eq!(client.frame().await["n"], 1);
    let again = deployed
        .post(
            "/broadcast",
            &[("idempotency-key", "batch-1")],
            items.to_string(),
        )
        .await
        .json();
    assert_eq!(again["results"][0]["duplicate"], true, "{again}");
    client.hears_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_returns_the_first_receipt_and_reaches_nobody_twice() {
    let deployed = Deployed::new();
    let mut client = deployed.client("/ws/SOL", &[]).await;
    for header in ["idempotency-key", "webhook-id"] {
        let id = format!("id-of-{header}");
        let first = deployed
            .post("/broadcast/SOL", &[(header, &id)], "{\"n\":1}")
            .await
            .json();
        let again = deployed
            .post("/broadcast/SOL", &[(header, &id)], "{\"n\":1}")
            .await
            .json();
        assert_eq!(
            (&first["duplicate"], &again["duplicate"]),
            (&json!(false), &json!(true))
        );
        for key in ["seq", "epoch", "sockets", "shards", "dropped"] {
            assert_eq!(first[key], again[key], "{key}");
        }
        assert_eq!(client.frame().await["seq"], first["seq"]);
        client.hears_nothing().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_an_older_slot_is_dropped_unless_it_is_forced() {
    let deployed = Deployed::new();
    let publish = async |path: &str, slot: u32| {
        deployed
            .post(
                path,
                &[],
                json!({ "type": "PRICE_UPDATE", "slot": slot }).to_string(),
            )
            .await
            .json()
    };
    let five = publish("/broadcast/SOL", 5).await;
    assert_eq!(five["stale"], false);
    let four = publish("/broadcast/SOL", 4).await;
    assert_eq!((&four["stale"], &four["seq"]), (&json!(true), &five["seq"]));
    assert_eq!(publish("/broadcast/SOL?force=1", 4).await["stale"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receipt_has_every_documented_member() {
    let deployed = Deployed::new();
    let _client = deployed.client("/ws/SOL", &[]).await;
    let receipt = deployed.publish("SOL", json!({ "type": "A" })).await;
    let keys: Vec<&String> = receipt.as_object().unwrap().keys().collect();
    let mut wanted = vec![
        "seq",
        "epoch",
        "sockets",
        "shards",
        "dropped",
        "duplicate",
        "stale",
        "batched",
        "failed_shards",
        "took_ms",
    ];
    wanted.sort_unstable();
    assert_eq!(keys, wanted);
    assert_eq!(
        (&receipt["seq"], &receipt["sockets"], &receipt["shards"]),
        (&json!(1), &json!(1), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_publishers_text_is_spliced_and_not_serialised_anew() {
    use futures_util::StreamExt;
    let deployed = Deployed::new();
    let mut client = deployed.client("/ws/SOL", &[]).await;
    let body = r#"{"type" : "A", "price": 1.10, "big": 12345678901234567890, "text": "\u00e9"}"#;
    let receipt = deployed.post("/broadcast/SOL", &[], body).await.json();
    let frame = client
        .socket
        .next()
        .await
        .unwrap()
        .unwrap()
        .into_text()
        .unwrap();
    let (start, _) = body.split_at(body.len() - 1);
    assert_eq!(
        frame.as_str(),
        format!(
            "{start},\"seq\":{},\"epoch\":{}}}",
            receipt["seq"], receipt["epoch"]
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_batch_is_a_batch_and_nothing_that_is_the_systems_own_is_accepted() {
    let deployed = Deployed::new();
    let mut client = deployed.client("/ws/SOL", &[]).await;
    for (body, refusal) in [
        (r#"{"type":"connected"}"#, "400 reserved_type"),
        (r#"{"type":"ping"}"#, "400 reserved_type"),
        (r#"{"type":"pong"}"#, "400 reserved_type"),
        (r#"{"type":"ack","seq":1}"#, "400 reserved_key"),
        (r#"{"a":1,"seq":1}"#, "400 reserved_key"),
        (r#"{"epoch":"x"}"#, "400 reserved_key"),
        (r#"{"type":"BATCH_UPDATE"}"#, "400 reserved_type"),
        (
            r#"{"type":"BATCH_UPDATE","updates":[]}"#,
            "400 invalid_count",
        ),
        (
            r#"{"type":"BATCH_UPDATE","updates":[{"n":1},{"type":"pong"}]}"#,
            "400 reserved_type",
        ),
        (
            r#"{"type":"BATCH_UPDATE","updates":[{"token":"BONK"}]}"#,
            "400 token_mismatch",
        ),
    ] {
        let answer = deployed.post("/broadcast/SOL", &[], body).await;
        assert_eq!(answer.refusal(), refusal, "{body}");
    }
    let items = r#"[{"token":"SOL","type":"ping"},{"token":"SOL","seq":1}]"#;
    let answer = deployed.post("/broadcast", &[], items).await.json();
    let codes = [0, 1].map(|at| answer["results"][at]["error"]["code"].clone());
    assert_eq!(codes, ["reserved_type", "reserved_key"]);

    let body = r#"{"type":"BATCH_UPDATE","updates":[{"type":"A","n":1.50},{"type":"A","n":2}]}"#;
    let key = [("idempotency-key", "batch")];
    let receipt = deployed.post("/broadcast/SOL", &key, body).await.json();
    let epoch = &receipt["epoch"];
    assert_eq!(
        (&receipt["first_seq"], &receipt["seq"], &receipt["sockets"]),
        (&json!(1), &json!(2), &json!(1))
    );
    let first = json!({ "type": "A", "n": 1.5, "seq": 1, "epoch": epoch });
    let second = json!({ "type": "A", "n": 2, "seq": 2, "epoch": epoch });
    let frame = json!({ "type": "BATCH_UPDATE", "updates": [first, second] });
    assert_eq!(client.frame().await, frame);
    let again = deployed.post("/broadcast/SOL", &key, body).await.json();
    assert_eq!(
        (&again["duplicate"], &again["first_seq"], &again["seq"]),
        (&json!(true), &json!(1), &json!(2))
    );
    let other = deployed.post("/broadcast/SOL", &key, "{}").await;
    assert_eq!(other.refusal(), "422 id_reused");
    client.hears_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_type_has_its_own_slot_and_one_wrong_clock_makes_nothing_stale() {
    let deployed = Deployed::new();
    let publish = async |kind: &str, slot: u64| {
        let receipt = deployed
            .publish("SOL", json!({ "type": kind, "slot": slot }))
            .await;
        let implausible = receipt["implausible_slot"] == true;
        (receipt["stale"] == true, implausible)
    };
    for (kind, slot, judged) in [
        ("PRICE", 1_796_000_000_000, (false, false)),
        ("PRICE", 300_000_001, (false, true)),
        ("PRICE", 300_000_002, (false, false)),
        ("TRADE", 300_000_001, (false, false)),
        ("PRICE", 1_796_000_000_000, (false, true)),
        ("PRICE", 300_000_002, (false, false)),
        ("PRICE", 300_000_001, (true, false)),
    ] {
        assert_eq!(publish(kind, slot).await, judged, "{kind} {slot}");
    }
    let room = deployed.inspect("/rooms/SOL").await;
    let counted = &room["root"]["counters"];
    assert_eq!(
        (&counted["stale"], &counted["implausible_slots"]),
        (&json!(1), &json!(2))
    );
}

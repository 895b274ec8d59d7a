use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{ACCOUNT, World, script};

#[tokio::test]
async fn every_answer_is_an_envelope_whatever_was_asked() {
    let world = World::new().await;
    world.deploy_room().await;
    let settings = format!("{}/settings", script("room"));
    let faults = "/sandbox/faults";
    world
        .ok("POST", faults, json!({"path": "/user", "kind": "panic"}))
        .await;
    for (method, path, status, codes) in [
        ("GET", "/nonsense", 404, vec![7003, 7000]),
        ("TRACE", "/zones", 405, vec![10405]),
        ("DELETE", "/accounts", 405, vec![10405]),
        ("POST", settings.as_str(), 405, vec![10405]),
        ("GET", "/user", 500, vec![10013]),
        (
            "GET",
            "/accounts/acc0/workers/scripts",
            404,
            vec![7003, 7000],
        ),
        ("GET", "/zones/nowhere", 404, vec![7003, 7000]),
        // A body that cannot be read
        ("PUT", "/sandbox/limits", 400, vec![10026]),
        // No multipart at all
        ("PUT", &script("room"), 400, vec![10021]),
        // A path that is no text
        (
            "GET",
            "/accounts/%ff/workers/scripts",
            404,
            vec![7003, 7000],
        ),
    ] {
        let answer = world.sent(method, path, Value::Null).await;
        assert_eq!(answer.status(), status, "{method} {path}");
        assert_eq!(
            answer.headers()["content-type"],
            "application/json",
            "{method} {path}"
        );
        let body: Value = answer.json().await.unwrap();
        let told: Vec<u64> = body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["code"].as_u64().unwrap())
            .collect();
        assert_eq!(told, codes, "{method} {path}: {body}");
        assert_eq!(
            (&body["success"], &body["result"], &body["messages"]),
            (&json!(false), &json!(null), &json!([])),
            "{body}"
        );
    }
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_wrong_credential_is_refused_in_cloudflares_words() {
    let world = World::new().await;
    let url = format!("{}/accounts/{ACCOUNT}/workers/scripts", world.sandbox.api());
    let stranger = "s".repeat(40);
    let get = || world.http.get(&url);
    let malformed = |code: u64, message: &str| json!([{"code": 6003, "message": "Invalid request headers", "error_chain": [{"code": code, "message": message}]}]);
    let own = world.sandbox.token();
    for (request, status, errors) in [
        (
            get(),
            400,
            json!([{"code": 9106, "message": "Missing X-Auth-Key, X-Auth-Email or Authorization headers"}]),
        ),
        (
            get().bearer_auth("short"),
            400,
            malformed(6111, "Invalid format for Authorization header"),
        ),
        (
            get().header("authorization", "Basic x"),
            400,
            malformed(6111, "Invalid format for Authorization header"),
        ),
        (
            get().header("x-auth-key", own),
            400,
            malformed(6103, "Invalid format for X-Auth-Key header"),
        ),
        (
            get().bearer_auth(&stranger),
            403,
            json!([{"code": 10000, "message": "Authentication error: the sandbox has another token"}]),
        ),
        (
            get()
                .header("x-auth-key", own)
                .header("x-auth-email", "a@glow.trade"),
            200,
            json!([]),
        ),
        (get().bearer_auth(own), 200, json!([])),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.json::<Value>().await.unwrap()["errors"], errors);
    }
    let verify = format!("{}/user/tokens/verify", world.sandbox.api());
    let answer = world
        .http
        .get(verify)
        .bearer_auth(&stranger)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(
        answer.json::<Value>().await.unwrap()["errors"][0]["code"],
        1000
    );
    world.sandbox.stop().await.unwrap();
}

/// Sends a request as a simple client does: the whole body first, then reads until the end. The status line, and what the answer says.
async fn patient(address: &str, head: &str, megabytes: usize) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = megabytes << 20;
    let head = format!("{head}Connection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let part = vec![b'x'; 1 << 20];
    for _ in 0..megabytes {
        stream.write_all(&part).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test]
async fn a_body_that_is_refused_early_is_read_so_that_the_answer_arrives() {
    let world = World::new().await;
    let upload = format!("/client/v4{}", script("room"));
    let address = world.sandbox.api().replace("http://", "");
    let address = address.split('/').next().unwrap().to_owned();
    let token = format!("Authorization: Bearer {}\r\n", world.sandbox.token());
    for (path, headers, megabytes, line, code) in [
        (upload.as_str(), "", 30, "HTTP/1.1 400 Bad Request", 9106),
        (
            "/client/v4/nonsense",
            token.as_str(),
            30,
            "HTTP/1.1 404 Not Found",
            7003,
        ),
        (
            "/client/v4/zones",
            token.as_str(),
            30,
            "HTTP/1.1 405 Method Not Allowed",
            10405,
        ),
        (
            "/client/v4/sandbox/limits",
            token.as_str(),
            110,
            "HTTP/1.1 413 Payload Too Large",
            10027,
        ),
    ] {
        let head = format!("PUT {path} HTTP/1.1\r\nHost: sandbox\r\n{headers}");
        let (told, body) = patient(&address, &head, megabytes).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (told.as_str(), &body["errors"][0]["code"]),
            (line, &json!(code)),
            "{path}"
        );
    }
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_worker_that_refuses_a_body_early_is_heard_through_the_ingress() {
    let world = World::new().await;
    let code = "export default { fetch() { return new Response('too long', { status: 413 }) } }";
    let metadata =
        json!({"main_module": "index.js", "compatibility_date": "2026-01-01", "bindings": []});
    let (status, body) = world.upload("PUT", &script("strict"), code, metadata).await;
    assert_eq!(status, 200, "{body}");
    let routes = format!("{}/routes", script("strict"));
    let route = json!([{"pattern": "ws.glow.trade/*"}]);
    world.ok("PUT", &routes, route).await;
    let address = world.sandbox.ingress().to_string();
    let head = "POST / HTTP/1.1\r\nHost: ws.glow.trade\r\n";
    for megabytes in [1, 2, 30] {
        let told = patient(&address, head, megabytes).await;
        assert_eq!(
            told,
            (
                "HTTP/1.1 413 Payload Too Large".to_owned(),
                "too long".to_owned()
            ),
            "{megabytes} MiB"
        );
    }
    world.sandbox.stop().await.unwrap();
}

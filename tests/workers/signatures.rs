use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{Deployed, SECRET};
use crate::npm;

/// Headers made by the published `standardwebhooks` library, which gets the secret by standard input.
fn signed(id: &str, seconds: u64, body: &str) -> Vec<(String, String)> {
    let program = "const { Webhook } = require('standardwebhooks'); const fs = require('fs'); \
        const { secret, id, seconds, body } = JSON.parse(fs.readFileSync(0)); \
        console.log(new Webhook(secret).sign(id, new Date(seconds * 1000), body))";
    let mut child = Command::new("node")
        .args(["-e", program])
        .current_dir(npm::modules().parent().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = json!({ "secret": SECRET, "id": id, "seconds": seconds, "body": body });
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let signature = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    vec![
        ("webhook-id".to_owned(), id.to_owned()),
        ("webhook-timestamp".to_owned(), seconds.to_string()),
        ("webhook-signature".to_owned(), signature),
        ("content-type".to_owned(), "application/json".to_owned()),
    ]
}

async fn post(deployed: &Deployed, headers: &[(String, String)], body: &str) -> super::Answer {
    post_to(deployed, "/broadcast/SOL", headers, body).await
}

async fn post_to(
    deployed: &Deployed,
    path: &str,
    headers: &[(String, String)],
    body: &str,
) -> super::Answer {
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    deployed.send("POST", path, &headers, body.to_owned()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_that_the_published_library_signed_is_accepted_and_anything_else_is_not() {
    let deployed = Deployed::with(&[("require_signature = false", "require_signature = true")]);
    let mut client = deployed.client("/ws/SOL", &[]).await;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let body = r#"{"type":"PRICE_UPDATE","token":"SOL","price":125.45}"#;
    let good = signed("msg_1", now, body);
    let receipt: Value = post(&deployed, &good, body).await.json();
    assert_eq!(receipt["sockets"], 1, "{receipt}");
    assert_eq!(client.frame().await["price"], 125.45);
    assert_eq!(post(&deployed, &good, body).await.json()["duplicate"], true);

    let mut several = signed("msg_2", now, body);
    several[2].1 = format!("v1,AAAA v2,zzzz {}", several[2].1);
    assert_eq!(post(&deployed, &several, body).await.status, 200);

    assert_eq!(
        post(&deployed, &signed("msg_3", now, body), "{}")
            .await
            .refusal(),
        "403 wrong_credentials"
    );
    for seconds in [now - 400, now + 400] {
        assert_eq!(
            post(&deployed, &signed("msg_4", seconds, body), body)
                .await
                .refusal(),
            "401 stale_signature"
        );
    }
    let mut malformed = signed("msg_5", now, body);
    malformed[1].1 = "soon".to_owned();
    assert_eq!(
        post(&deployed, &malformed, body).await.refusal(),
        "401 malformed_signature"
    );
    let other = r#"{"token":"BONK"}"#;
    assert_eq!(
        post(&deployed, &signed("msg_6", now, other), other)
            .await
            .refusal(),
        "400 token_mismatch"
    );
    assert_eq!(
        deployed.post("/broadcast/SOL", &[], body).await.refusal(),
        "401 signature_required"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_for_the_room_that_its_body_names_and_the_url_adds_nothing() {
    let deployed = Deployed::with(&[("batch_window = \"10ms\"", "batch_window = \"0\"")]);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let send = async |id: &str, path: &str, body: &str| {
        post_to(&deployed, path, &signed(id, now, body), body).await
    };
    for (path, body, refusal) in [
        ("/broadcast/SOL", r#"{"price":1}"#, "400 missing_token"),
        ("/broadcast/BONK", r#"{"price":1}"#, "400 missing_token"),
        (
            "/broadcast/BONK",
            r#"{"token":"SOL"}"#,
            "400 token_mismatch",
        ),
        (
            "/broadcast/SOL",
            r#"{"type":"BATCH_UPDATE","updates":[{"token":"SOL"}]}"#,
            "400 missing_token",
        ),
        (
            "/broadcast/SOL?force=1",
            r#"{"token":"SOL"}"#,
            "400 unsigned_force",
        ),
        (
            "/broadcast?force=true",
            r#"[{"token":"SOL"}]"#,
            "400 unsigned_force",
        ),
    ] {
        assert_eq!(send("m0", path, body).await.refusal(), refusal, "{path}");
    }
    // Of what was refused nothing is remembered
    let publish = async |id: &str, path: &str, body: &str| {
        let answer = send(id, path, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let receipt = answer.json();
        let receipt = receipt["results"].get(0).unwrap_or(&receipt);
        (receipt["seq"].clone(), receipt["stale"].clone())
    };
    let five = publish("m0", "/broadcast/SOL", r#"{"token":"SOL","slot":5}"#);
    assert_eq!(five.await, (json!(1), json!(false)));
    let four = publish("m1", "/broadcast/SOL", r#"{"token":"SOL","slot":4}"#);
    assert_eq!(four.await, (json!(1), json!(true)));
    let ignored = "/broadcast/SOL?force=0";
    let four = publish("m2", ignored, r#"{"token":"SOL","slot":4}"#);
    assert_eq!(four.await, (json!(1), json!(true)));
    let body = r#"{"token":"SOL","slot":4,"force":true}"#;
    let forced = publish("m3", "/broadcast/SOL", body);
    assert_eq!(forced.await, (json!(2), json!(false)));
    let body = r#"[{"token":"SOL","slot":3,"force":true}]"#;
    let forced = publish("m4", "/broadcast", body);
    assert_eq!(forced.await, (json!(3), json!(false)));
    // The mark is signed with the rest
    let marked = "\u{feff}{\"token\":\"SOL\",\"slot\":9}";
    let sent = publish("m5", "/broadcast/SOL", marked);
    assert_eq!(sent.await, (json!(4), json!(false)));
    let unmarked = &marked[3..];
    let headers = signed("m6", now, marked);
    assert_eq!(
        post(&deployed, &headers, unmarked).await.refusal(),
        "403 wrong_credentials"
    );
    // A secret opens every room
    let bearer = deployed.post("/broadcast/SOL?force=1", &[], r#"{"slot":1}"#);
    assert_eq!(bearer.await.json()["stale"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_before_the_oldest_id_that_a_room_knows_is_not_accepted_again() {
    let deployed = Deployed::with(&[
        (
            "broadcast_rate = { limit = 1000",
            "broadcast_rate = { limit = 10000",
        ),
        (
            "batch_window = \"10ms\"",
            "publish_rate = 0\nbatch_window = \"10ms\"",
        ),
    ]);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let body = r#"{"token":"SOL","n":1}"#;
    let first = signed("msg_1", now, body);
    assert_eq!(post(&deployed, &first, body).await.status, 200);
    for batch in 0..22 {
        let items: Vec<Value> = (0..100)
            .map(|n| json!({ "token": "SOL", "id": format!("{batch}-{n}") }))
            .collect();
        let answer = deployed
            .post("/broadcast", &[], json!(items).to_string())
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let again = post(&deployed, &first, body).await.json();
    assert_eq!(again["duplicate"], true, "all are in memory: {again}");
    // Ids of the last second are written when it is over
    deployed
        .until("/rooms/SOL", |room| {
            room["root"]["awake"]["held_by"] == json!([])
        })
        .await;
    deployed.restart().await;
    let again = post(&deployed, &first, body).await;
    assert_eq!(again.refusal(), "401 stale_signature", "{again:?}");
    // A second later than any of these
    let later = signed("msg_2", now + 60, body);
    assert_eq!(post(&deployed, &later, body).await.status, 200);
}

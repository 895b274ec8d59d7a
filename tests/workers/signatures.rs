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
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    deployed
        .send("POST", "/broadcast/SOL", &headers, body.to_owned())
        .await
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

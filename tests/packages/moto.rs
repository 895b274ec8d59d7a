//! A queue of SQS on this machine: moto's server, which speaks the wire of AWS and is nobody's here.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::sdk;
use crate::support::cryptography;

const MOTO: &str = "moto[server]==5.2.5";

/// Serves until its input ends, which is when this test has ended, however it did.
const SERVE: &str = "
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
";

/// What a program finds instead of AWS.
pub(crate) struct Moto {
    process: Child,
    /// `http://127.0.0.1:PORT`
    pub(crate) endpoint: String,
    http: reqwest::Client,
}

impl Moto {
    pub(crate) fn start() -> Self {
        cryptography();
        let mut process = Command::new(sdk::python_with(MOTO))
            .args(["-c", SERVE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut port)
            .unwrap();
        Self {
            process,
            endpoint: format!("http://127.0.0.1:{}", port.trim()),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// What the AWS SDKs read: this endpoint, and credentials that are none.
    pub(crate) fn environment(&self) -> [(&'static str, &str); 4] {
        [
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]
    }

    /// Makes a queue, a FIFO one where its name ends with `.fifo`; its URL.
    pub(crate) async fn queue(&self, name: &str) -> String {
        let attributes = match name.ends_with(".fifo") {
            true => json!({ "FifoQueue": "true" }),
            false => json!({}),
        };
        let asked = json!({ "QueueName": name, "Attributes": attributes });
        let made = self.call("CreateQueue", asked).await;
        made["QueueUrl"].as_str().unwrap().to_owned()
    }

    /// Takes every message of a queue, in order: each with its `Body` and its `Attributes`.
    pub(crate) async fn messages(&self, queue: &str) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let asked =
                json!({ "QueueUrl": queue, "MaxNumberOfMessages": 10, "AttributeNames": ["All"] });
            let mut answer = self.call("ReceiveMessage", asked).await;
            let Some(found) = answer["Messages"].as_array_mut().map(std::mem::take) else {
                return all;
            };
            if found.is_empty() {
                return all;
            }
            for message in found {
                let handle = &message["ReceiptHandle"];
                let done = json!({ "QueueUrl": queue, "ReceiptHandle": handle });
                self.call("DeleteMessage", done).await;
                all.push(message);
            }
        }
    }

    pub(super) async fn call(&self, action: &str, body: Value) -> Value {
        let scope = "Credential=test/20260101/us-east-1/sqs/aws4_request";
        let signed = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=none");
        let answer = self
            .http
            .post(&self.endpoint)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AmazonSQS.{action}"))
            .header("authorization", signed)
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{action}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn the_local_queue_keeps_what_it_was_sent_in_order() {
    let moto = Moto::start();
    for name in ["prices", "prices.fifo"] {
        let queue = moto.queue(name).await;
        assert!(queue.starts_with(moto.environment()[0].1), "{queue}");
        let mut group = json!({ "MessageGroupId": "SOL", "MessageDeduplicationId": "1" });
        for text in ["one", "two"] {
            let mut message = json!({ "QueueUrl": queue, "MessageBody": text });
            if name.ends_with(".fifo") {
                group["MessageDeduplicationId"] = text.into();
                let fields = group.as_object().unwrap().clone();
                message.as_object_mut().unwrap().extend(fields);
            }
            moto.call("SendMessage", message).await;
        }
        let bodies = moto.messages(&queue).await;
        let bodies: Vec<&Value> = bodies.iter().map(|message| &message["Body"]).collect();
        assert_eq!(bodies, ["one", "two"], "{name}");
        assert!(moto.messages(&queue).await.is_empty());
    }
}

//! The deployed workers, on the real runtime, through the sandbox's ingress.

mod batching;
mod capacity;
mod compression;
mod console;
mod crash;
mod crowd;
mod delivery;
mod ended;
mod faulty;
mod handshake;
mod hibernation;
mod hostile;
mod inspect;
mod limits;
mod peers;
mod publishing;
mod resume;
mod shards;
mod signatures;
mod stored;
mod wrapped;

use std::time::{Duration, Instant};

use edge_broadcast::live::site::next_frame;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::packages::contract;
use crate::support::{Project, Run, Sandbox, api, built, changed, cryptography, manifest};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwZm9yLXRlc3Rz";
pub(crate) const ADMIN: &str = "whsec_YWRtaW4tc2VjcmV0LW9mLXRoZS13b3JrZXItdGVzdHM=";
pub(crate) const HOST: &str = "broadcast-staging.glow.trade";

/// The staging environment, with changes, deployed to a sandbox of its own.
pub(crate) struct Deployed {
    pub(crate) sandbox: Sandbox,
    http: reqwest::Client,
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `403 wrong_credentials`
    pub(crate) fn refusal(&self) -> String {
        format!(
            "{} {}",
            self.status,
            self.json()["error"]["code"].as_str().unwrap_or("-")
        )
    }
}

/// How a handshake ended.
pub(crate) enum Opened {
    Socket(Box<Client>),
    Refused(u16, String),
}

/// A client, after its first frame.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
    pub(crate) hello: Value,
    pub(crate) extensions: Option<String>,
}

impl Client {
    pub(crate) async fn frame(&mut self) -> Value {
        self.next().await.unwrap()
    }

    /// The next frame, or why there is none.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Value> {
        let frame = next_frame(&mut self.socket).await?;
        contract::assert_frame(&frame);
        Ok(frame)
    }

    /// The member `n` of the next so many updates, whatever frames they come in.
    pub(crate) async fn updates(&mut self, count: usize) -> Vec<u64> {
        let mut heard = Vec::new();
        while heard.len() < count {
            let frame = self.frame().await;
            let one = vec![frame.clone()];
            let updates = frame["updates"].as_array().unwrap_or(&one).iter();
            heard.extend(updates.map(|update| update["n"].as_u64().unwrap()));
        }
        heard
    }

    /// That nothing comes for a while.
    pub(crate) async fn hears_nothing(&mut self) {
        let frame =
            tokio::time::timeout(Duration::from_millis(300), next_frame(&mut self.socket)).await;
        assert!(frame.is_err(), "{frame:?}");
    }

    /// Waits for the end of the socket, whatever it is.
    pub(crate) async fn ended(&mut self) {
        while next_frame(&mut self.socket).await.is_ok() {}
    }

    /// The close code and reason that come next.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        let error = next_frame(&mut self.socket).await.unwrap_err().to_string();
        let text = error
            .strip_prefix("the socket was closed with ")
            .unwrap_or_else(|| panic!("{error}"));
        let (code, reason) = text.split_once(": ").unwrap();
        let code = code.parse().unwrap();
        contract::assert_close(code, reason);
        (code, reason.to_owned())
    }
}

impl Deployed {
    /// The bare connection of an open socket, with more `headers` in its request, each with its line's end.
    pub(crate) async fn upgraded(&self, token: &str, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.sandbox.ingress).await.unwrap();
        let head = format!(
            "GET /ws/{token} HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"));
        stream
    }

    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// With texts of the manifest replaced.
    pub(crate) fn with(changes: &[(&str, &str)]) -> Self {
        built();
        cryptography();
        let sandbox = Sandbox::start();
        Self::deploy(&sandbox, changes);
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        Self { sandbox, http }
    }

    /// Deploys the environment with other changes over what is there.
    pub(crate) fn deploy(sandbox: &Sandbox, changes: &[(&str, &str)]) {
        let text = manifest("staging").replace(
            "\n[analytics]",
            "\n[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\"\n\n[analytics]",
        );
        let project = Project::new();
        project.write("environments/staging.toml", &changed(text, changes));
        Run::new(["deploy", "staging"])
            .inside(&project)
            .against(sandbox)
            .env("WEBHOOK_SECRET", SECRET)
            .env("ADMIN_SECRET", ADMIN)
            .succeeds();
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let url = format!("http://{}{path}", self.sandbox.ingress);
        let mut request = self.http.request(method.parse().unwrap(), url).body(body);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", HOST);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let answer = Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        };
        // What stands at the hosts of other scripts is a test's own
        let host = headers.iter().find(|(name, _)| *name == "host");
        if host.is_none_or(|(_, host)| host.starts_with("broadcast")) {
            contract::assert_answer(method, path, &answer);
        }
        answer
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, "").await
    }

    /// What the admin secret opens.
    pub(crate) async fn inspect(&self, path: &str) -> Value {
        let answer = self.get(path, &[("authorization", ADMIN)]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// A publish with the secret and further headers.
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let authorization = format!("Bearer {SECRET}");
        let mut all = vec![
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
        all.extend(headers);
        self.send("POST", path, &all, body).await
    }

    /// Publishes one update, which must be accepted; its receipt.
    pub(crate) async fn publish(&self, token: &str, update: Value) -> Value {
        let answer = self
            .post(&format!("/broadcast/{token}"), &[], update.to_string())
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    pub(crate) async fn open(&self, path: &str, headers: &[(&str, &str)]) -> Opened {
        let mut request = format!("ws://{}{path}", self.sandbox.ingress)
            .into_client_request()
            .unwrap();
        request.headers_mut().insert("host", HOST.parse().unwrap());
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(self.sandbox.ingress).await.unwrap();
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((mut socket, response)) => {
                let extensions = response.headers().get("sec-websocket-extensions");
                let extensions = extensions
                    .and_then(|value| value.to_str().ok())
                    .map(ToOwned::to_owned);
                let hello = next_frame(&mut socket)
                    .await
                    .unwrap_or_else(|error| json!({ "closed": error.to_string() }));
                Opened::Socket(Box::new(Client {
                    socket,
                    hello,
                    extensions,
                }))
            }
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                Opened::Refused(
                    response.status().as_u16(),
                    body["error"]["code"].as_str().unwrap_or("-").to_owned(),
                )
            }
            Err(error) => Opened::Refused(0, error.to_string()),
        }
    }

    /// A client that must be let in.
    pub(crate) async fn client(&self, path: &str, headers: &[(&str, &str)]) -> Client {
        match self.open(path, headers).await {
            Opened::Socket(client) => {
                assert_eq!(client.hello["type"], "connected", "{}", client.hello);
                contract::assert_frame(&client.hello);
                *client
            }
            Opened::Refused(status, code) => panic!("`{path}` was refused with {status} {code}"),
        }
    }

    /// `503 room_full`
    pub(crate) async fn refused(&self, path: &str, headers: &[(&str, &str)]) -> String {
        match self.open(path, headers).await {
            Opened::Socket(client) => panic!("`{path}` got {}", client.hello),
            Opened::Refused(status, code) => format!("{status} {code}"),
        }
    }

    /// `4013 room_full;retry=30`: how a socket was closed that was opened for that alone
    pub(crate) async fn told(&self, path: &str, headers: &[(&str, &str)]) -> String {
        match self.open(path, headers).await {
            Opened::Socket(client) => {
                let closed = client.hello["closed"].as_str();
                let closed =
                    closed.and_then(|text| text.strip_prefix("the socket was closed with "));
                let closed = closed.unwrap_or_else(|| panic!("`{path}` got {}", client.hello));
                closed.replacen(": ", " ", 1)
            }
            Opened::Refused(status, code) => panic!("`{path}` was refused with {status} {code}"),
        }
    }

    /// Restarts the runtime, as a new version of the room does: by a change of a secret of the room's script.
    pub(crate) async fn restart(&self) {
        let path = api::of_account(
            &self.sandbox,
            "workers/scripts/glow-broadcast-staging-room/secrets",
        );
        let secret = json!({ "name": "UNUSED", "text": format!("{:?}", Instant::now()), "type": "secret_text" });
        let answer = api::call(&self.sandbox, "PUT", &path, Some(secret)).await;
        assert_eq!(answer["success"], true, "{answer}");
    }

    /// Asks `what` until it is so, for at most ten seconds.
    pub(crate) async fn until(&self, path: &str, what: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let seen = self.inspect(path).await;
            if what(&seen) {
                return seen;
            }
            assert!(Instant::now() < until, "`{path}` stays at {seen:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

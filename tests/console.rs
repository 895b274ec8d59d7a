//! What the sandbox of `dev` does for the page at `/console`, and for nobody else.

use std::net::SocketAddr;

use edge_broadcast::live::site::{Handshake, Site, Socket, next_frame};

use crate::support::going::Going;
use crate::support::{Project, Run, built, cryptography};
use crate::workers::Deployed;

const HOST: &str = "broadcast.glow.localhost";
const PAGE: [(&str, &str); 2] = [
    ("sec-fetch-site", "same-origin"),
    ("x-edge-broadcast-console", "1"),
];

struct Asking {
    http: reqwest::Client,
    ingress: SocketAddr,
}

impl Asking {
    /// The status of an answer, and its body.
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let url = format!("http://{}{path}", self.ingress);
        let request = self.http.request(method.parse().unwrap(), url);
        let mut request = request.header("host", HOST);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if path.starts_with("/broadcast") {
            request = request
                .header("content-type", "application/json")
                .body(r#"{"type":"A","price":1}"#);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn status(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
        self.ask(method, path, headers).await.0
    }

    async fn socket(&self, token: &str) -> Box<Socket> {
        let site = Site::new(HOST, Some(self.ingress)).unwrap();
        let opened = site.socket(&format!("/ws/{token}"), None).await.unwrap();
        let Handshake::Open(mut socket) = opened else {
            panic!("no socket")
        };
        assert_eq!(next_frame(&mut socket).await.unwrap()["type"], "connected");
        socket
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_gets_secrets_and_faults_from_the_sandbox_of_dev_and_nobody_else_does() {
    built();
    cryptography();
    let project = Project::with_all();
    let dev = Going::start(Run::new(["dev", "--json"]).inside(&project));
    let ready = dev.event();
    assert_eq!(
        ready["console"],
        format!("{}/console", ready["url"].as_str().unwrap())
    );
    assert_eq!(dev.event()["event"], "deployed");
    let ingress = ready["ingress"].as_str().unwrap();
    let asking = Asking {
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
        ingress: ingress.trim_start_matches("http://").parse().unwrap(),
    };

    // Secrets
    let foreign = [("sec-fetch-site", "cross-site"), PAGE[1]];
    let own = [PAGE[0], PAGE[1], ("authorization", "Bearer wrong")];
    for (headers, publish, look) in [
        (&PAGE[..], 200, 200),
        (&PAGE[..1], 401, 401),
        (&PAGE[1..], 401, 401),
        (&foreign, 401, 401),
        (&own, 403, 403),
    ] {
        let asked = [
            asking.status("POST", "/broadcast/SOL", headers).await,
            asking.status("GET", "/rooms/SOL", headers).await,
        ];
        assert_eq!(asked, [publish, look], "{headers:?}");
    }

    // Faults
    let place = "/cdn-cgi/sandbox";
    for (method, path, headers, status) in [
        ("GET", "restart", &PAGE[..], 405),
        ("POST", "restart", &PAGE[..1], 403),
        ("POST", "evict/SOL", &PAGE[1..], 403),
        ("POST", "evict/no%2Ftoken", &PAGE, 400),
        ("POST", "else", &PAGE, 404),
    ] {
        let path = format!("{place}/{path}");
        let answered = asking.status(method, &path, headers).await;
        assert_eq!(answered, status, "{method} {path} {headers:?}");
    }
    let (mut sol, mut bonk) = (asking.socket("SOL").await, asking.socket("BONK").await);
    let ended = asking
        .status("POST", &format!("{place}/evict/SOL"), &PAGE)
        .await;
    assert_eq!(ended, 204);
    assert!(next_frame(&mut sol).await.is_err());
    let published = asking.ask("POST", "/broadcast/SOL", &PAGE).await;
    assert_eq!(published.0, 200, "{}", published.1);
    asking.status("POST", "/broadcast/BONK", &PAGE).await;
    assert_eq!(next_frame(&mut bonk).await.unwrap()["price"], 1);
    let killed = asking
        .status("POST", &format!("{place}/restart"), &PAGE)
        .await;
    assert_eq!(killed, 204);
    assert!(next_frame(&mut bonk).await.is_err());
    assert_eq!(asking.status("GET", "/health", &[]).await, 200);
    let published = asking.status("POST", "/broadcast/BONK", &PAGE).await;
    assert_eq!(published, 200);
    let (code, _) = dev.interrupted();
    assert_eq!(code, Some(130));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_sandbox_hands_such_requests_to_the_worker() {
    let deployed = Deployed::new();
    for path in ["/cdn-cgi/sandbox/restart", "/cdn-cgi/sandbox/evict/SOL"] {
        let answer = deployed.send("POST", path, &PAGE, "").await;
        assert_eq!(answer.refusal(), "404 not_found", "{path}");
    }
    let answer = deployed.send("POST", "/broadcast/SOL", &PAGE, "{}").await;
    assert_eq!(answer.refusal(), "401 missing_credentials");
}

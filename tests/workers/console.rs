use serde_json::json;

use super::{Answer, Deployed};
use crate::support::{api, repository};

const DEBUG: (&str, &str) = ("[worker]\n", "[worker]\ndebug = true\n");

fn headers<'a>(answer: &'a Answer, names: &[&str]) -> Vec<&'a str> {
    let of = |name: &&str| answer.header(name).unwrap_or_default();
    names.iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_is_a_page_that_runs_no_script_but_its_own_and_asks_nobody_but_its_gateway() {
    let deployed = Deployed::with(&[DEBUG]);
    let answer = deployed.get("/console", &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let source = std::fs::read_to_string(repository().join("worker/console/index.html")).unwrap();
    let policy = answer.header("content-security-policy").unwrap();
    let nonce = policy.split("'nonce-").nth(1).unwrap();
    let nonce = nonce.split('\'').next().unwrap();
    assert_eq!(nonce.len(), 36, "{policy}");
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    );
    assert!(
        answer.text == source.replace("NONCE", nonce),
        "it is not the source with the nonce"
    );
    assert_eq!(
        headers(
            &answer,
            &[
                "content-type",
                "cache-control",
                "referrer-policy",
                "x-content-type-options",
                "set-cookie",
            ]
        ),
        [
            "text/html; charset=utf-8",
            "no-store",
            "no-referrer",
            "nosniff",
            ""
        ]
    );
    let again = deployed.get("/console/", &[]).await;
    assert_ne!(again.text, answer.text, "the nonce is used once");
    let head = deployed.send("HEAD", "/console", &[], "").await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    let post = deployed.send("POST", "/console", &[], "").await;
    assert_eq!(post.refusal(), "404 not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_environment_but_one_for_developers_has_the_console() {
    let deployed = Deployed::new();
    for path in ["/console", "/console/", "/console.page"] {
        let answer = deployed.get(path, &[]).await;
        assert_eq!(answer.refusal(), "404 not_found", "{path}");
    }
    let script = "workers/workers/glow-broadcast-staging/versions";
    let newest = api::shares(&deployed.sandbox, "glow-broadcast-staging").await;
    let path = format!("{script}/{}?include=modules", newest[0].0);
    let version = api::read(&deployed.sandbox, &path).await;
    let names = version["modules"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|module| module["name"].clone()).collect();
    assert_eq!(json!(names), json!(["index.js", "index_bg.wasm"]));
}

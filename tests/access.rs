//! Hosts behind Cloudflare Access or a challenge: who has the service token gets through, and an answer of theirs says nothing of code.

use serde_json::{Value, json};

use crate::support::{Printed, Project, Run, Sandbox, api, built};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1hY2Nlc3MtdGVzdHMtMDE=";
const HOST: &str = "broadcast-staging.glow.trade";
const GATEWAY: &str = "glow-broadcast-staging";
/// The two halves of the service token, which nobody may see.
const ID: &str = "marker-5d1f0c7ab9e34826.access";
const KEY: &str = "marker-c80e2f6b41d7953a-of-the-token";
/// Reads its value and keeps what environment it had.
const ADMIN: &str = "command:sh -c 'env > seen.txt; echo Zq7-Rk2-Wm9-Xt4-Lp6-Vb1-Nc8'";

/// What is done, in the order in which it is tried.
struct World {
    project: Project,
    sandbox: Sandbox,
    seen: String,
}

impl World {
    fn new() -> Self {
        built();
        let project = Project::with_staging(
            "[analytics]",
            &format!(
                "[secrets.ADMIN_SECRET]\nsource = \"{ADMIN}\"\n\n[verify.headers]\nCF-Access-Client-Id = {{ source = \"env:CF_ACCESS_CLIENT_ID\" }}\nCF-Access-Client-Secret = {{ source = \"file:token.json\" }}\n\n[analytics]"
            ),
        );
        let token = json!({ "CF-Access-Client-Secret": KEY });
        project.write("token.json", &token.to_string());
        let sandbox = Sandbox::start_in(&project);
        Self {
            project,
            sandbox,
            seen: String::new(),
        }
    }

    /// A change of the gateway alone.
    fn change(&self, limit: u32) {
        let path = self.project.path().join("environments/staging.toml");
        let manifest = std::fs::read_to_string(path).unwrap();
        let changed = manifest.lines().map(|line| match line {
            _ if line.starts_with("max_message_bytes") => format!("max_message_bytes = {limit}\n"),
            line => format!("{line}\n"),
        });
        let changed: String = changed.collect();
        self.project.write("environments/staging.toml", &changed);
    }

    async fn guard(&self, guard: Value) {
        let answer = api::call(&self.sandbox, "POST", "/sandbox/guards", Some(guard)).await;
        assert_eq!(answer["success"], true, "{answer}");
    }

    fn run(&self, args: &[&str]) -> Run {
        let summary = self.project.path().join("summary.md");
        Run::new(args.iter().copied())
            .inside(&self.project)
            .against(&self.sandbox)
            .env("WEBHOOK_SECRET", SECRET)
            .env("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())
    }

    #[track_caller]
    fn succeeds(&mut self, args: &[&str]) -> Printed {
        let run = self.run(args).env("CF_ACCESS_CLIENT_ID", ID);
        self.note(run.succeeds())
    }

    /// With half a token of another application.
    #[track_caller]
    fn fails(&mut self, args: &[&str]) -> Printed {
        let run = self.run(args).env("CF_ACCESS_CLIENT_ID", "other.access");
        self.note(run.fails())
    }

    fn note(&mut self, printed: Printed) -> Printed {
        self.seen += &printed.stdout;
        self.seen += &printed.stderr;
        printed
    }

    /// What was written into the project's folder, but the file that has the value.
    fn written(&self) -> String {
        let mut folders = vec![self.project.path().to_owned()];
        let mut text = String::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                match entry.file_type().unwrap() {
                    kind if kind.is_dir() => folders.push(entry.path()),
                    kind if kind.is_file() && entry.file_name() != "token.json" => {
                        text += &String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap());
                    }
                    _ => {}
                }
            }
        }
        text
    }
}

const BEFORE: &str = "Cloudflare Access stands before it and does not let this in";
const TOKEN: &str = "give the verification a service token in `[verify.headers]` (`docs/manifest.md`), and the application a policy `Service Auth` that takes it";

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_service_token_deploys_behind_access_and_others_take_nothing_back() {
    let mut world = World::new();
    let access = json!({ "host": HOST, "kind": "access", "client_id": ID, "client_secret": KEY });
    world.guard(access.clone()).await;

    // Without a value nothing begins
    let refused = world.run(&["deploy", "staging"]).fails();
    assert_eq!(
        refused.stderr,
        "error: `staging` cannot be verified: `[verify.headers]` of its manifest: the secret `CF-Access-Client-Id` has no value: its source `env:CF_ACCESS_CLIENT_ID` names an environment variable that is not set\nhelp: set `CF_ACCESS_CLIENT_ID` and run again\n"
    );
    let calls = api::call(&world.sandbox, "GET", "/sandbox/requests", None).await;
    let calls = calls["result"].as_array().unwrap();
    assert!(
        calls.iter().all(|call| call["method"] == "GET"
            || call["path"].as_str().unwrap().starts_with("/sandbox/")),
        "{calls:?}"
    );

    world.succeeds(&["deploy", "staging"]);
    world.succeeds(&["verify", "staging"]);
    world.succeeds(&["doctor", "staging", "--room", "SOL"]);

    // With the wrong one new code is live, stays, and is not called verified
    world.change(8192);
    let failed = world.fails(&["deploy", "staging", "--json"]).json();
    let url = world.sandbox.site(HOST).url("/health");
    let why = format!("`{url}` answered 302: {BEFORE}");
    let check = &failed["verified"]["checks"][0];
    assert_eq!(
        (&check["failure"], &check["help"]),
        (&json!(why), &json!(TOKEN))
    );
    assert_eq!(failed["applied"]["returned"], json!([]));
    assert_eq!(failed["applied"]["unverified"], json!([GATEWAY]));
    assert_eq!(
        failed["failure"],
        "`staging` is live and unverified: it was not the gateway that answered. That says nothing of its code, so nothing went back"
    );
    let new = failed["applied"]["versions"][GATEWAY].as_str().unwrap();
    let shares = api::shares(&world.sandbox, GATEWAY).await;
    assert_eq!(shares, [(new.to_owned(), 100.0)]);
    let doctor = world.fails(&["doctor", "staging"]).stdout;
    let told = format!("  WRONG  `{HOST}` does not serve the gateway: {why}\n         {TOKEN}\n");
    assert!(doctor.contains(&told), "{doctor}");
    let status = world
        .run(&["status", "staging"])
        .env("CF_ACCESS_CLIENT_ID", "no")
        .succeeds();
    let status = world.note(status).stdout;
    assert!(status.contains(&why), "{status}");

    let again = world.fails(&["deploy", "staging"]).stderr;
    let told = "error: `staging` is live and unverified: it was not the gateway that answered.";
    assert!(again.contains(told), "{again}");

    // Who has it goes on from there
    world.succeeds(&["deploy", "staging"]);
    world.succeeds(&["verify", "staging"]);

    // A gradual deployment stops where it was
    world.change(4096);
    let stages = ["deploy", "staging", "--rollout", "5,100", "--pause", "0s"];
    let failed = world.fails(&stages);
    assert!(failed.stderr.contains(BEFORE), "{}", failed.stderr);
    let told = format!(
        "the check at 0 % of `{GATEWAY}` failed: it was not the gateway that answered, which says nothing of its code"
    );
    assert!(failed.stderr.contains(&told), "{}", failed.stderr);
    assert!(!failed.stderr.contains("went back"), "{}", failed.stderr);
    let shares = api::shares(&world.sandbox, GATEWAY).await;
    assert_eq!(shares.len(), 2, "{shares:?}");
    world.succeeds(&stages);

    // A leaked value is revoked by whoever can, and what comes of it is not proved by who cannot reach the hosts
    let manifest = world.project.path().join("environments/staging.toml");
    let text = std::fs::read_to_string(manifest).unwrap();
    let alone = text.replace("senders = [\"sst\"]", "senders = []");
    assert_ne!(alone, text);
    world.project.write("environments/staging.toml", &alone);
    let rotate = ["secrets", "rotate", "staging"];
    let printed = world.run(&[&rotate[..], &["--status"]].concat()).succeeds();
    assert_eq!(world.note(printed).stderr, "");
    let revoke = ["--compromised", "--to-file", "new.env", "--yes"];
    let printed = world.run(&[&rotate[..], &revoke].concat()).succeeds();
    let printed = world.note(printed).stderr;
    let told = "note: not proved that the new value is accepted: ";
    assert!(printed.contains(told), "{printed}");

    // A challenge lets nobody in
    world
        .guard(json!({ "host": HOST, "kind": "challenge" }))
        .await;
    let verified = world
        .run(&["verify", "staging"])
        .env("CF_ACCESS_CLIENT_ID", ID)
        .fails();
    let verified = world.note(verified).stdout;
    let told = format!(
        "  FAILED  health answers: `{url}` answered 403: a challenge of Cloudflare's, which only a browser passes\n"
    );
    assert!(verified.contains(&told), "{verified}");

    let logs = api::call(&world.sandbox, "GET", "/sandbox/logs", None).await;
    let guards = api::call(&world.sandbox, "GET", "/sandbox/guards", None).await;
    let written = world.written();
    assert!(
        written.contains("PATH="),
        "the command's environment was kept"
    );
    for text in [
        &world.seen,
        &written,
        &logs.to_string(),
        &guards.to_string(),
    ] {
        assert!(!text.contains(ID) && !text.contains(KEY), "{text}");
    }
}

//! Secrets against the sandbox, on the real runtime, with senders that publish while their key changes.

mod deployed;
mod inventory;
mod publisher;
mod resume;
mod rotate;
mod secrecy;
mod sender;
mod set;
mod terminal;

use std::path::PathBuf;

use edge_broadcast::live::site::Site;
use serde_json::{Value, json};

use crate::support::{Printed, Project, Run, Sandbox, api, built, manifest};

pub(crate) const HOST: &str = "broadcast-staging.glow.trade";
pub(crate) const SCRIPT: &str = "glow-broadcast-staging";
pub(crate) const OLD: &str = "whsec_b2xkLXNlY3JldC1vZi10aGUtcm90YXRpb24tdGVzdHM=";
pub(crate) const ADMIN: &str = "admin-secret-of-the-rotation-tests-8c1f";

/// Replaces the key file as a whole: what a sender's own deployment does.
pub(crate) const SWITCH: &str =
    r#"{ kind = "command", command = "sh -c 'cat > key.new && mv key.new key'" }"#;
/// Takes the value and goes on with the old one.
pub(crate) const NEVER: &str = r#"{ kind = "command", command = "sh -c 'cat > ignored'" }"#;

/// A deployed environment with a sender that keeps its key in the file `key`.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) project: Project,
}

/// The manifest of staging with these senders, a retry horizon of one second, and counters that can be read.
pub(crate) fn staging(senders: &str) -> String {
    manifest("staging")
        .replace(
            "senders = [\"sst\"]",
            &format!("senders = [{senders}]\nretry_horizon = \"1s\"\n\n[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\""),
        )
        .replace("conflate = \"latest\"", "conflate = \"all\"")
}

impl World {
    pub(crate) fn deployed(manifest: &str) -> Self {
        built();
        let project = Project::new();
        project.write("environments/staging.toml", manifest);
        project.write("key", OLD);
        let world = Self {
            sandbox: Sandbox::start(),
            project,
        };
        world.run(&["deploy", "staging"]).succeeds();
        world
    }

    /// A run in the project against the sandbox, with the two secrets in the environment.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        Run::new(args.iter().copied())
            .inside(&self.project)
            .against(&self.sandbox)
            .env("WEBHOOK_SECRET", OLD)
            .env("ADMIN_SECRET", ADMIN)
    }

    pub(crate) fn rotate(&self, more: &[&str]) -> Run {
        let args: Vec<&str> = ["secrets", "rotate", "staging"]
            .iter()
            .chain(more)
            .copied()
            .collect();
        self.run(&args)
    }

    pub(crate) fn site(&self) -> Site {
        self.sandbox.site(HOST)
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.project.path().join("key")
    }

    /// The value that the sender has now.
    pub(crate) fn key(&self) -> String {
        std::fs::read_to_string(self.key_file()).unwrap()
    }

    /// The names of the gateway's secrets.
    pub(crate) async fn names(&self) -> Vec<String> {
        let list = api::read(&self.sandbox, &format!("workers/scripts/{SCRIPT}/secrets")).await;
        let mut names: Vec<String> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|secret| secret["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    /// The rotation's note, if there is one.
    pub(crate) async fn mark(&self) -> Option<String> {
        let settings = api::read(
            &self.sandbox,
            &format!("workers/scripts/{SCRIPT}/script-settings"),
        )
        .await;
        let tags = settings["tags"].as_array().cloned().unwrap_or_default();
        tags.iter()
            .filter_map(Value::as_str)
            .find(|tag| tag.starts_with("edge-broadcast:rotation="))
            .map(str::to_owned)
    }

    pub(crate) async fn version_ids(&self) -> Vec<String> {
        let list = api::read(&self.sandbox, &format!("workers/scripts/{SCRIPT}/versions")).await;
        let ids = list["items"].as_array().unwrap().iter();
        ids.map(|item| item["id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The status of a publish with `key`.
    pub(crate) async fn publish(&self, key: &str) -> u16 {
        let authorization = [("authorization", format!("Bearer {key}"))];
        let body = json!({ "type": "PRICE_UPDATE", "price": 1 }).to_string();
        self.site()
            .post("/broadcast/OTHER", &authorization, body)
            .await
            .unwrap()
            .0
    }
}

/// What was done, without what differs from run to run.
pub(crate) fn did(printed: &Printed) -> Vec<String> {
    let answer = printed.json();
    let steps = answer["did"].as_array().unwrap().iter();
    steps
        .map(|step| step.as_str().unwrap().to_owned())
        .collect()
}

//! The generated client: by itself on a clock of the test's, and against the deployed system.

use std::process::Command;

use super::Package;
use crate::support::repository;
use crate::workers::{ADMIN, Deployed, HOST, SECRET};

/// The compiled client, with the tests that are written in its own language beside it.
fn client() -> Package {
    let package = Package::generated("client", &[]);
    package.compile();
    let tests = package.folder.join("tests");
    std::fs::create_dir(&tests).unwrap();
    let own = repository().join("tests/packages/client");
    for entry in std::fs::read_dir(own).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), tests.join(entry.file_name())).unwrap();
    }
    package
}

/// Runs a command of node, and prints what it prints.
#[track_caller]
fn succeeds(mut command: Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{error}");
}

/// A script of the tests, in the package's folder, against the deployed system.
pub(super) fn script(package: &Package, name: &str, deployed: &Deployed) -> Command {
    let sandbox = &deployed.sandbox;
    let mut command = Command::new("node");
    command
        .args(["--require", "./hosts.cjs", name])
        .current_dir(&package.folder)
        .env("INGRESS", sandbox.ingress.to_string())
        .env("HOST", HOST)
        .env("SECRET", SECRET)
        .env("ADMIN", ADMIN)
        .env("API", &sandbox.api)
        .env("API_TOKEN", &sandbox.token)
        .env("ACCOUNT", &sandbox.account_id)
        .env("ROOM_SCRIPT", "glow-broadcast-staging-room")
        .env("FAULTS_HOST", "room.glow.trade");
    command
}

#[test]
fn the_client_does_what_it_promises_on_a_clock_of_the_tests() {
    let package = client();
    let mut command = Command::new("node");
    command
        .args(["--test", "tests/"])
        .current_dir(&package.folder);
    succeeds(command);
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_thousand_cuts_every_update_shows_once_and_in_order_or_a_gap_is_told() {
    let deployed = Deployed::wrapped(&[
        ("conflate = \"latest\"", "conflate = \"all\""),
        (
            "connect_rate = { limit = 1000, period = 60 }",
            "connect_rate = { limit = 100000, period = 60 }",
        ),
        (
            "broadcast_rate = { limit = 1000, period = 60 }",
            "broadcast_rate = { limit = 100000, period = 60 }",
        ),
    ])
    .await;
    succeeds(script(&client(), "tests/cuts.mjs", &deployed));
}

/// With the settings that are shipped, as far as they matter; then with places and rates that are soon used up.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_comes_back_spread_out_nothing_is_lost_in_a_restart_and_refusals_are_told() {
    let package = client();
    let deployed = Deployed::with(&[
        ("conflate = \"latest\"", "conflate = \"all\""),
        ("max_message_bytes = 16384", "max_message_bytes = 262144"),
    ]);
    succeeds(script(&package, "tests/field.mjs", &deployed));
    let changes = [
        ("connections_per_ip = 500", "connections_per_ip = 2"),
        ("max_connections = 32000", "max_connections = 3"),
        ("max_shards = 8", "max_shards = 1"),
        (
            "connect_rate = { limit = 1000, period = 60 }",
            "connect_rate = { limit = 4, period = 60 }",
        ),
    ];
    Deployed::deploy(&deployed.sandbox, &changes);
    succeeds(script(&package, "tests/refusals.mjs", &deployed));
}

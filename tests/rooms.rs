//! `rooms`: the objects of an environment, and one room.

use serde_json::{Value, json};

use crate::support::going::Going;
use crate::support::{Project, Run, api, changed, manifest};
use crate::workers::{ADMIN, Deployed};

#[tokio::test(flavor = "multi_thread")]
async fn rooms_are_counted_and_one_of_them_shown_once_or_again_and_again() {
    let deployed = Deployed::new();
    let project = Project::new();
    let admin = "\n[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\"\n\n[analytics]";
    let text = changed(manifest("staging"), &[("\n[analytics]", admin)]);
    project.write("environments/staging.toml", &text);
    let run = |args: &[&str]| {
        Run::new(args.iter().copied())
            .inside(&project)
            .against(&deployed.sandbox)
            .env("ADMIN_SECRET", ADMIN)
    };
    let mut client = deployed.client("/ws/SOL", &[]).await;
    for n in 1..=3 {
        deployed
            .publish("SOL", json!({ "type": "A", "n": n }))
            .await;
    }
    // One that waits for its window may be replaced
    while client.updates(1).await != [3] {}

    let list = run(&["rooms", "list", "staging", "--limit", "1", "--json"])
        .succeeds()
        .json();
    let [namespace] = list["namespaces"].as_array().unwrap().as_slice() else {
        panic!("{list}");
    };
    assert_eq!(namespace["class"], "BroadcastRoom");
    let objects = namespace["objects"].as_u64().unwrap();
    assert!(objects >= 2, "the room and the uses of secrets: {list}");
    assert_eq!(namespace["listed"].as_array().unwrap().len(), 1);
    let text = run(&["rooms", "list", "staging", "--limit", "1"])
        .succeeds()
        .stdout;
    assert!(
        text.contains(&format!("  BroadcastRoom  {objects} objects, ")),
        "{text}"
    );
    assert!(
        text.contains(&format!("… and {} others", objects - 1)),
        "{text}"
    );

    let get = run(&["rooms", "get", "staging", "SOL"]).succeeds().stdout;
    for line in [
        "\n  sockets    1\n",
        "\n  updates    3 published, 0.0/s\n",
        "\n  frames     3 written, 0.0/s; 0 failed, ",
        "\n  clients    1 connected, 0.0/s, 0 refused; ",
        "\n  numbering  3 in the epoch ",
        "woken by connect",
    ] {
        assert!(get.contains(line), "no `{line}` in:\n{get}");
    }
    let looked = run(&["rooms", "get", "staging", "SOL", "--json"])
        .succeeds()
        .json();
    assert_eq!(
        looked["rates"],
        json!({ "publishes": 0.0, "deliveries": 0.0, "connects": 0.0 }),
        "of two looks, between which nothing happened"
    );
    // One that is published to all the time, as fast as its frames come
    let mut listener = deployed.client("/ws/WIF", &[]).await;
    let get = run(&["rooms", "get", "staging", "WIF", "--json"]);
    let told = tokio::task::spawn_blocking(move || get.succeeds().json());
    for n in 1.. {
        if told.is_finished() {
            break;
        }
        deployed
            .publish("WIF", json!({ "type": "A", "n": n }))
            .await;
        listener.updates(1).await;
    }
    let busy = told.await.unwrap();
    for rate in ["publishes", "deliveries"] {
        assert!(busy["rates"][rate].as_f64() > Some(0.0), "{busy}");
    }
    let watched = Going::start(run(&[
        "rooms",
        "get",
        "staging",
        "SOL",
        "--watch",
        "--interval",
        "1s",
        "--json",
    ]));
    let first = watched.event();
    assert_eq!(
        (&first["rates"], &first["room"]["sockets"]),
        (&Value::Null, &json!(1))
    );
    deployed
        .publish("SOL", json!({ "type": "A", "n": 4 }))
        .await;
    loop {
        let next = watched.event();
        if next["room"]["publishes"] == 4 {
            assert!(next["rates"]["publishes"].as_f64().is_some(), "{next}");
            break;
        }
    }
    assert_eq!(watched.interrupted().0, Some(130));

    let refused = |run: Run| run.fails().stderr;
    let wrong = run(&["rooms", "get", "staging", "SOL"]).env("ADMIN_SECRET", "another");
    insta::assert_snapshot!(refused(wrong), @"
    error: the room `SOL` of `staging` answered 403
    help: is `ADMIN_SECRET` the deployed value? `edge-broadcast secrets set staging ADMIN_SECRET` makes it so
    ");
    api::call(
        &deployed.sandbox,
        "DELETE",
        &api::of_account(
            &deployed.sandbox,
            "workers/scripts/glow-broadcast-staging/secrets/ADMIN_SECRET",
        ),
        None,
    )
    .await;
    insta::assert_snapshot!(refused(run(&["rooms", "get", "staging", "SOL"])), @"
    error: the room `SOL` of `staging` answered 404
    help: no `ADMIN_SECRET` is deployed: `edge-broadcast secrets set staging ADMIN_SECRET`
    ");
    project.write("environments/staging.toml", &manifest("staging"));
    insta::assert_snapshot!(refused(run(&["rooms", "get", "staging", "SOL"])), @r#"
    error: the rooms of `staging` cannot be asked: its manifest names no `[secrets.ADMIN_SECRET]`
    help: add it with `source = "env:ADMIN_SECRET"`, and set it with `edge-broadcast secrets set staging ADMIN_SECRET`
    "#);
}

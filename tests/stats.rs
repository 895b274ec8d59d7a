//! `stats`: what the workers wrote, asked through Analytics Engine's SQL.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Printed, Run, api, repository};
use crate::workers::Deployed;

fn stats(deployed: &Deployed, more: &[&str]) -> Printed {
    let mut run = Run::new(["stats", "staging"]).against(&deployed.sandbox);
    for argument in more {
        run = run.arg(argument);
    }
    run.succeeds()
}

/// Without what is measured or made up: times, bars, versions.
fn steady(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim_end_matches(|c: char| "▁▂▃▄▅▆▇█ ".contains(c));
        let words = line
            .split(' ')
            .map(|word| match word.parse::<uuid::Uuid>() {
                Ok(_) => "VERSION",
                Err(_) => word,
            });
        let words: Vec<&str> = words.collect();
        match line.split_once(" p50 ") {
            Some((what, _)) => format!("{what} p50 …"),
            None => words.join(" "),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_what_is_counted() {
    let deployed = Deployed::new();
    let mut client = deployed.client("/ws/SOL", &[]).await;
    let mut other = deployed.client("/ws/SOL", &[]).await;
    for price in 1..=3 {
        deployed
            .publish("SOL", json!({ "type": "A", "price": price }))
            .await;
        client.frame().await;
        other.frame().await;
    }
    deployed.publish("ETH", json!({ "type": "A" })).await;
    deployed
        .refused("/ws/SOL", &[("origin", "https://evil.example")])
        .await;
    let seen = |text: &str| text.contains("origin_not_allowed") && text.contains("ETH");
    let mut printed = stats(&deployed, &[]);
    for _ in 0..100 {
        if seen(&printed.stdout) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        printed = stats(&deployed, &[]);
    }
    assert_snapshot!(steady(&printed.stdout), @r"
    staging, the last 1h
      connects                    3
      disconnects                 1
      handshakes                  3
      publishes                   5
      broadcasts                  5
      deliveries                  7
      partial                     0
      missed                      0
      refused                     4
      failed                      0
      broadcast    p50 …
      publish      p50 …

    refusals
                 2  origin_not_allowed (refused)
                 1  missing_credentials (refused)
                 1  wrong_credentials (refused)

    tokens, by deliveries
                 6  SOL in 3 frames
                 0  ETH in 1 frames
    ");
    assert_eq!(printed.stderr, "");
    let by = stats(&deployed, &["--by", "token", "--csv"]).stdout;
    // Of the rooms that are published to here, without the milliseconds
    let rows = by.lines().filter(|line| !line.starts_with(['e', ',']));
    let rows = rows.map(|line| line.split(',').take(11).collect::<Vec<_>>().join(","));
    let by = rows.collect::<Vec<_>>().join("\n");
    assert_snapshot!(by, @r"
    key,connects,disconnects,handshakes,publishes,broadcasts,deliveries,partial,missed,refused,failed
    ETH,0,0,0,1,1,0,0,0,0,0
    SOL,2,0,2,3,3,6,0,0,0,0
    ");
    let by = stats(&deployed, &["--by", "version", "--json"]).json();
    let versions = by["by"].as_array().unwrap();
    assert_eq!(versions.len(), 2, "{by:#}");
    let delivered: u64 = versions
        .iter()
        .map(|it| it["figures"]["deliveries"].as_u64().unwrap())
        .sum();
    assert_eq!(by["all"]["deliveries"], delivered);
    dashboards_are_answered(&deployed).await;
}

/// What the plugin writes for its macros, of the last hour in steps of a minute (Altinity's README, "Macros support").
fn expanded(question: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap().as_secs();
    let series = "(intDiv(toUInt32(timestamp), 60) * 60) * 1000";
    let filter = format!(
        "timestamp >= toDateTime({}) AND timestamp <= toDateTime({now})",
        now - 3600
    );
    question
        .replace("$timeSeries", series)
        .replace("$timeFilter", &filter)
}

/// Every text behind the key `query`, wherever it stands.
fn questions(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| match (key.as_str(), value) {
                ("query", serde_json::Value::String(text)) => vec![text.clone()],
                (_, value) => questions(value),
            })
            .collect(),
        serde_json::Value::Array(list) => list.iter().flat_map(questions).collect(),
        _ => Vec::new(),
    }
}

/// Each is asked of what the workers wrote: Grafana itself is not here.
async fn dashboards_are_answered(deployed: &Deployed) {
    for (file, count) in [("dashboard", 11), ("alerts", 5)] {
        let path = format!("generated/staging/grafana/{file}.json");
        let text = std::fs::read_to_string(repository().join(path)).unwrap();
        let asked = questions(&serde_json::from_str(&text).unwrap());
        assert_eq!(asked.len(), count, "{file}");
        for question in asked {
            let (status, answer) = api::sql(&deployed.sandbox, &expanded(&question)).await;
            assert_eq!(status, 200, "{question}: {answer}");
            if question.contains("MAX(timestamp)") {
                silence_is_told(deployed, &question, &answer).await;
            }
        }
    }
}

/// Since the last publish some seconds have passed; where there was none there is no row, and so no silence.
async fn silence_is_told(deployed: &Deployed, question: &str, answer: &str) {
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
    let rows = answer["data"].as_array().unwrap();
    let seconds = rows[0]["value"].to_string();
    let seconds: u64 = seconds.trim_matches('"').parse().unwrap();
    assert!(rows.len() == 1 && seconds < 600, "{answer}");
    let never = question.replace("'publish'", "'never'");
    let (_, answer) = api::sql(&deployed.sandbox, &expanded(&never)).await;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["data"], serde_json::json!([]));
}

#[test]
fn an_environment_without_a_data_set_says_how_to_get_one() {
    let printed = Run::new(["stats", "local"]).fails();
    assert_snapshot!(printed.stderr, @r"
    error: `local` counts nothing: its manifest has no `[analytics]`
    help: add `[analytics]` with a `dataset`, then deploy
    ");
}

//! Files that Grafana reads at its start ("provisioning"): the data source, a dashboard and alert rules.
//!
//! They are JSON, which its YAML reader takes too. The token stands in none of them: Grafana puts the variable's value in. Sources:
//! <https://grafana.com/docs/grafana/latest/administration/provisioning/>, and for the data source
//! <https://developers.cloudflare.com/analytics/analytics-engine/grafana/>.

use serde_json::{Value, json};

use super::artifact::Artifact;
use crate::environment::Environment;
use crate::metric::panel::{ALERTS, Alert, PANELS, Panel, Shape, Watched};

/// The Altinity plugin that Cloudflare recommends.
const PLUGIN: &str = "vertamedia-clickhouse-datasource";
/// Columns of Grafana's grid, and the size of a panel in it.
const COLUMNS: usize = 24;
const WIDTH: usize = 12;
const HEIGHT: usize = 8;

/// The files of an environment that counts something.
pub(super) fn files(environment: &Environment) -> anyhow::Result<Vec<Artifact>> {
    let Some(dataset) = &environment.dataset else {
        return Ok(Vec::new());
    };
    let files = [
        ("datasource.json", datasource(environment)),
        ("dashboard.json", dashboard(environment, dataset.as_str())),
        ("alerts.json", alerts(environment, dataset.as_str())),
    ];
    let artifact = |(name, value): (&str, Value)| {
        Ok(Artifact {
            path: format!("generated/{}/grafana/{name}", environment.name),
            text: serde_json::to_string_pretty(&value)? + "\n",
        })
    };
    files.into_iter().map(artifact).collect()
}

/// The id by which the dashboard and the alerts find the data source.
fn source_id(environment: &Environment) -> String {
    format!("{}-{}", environment.worker, environment.name)
}

fn title(environment: &Environment) -> String {
    format!("{} {}", environment.worker, environment.name)
}

fn datasource(environment: &Environment) -> Value {
    let account = match &environment.account_id {
        Some(account) => account.to_string(),
        None => "$CLOUDFLARE_ACCOUNT_ID".to_owned(),
    };
    json!({
        "apiVersion": 1,
        "datasources": [{
            "name": title(environment),
            "uid": source_id(environment),
            "type": PLUGIN,
            "access": "proxy",
            "url": format!("https://api.cloudflare.com/client/v4/accounts/{account}/analytics_engine/sql"),
            "jsonData": { "httpHeaderName1": "Authorization" },
            "secureJsonData": { "httpHeaderValue1": "Bearer $CLOUDFLARE_API_TOKEN" },
        }],
    })
}

fn dashboard(environment: &Environment, dataset: &str) -> Value {
    let panels = PANELS.iter().enumerate();
    let panels: Vec<Value> = panels
        .map(|(at, drawn)| panel(environment, dataset, at, drawn))
        .collect();
    json!({
        "uid": source_id(environment),
        "title": title(environment),
        "tags": ["edge-broadcast"],
        "timezone": "browser",
        "schemaVersion": 39,
        "refresh": "1m",
        "time": { "from": "now-6h", "to": "now" },
        "panels": panels,
    })
}

fn panel(environment: &Environment, dataset: &str, at: usize, drawn: &Panel) -> Value {
    let (kind, format) = match drawn.shape {
        Shape::Lines => ("timeseries", "time_series"),
        Shape::Table => ("table", "table"),
    };
    let source = json!({ "type": PLUGIN, "uid": source_id(environment) });
    json!({
        "id": at + 1,
        "title": drawn.title,
        "type": kind,
        "datasource": source,
        "gridPos": { "x": at * WIDTH % COLUMNS, "y": at * WIDTH / COLUMNS * HEIGHT, "w": WIDTH, "h": HEIGHT },
        "fieldConfig": { "defaults": { "unit": drawn.unit, "min": 0 }, "overrides": [] },
        "targets": [target("A", &source, format, dataset, &drawn.question(dataset))],
    })
}

fn target(id: &str, source: &Value, format: &str, dataset: &str, question: &str) -> Value {
    json!({
        "refId": id,
        "datasource": source,
        "query": question,
        "rawQuery": true,
        "format": format,
        "table": dataset,
        "dateTimeType": "DATETIME",
        "dateTimeColDataType": "timestamp",
        "intervalFactor": 1,
        "extrapolate": false,
    })
}

fn alerts(environment: &Environment, dataset: &str) -> Value {
    let rules: Vec<Value> = ALERTS
        .iter()
        .map(|alert| rule(environment, dataset, alert))
        .collect();
    json!({
        "apiVersion": 1,
        "groups": [{
            "orgId": 1,
            "name": title(environment),
            "folder": "edge-broadcast",
            "interval": "1m",
            "rules": rules,
        }],
    })
}

/// What Grafana does with a rule whose question has no answer, and whether it asks at all.
///
/// Nothing counted is nothing wrong. A silence goes on until something is counted again, and only an environment that people rely on
/// is asked for it: another one may be silent for as long as nobody works on it.
///
/// Sources: <https://grafana.com/docs/grafana/latest/alerting/fundamentals/alert-rule-evaluation/nodata-and-error-states/>, and
/// <https://github.com/grafana/grafana/issues/84406> for `KeepLast`.
fn states(environment: &Environment, watched: Watched) -> (&'static str, bool) {
    match watched {
        Watched::Events => ("OK", false),
        Watched::Silence => ("KeepLast", !environment.protected),
    }
}

/// One rule: the question, and the bound that its answer is compared with.
fn rule(environment: &Environment, dataset: &str, alert: &Alert) -> Value {
    let source_id = source_id(environment);
    let source = json!({ "type": PLUGIN, "uid": source_id });
    let time = json!({ "from": alert.watched.minutes() * 60, "to": 0 });
    let (no_data, is_paused) = states(environment, alert.watched);
    json!({
        "uid": format!("{source_id}-{}", alert.name),
        "title": format!("{}: {}", title(environment), alert.title),
        "condition": "B",
        "for": "5m",
        "noDataState": no_data,
        "execErrState": "Error",
        "isPaused": is_paused,
        "annotations": { "summary": alert.summary },
        "labels": { "environment": environment.name.to_string() },
        "data": [
            {
                "refId": "A",
                "datasourceUid": source_id,
                "relativeTimeRange": time,
                "model": target("A", &source, "table", dataset, &alert.question(dataset)),
            },
            {
                "refId": "B",
                "datasourceUid": "__expr__",
                "relativeTimeRange": time,
                "model": {
                    "refId": "B",
                    "type": "threshold",
                    "expression": "A",
                    "conditions": [{ "evaluator": { "type": "gt", "params": [alert.above] } }],
                },
            },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states_of(manifest: &str) -> Vec<String> {
        let name = "e".parse().unwrap();
        let environment = Environment::resolve(&name, "e.toml", manifest).unwrap();
        let alerts = alerts(&environment, "d");
        let rules = alerts["groups"][0]["rules"].as_array().unwrap();
        let told = |rule: &Value| {
            format!(
                "{} {} {}",
                rule["uid"].as_str().unwrap(),
                rule["noDataState"],
                rule["isPaused"]
            )
        };
        rules.iter().map(told).collect()
    }

    #[test]
    fn a_silence_is_told_of_a_protected_environment_alone_and_goes_on_without_an_answer() {
        let production = include_str!("../../environments/production.toml");
        let staging = include_str!("../../environments/staging.toml");
        let told = |paused| {
            let rule = |name| format!("glow-broadcast-e-{name} \"OK\" false");
            let mut rules: Vec<String> = ["failed", "refused", "slow", "partial"].map(rule).into();
            rules.push(format!("glow-broadcast-e-silent \"KeepLast\" {paused}"));
            rules
        };
        assert_eq!(states_of(production), told(false));
        assert_eq!(states_of(staging), told(true));
    }
}

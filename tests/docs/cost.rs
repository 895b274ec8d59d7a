//! The example of `docs/cost.md`, and the README's sentence, computed.

use std::collections::BTreeMap;

use super::markdown::Document;
use crate::support::manifest;

const PLAN: f64 = 5.0;
const PER_MONTH: f64 = 60.0 * 24.0 * 30.0;

#[test]
fn what_it_costs_is_computed_from_the_stated_prices_and_assumptions() {
    let cost = Document::read("docs/cost.md");
    let figure = |text: &str| -> f64 { text.replace([',', '$'], "").parse().unwrap() };
    let prices: BTreeMap<String, (f64, f64)> = cost
        .table(&["what", "included"])
        .rows
        .iter()
        .map(|row| (row[0].clone(), (figure(&row[1]), figure(&row[2]))))
        .collect();

    let production: toml_edit::DocumentMut = manifest("production").parse().unwrap();
    let traffic = |key: &str| production["traffic"][key].as_integer().unwrap() as f64;
    let publishes = traffic("tokens") * traffic("updates_per_minute") * PER_MONTH;
    let connects = traffic("users") * 4.0 * 30.0;
    let requests = publishes + connects;
    let used = [
        ("Worker requests", requests),
        ("Worker CPU milliseconds", requests),
        ("object requests", requests + connects / 20.0),
        ("object GB-seconds", requests * 0.05 * 0.128),
        ("rows written", publishes),
        ("log events", requests * 2.0),
    ];
    let grouped = |number: f64| {
        let digits = format!("{number:.0}");
        let mut text = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text
    };
    let mut rows = vec![("Workers Paid plan".to_owned(), String::new(), PLAN)];
    for (what, amount) in used {
        let (included, million) = prices[what];
        let dollars = (amount - included).max(0.0) * million / 1e6;
        rows.push((what.to_owned(), grouped(amount), dollars));
    }
    let logs = rows.pop().unwrap();
    let sum: f64 = rows.iter().map(|(_, _, dollars)| dollars).sum();
    rows.push(("together".to_owned(), String::new(), sum));
    rows.push(logs.clone());
    let computed: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(what, amount, dollars)| vec![what, amount, format!("{dollars:.2}")])
        .collect();
    assert_eq!(cost.table(&["what", "how much"]).rows, computed);

    let sentence = format!(
        "{} users, {} tokens and {} updates per minute of each are about ${sum:.0} a month on Cloudflare's Workers Paid plan, and ${:.0} more while Workers Logs",
        grouped(traffic("users")),
        grouped(traffic("tokens")),
        traffic("updates_per_minute"),
        logs.2
    );
    let readme = Document::read("README.md").text.replace('\n', " ");
    assert!(
        readme.contains(&sentence),
        "the README does not say: {sentence}"
    );
}

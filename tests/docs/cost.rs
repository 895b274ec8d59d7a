//! The prices and the example of `docs/cost.md`, and the README's sentence: as `cost` computes them.

use serde_json::Value;

use super::markdown::Document;
use crate::support::Run;

fn production(more: &[&str]) -> Value {
    let mut run = Run::new(["cost", "production", "--json"]);
    for argument in more {
        run = run.arg(argument);
    }
    run.succeeds().json()["environments"][0].clone()
}

/// A number with its thousands apart.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn lines(cost: &Value) -> &Vec<Value> {
    cost["bill"]["lines"].as_array().unwrap()
}

fn dollars(of: &Value) -> String {
    format!("{:.2}", of["dollars"].as_f64().unwrap())
}

fn amount(line: &Value, key: &str) -> String {
    line[key].as_f64().map_or(String::new(), grouped)
}

#[test]
fn the_prices_are_those_of_the_list() {
    let cost = production(&[]);
    let counted = lines(&cost).iter().skip(1).map(|line| {
        let million = line["million"].as_f64().unwrap();
        let what = line["what"].as_str().unwrap().to_owned();
        vec![what, amount(line, "included"), format!("${million:.2}")]
    });
    let counted: Vec<Vec<String>> = counted.collect();
    let page = Document::read("docs/cost.md");
    assert_eq!(page.table(&["what", "included"]).rows, counted);
}

#[test]
fn the_example_is_what_is_computed() {
    let cost = production(&[]);
    let mut bill: Vec<Vec<String>> = Vec::new();
    for line in lines(&cost) {
        let what = line["what"].as_str().unwrap().to_owned();
        bill.push(vec![what, amount(line, "amount"), dollars(line)]);
    }
    bill.push(vec![
        "together".to_owned(),
        String::new(),
        dollars(&cost["bill"]),
    ]);
    let page = Document::read("docs/cost.md");
    assert_eq!(page.table(&["what", "how much"]).rows, bill);
    let choices = cost["choices"].as_array().unwrap().iter();
    let choices =
        choices.map(|choice| vec![choice["what"].as_str().unwrap().to_owned(), dollars(choice)]);
    assert_eq!(
        page.table(&["what is different"]).rows,
        choices.collect::<Vec<_>>()
    );
}

#[test]
fn the_readme_says_what_the_example_costs() {
    let cost = production(&[]);
    let choices = cost["choices"].as_array().unwrap();
    let without = choices
        .iter()
        .find(|choice| choice["what"] == "without Workers Logs")
        .unwrap();
    let (whole, without) = (
        cost["bill"]["dollars"].as_f64().unwrap(),
        without["dollars"].as_f64().unwrap(),
    );
    let traffic = |key: &str| grouped(cost["traffic"][key].as_f64().unwrap());
    let sentence = format!(
        "{} users, {} tokens and {} updates per minute of each are about ${without:.0} a month on Cloudflare's Workers Paid plan, and ${:.0} more while Workers Logs",
        traffic("users"),
        traffic("tokens"),
        traffic("updates_per_minute"),
        whole - without
    );
    let readme = Document::read("README.md").text.replace('\n', " ");
    assert!(
        readme.contains(&sentence),
        "the README does not say: {sentence}"
    );
}

//! `cost`: the month's bill. That it is monotone is a property beside the formula; that it is what `docs/cost.md` says, in `docs`.

use insta::assert_snapshot;

use crate::support::{Project, Run};

/// The traffic of the first description of this system: 100,000 users, each in two rooms, two updates per minute. It said
/// $5,284 a month, by billing each of 17.28 billion deliveries twice.
const FIRST: [&str; 10] = [
    "cost",
    "staging",
    "--users",
    "100000",
    "--tokens",
    "1000",
    "--updates-per-minute",
    "2",
    "--tokens-per-user",
    "2",
];

#[test]
fn the_first_estimate_billed_what_is_free() {
    let printed = Run::new(FIRST).succeeds();
    assert_snapshot!(printed.stdout, @r"
    staging: $214.03 a month
      100,000 users in 2 of 1,000 tokens, 2 updates per minute of each

      what                           how much     included  million    dollars
      Workers Paid                                                        5.00
      Worker requests             110,400,000   10,000,000     0.30      30.12
      Worker CPU milliseconds     110,400,000   30,000,000     0.02       1.61
      object requests             111,600,000    1,000,000     0.15      16.59
      object GB-seconds               706,560      400,000    12.50       3.83
      rows written                 86,400,000   50,000,000     1.00      36.40
      log events                  220,800,000   20,000,000     0.60     120.48
      data points                 244,800,000   10,000,000     0.25       0.00
      together                                                          214.03

      most of it is log events
      publishing in arrays of 100                           135.44      -78.59
      rooms so large that each fills 8 objects              716.01     +501.98
      a batch window of 1 s                                 214.03       +0.00
      without Workers Logs                                   93.55     -120.48
      rooms that never hibernate                           4352.40    +4138.37

      what sockets are sent is free, so listeners and conflation move nothing: billing
      17,280,000,000 deliveries as requests, as the first estimate did, would say $5284.00

    a month of 30 days, by Cloudflare's prices of 2026-11; `docs/cost.md` has the formula
    ");
    assert_eq!(printed.stderr, "");
}

#[test]
fn the_bill_as_json_has_every_line_unrounded() {
    let answer = Run::new(FIRST).arg("--json").succeeds().json();
    let cost = &answer["environments"][0];
    assert_eq!(cost["if_deliveries_were_billed"]["dollars"], 5284.0);
    assert_eq!(cost["if_deliveries_were_billed"]["deliveries"], 17.28e9);
    let lines = cost["bill"]["lines"].as_array().unwrap();
    let sum: f64 = lines
        .iter()
        .map(|line| line["dollars"].as_f64().unwrap())
        .sum();
    assert_eq!(cost["bill"]["dollars"].as_f64().unwrap(), sum);
}

/// Of half the hours: updates cause half as much, connects as much as before.
#[test]
fn hours_in_which_updates_come_are_said_where_they_are_not_all() {
    let printed = Run::new(FIRST)
        .arg("--active-hours-per-day")
        .arg("12")
        .succeeds();
    let lines: Vec<&str> = printed.stdout.lines().take(8).collect();
    assert_snapshot!(lines.join("\n"), @r"
    staging: $102.03 a month
      100,000 users in 2 of 1,000 tokens, 2 updates per minute of each, 12 hours a day

      what                           how much     included  million    dollars
      Workers Paid                                                        5.00
      Worker requests              67,200,000   10,000,000     0.30      17.16
      Worker CPU milliseconds      67,200,000   30,000,000     0.02       0.74
      object requests              68,400,000    1,000,000     0.15      10.11
    ");
    let refused = Run::new(FIRST).arg("--active-hours-per-day").arg("25");
    let refused = refused.printed().stderr;
    assert!(refused.contains("25 is not in 1..=24"), "{refused}");
}

#[test]
fn an_environment_of_which_nothing_is_expected_says_how_to_say_it() {
    let project = Project::with_all();
    let printed = Run::new(["cost", "local"]).inside(&project).fails();
    assert_snapshot!(printed.stderr, @r"
    error: what to expect of `local` is not known
    help: add `[traffic]` to the manifest, or give `--users`, `--tokens` and `--updates-per-minute`
    ");
}

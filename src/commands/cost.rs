//! `cost`: what a month costs.

use std::fmt;

use indicatif::HumanCount;
use serde::Serialize;

use super::Context;
use super::cli::Cost as Args;
use crate::environment::Environment;
use crate::environment::cost::{Bill, Choice, Line, Naive, Prices, Said, Setup, Traffic, choices};
use crate::terminal::advice::Advice;

#[derive(Serialize)]
struct Answer {
    /// Year and month of the price list.
    prices_of: &'static str,
    environments: Vec<Cost>,
}

#[derive(Serialize)]
struct Cost {
    environment: String,
    traffic: Traffic,
    /// Objects of a room that have sockets.
    objects_per_room: u32,
    bill: Bill,
    /// The line that costs most.
    most: &'static str,
    choices: Vec<Choice>,
    /// If what sockets are sent were billed.
    if_deliveries_were_billed: Naive,
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let named = &args.environments.environments;
    let environments = context.project.environments(named)?;
    // Of all, those are shown that have an answer; what is asked for by its name must have one
    let costs: Result<Vec<Cost>, Advice> = environments
        .iter()
        .filter(|it| !named.is_empty() || traffic(it, args).is_ok())
        .map(|environment| cost(environment, args))
        .collect();
    let costs = costs?;
    if costs.is_empty() {
        return Err(unknown("no environment").into());
    }
    context.format.answer(&Answer {
        prices_of: &Prices::known().as_of,
        environments: costs,
    })
}

fn cost(environment: &Environment, args: &Args) -> Result<Cost, Advice> {
    let (traffic, setup) = (traffic(environment, args)?, Setup::of(environment));
    let bill = Bill::of(&traffic, &setup);
    Ok(Cost {
        environment: environment.name.to_string(),
        objects_per_room: setup.objects,
        most: bill.greatest().what,
        choices: choices(&traffic, &setup, environment.room.max_shards),
        if_deliveries_were_billed: Naive::of(&traffic),
        traffic,
        bill,
    })
}

/// What was typed, or else what the manifest says.
fn traffic(environment: &Environment, args: &Args) -> Result<Traffic, Advice> {
    let typed = Said {
        users: args.users,
        tokens: args.tokens,
        updates_per_minute: args.updates_per_minute,
        connects_per_day: args.connects_per_day,
        tokens_per_user: args.tokens_per_user,
        batch: args.batch,
        active_hours_per_day: args.active_hours_per_day,
    };
    let traffic = typed.or(environment.traffic);
    traffic.ok_or_else(|| unknown(&format!("`{}`", environment.name)))
}

fn unknown(whose: &str) -> Advice {
    Advice::new(
        format!("what to expect of {whose} is not known"),
        "add `[traffic]` to the manifest, or give `--users`, `--tokens` and `--updates-per-minute`"
            .to_owned(),
    )
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (at, cost) in self.environments.iter().enumerate() {
            let gap = if at == 0 { "" } else { "\n\n" };
            write!(f, "{gap}{cost}")?;
        }
        write!(
            f,
            "\n\na month of 30 days, by Cloudflare's prices of {}; `docs/cost.md` has the formula",
            self.prices_of
        )
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { bill, traffic, .. } = self;
        write!(f, "{}: ${:.2} a month", self.environment, bill.dollars)?;
        write!(
            f,
            "\n  {} users in {} of {} tokens, {} updates per minute of each",
            count(traffic.users.into()),
            count(traffic.tokens_per_user.into()),
            count(traffic.tokens.into()),
            count(traffic.updates_per_minute.into()),
        )?;
        if traffic.rests() {
            write!(f, ", {} hours a day", traffic.active_hours_per_day)?;
        }
        write!(
            f,
            "\n\n  {:<24} {:>14} {:>12} {:>8} {:>10}",
            "what", "how much", "included", "million", "dollars"
        )?;
        for line in &bill.lines {
            row(f, line)?;
        }
        write!(f, "\n  {:<24} {:>47.2}", "together", bill.dollars)?;
        write!(f, "\n\n  most of it is {}", self.most)?;
        for Choice { what, dollars } in &self.choices {
            write!(
                f,
                "\n  {what:<48} {dollars:>11.2} {:>+11.2}",
                dollars - bill.dollars
            )?;
        }
        let Naive {
            deliveries,
            dollars,
        } = self.if_deliveries_were_billed;
        write!(
            f,
            "\n\n  what sockets are sent is free, so listeners and conflation move nothing: billing\n  {} deliveries as requests, as the first estimate did, would say ${dollars:.2}",
            count(deliveries)
        )
    }
}

fn row(f: &mut fmt::Formatter, line: &Line) -> fmt::Result {
    let shown = |number: Option<f64>| number.map_or(String::new(), count);
    let million = line.million.map_or(String::new(), |it| format!("{it:.2}"));
    write!(
        f,
        "\n  {:<24} {:>14} {:>12} {million:>8} {:>10.2}",
        line.what,
        shown(line.amount),
        shown(line.included),
        line.dollars
    )
}

/// A number with its thousands apart.
fn count(number: f64) -> String {
    HumanCount(number.round() as u64).to_string()
}

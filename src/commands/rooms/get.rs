//! `rooms get`: one room, once or again and again.

use std::time::{Duration, Instant, SystemTime};

use super::super::Context;
use super::figures::{Look, Past, Shown};
use crate::commands::cli::Room;
use crate::deploy::remote::Remote;
use crate::environment::Environment;
use crate::live::occupancy;
use crate::live::site::Site;
use crate::secret::Secrets;
use crate::terminal::advice::Advice;
use crate::terminal::output::{self, Format};
use crate::terminal::redraw::Redraw;

/// Between the two looks of a room that is shown once: what happens in a second is a rate.
const BETWEEN: Duration = Duration::from_secs(1);

/// The way to a room.
struct Asked<'a> {
    site: Site,
    environment: &'a Environment,
    token: &'a str,
    secrets: Secrets<'a>,
}

pub(super) async fn run(context: &Context, args: &Room) -> anyhow::Result<()> {
    let environment = context.project.environment(&args.environment.environment)?;
    let remote = Remote::from_env(&environment, &context.progress).await?;
    let asked = Asked {
        site: remote.site(&environment, &context.headers(&environment))?,
        environment: &environment,
        token: &args.token,
        secrets: context.secrets(&environment),
    };
    match args.watch {
        false => context.format.answer(&twice(&asked).await?),
        true => watch(context, args, &asked).await,
    }
}

impl Asked<'_> {
    async fn look(&self) -> anyhow::Result<Look> {
        let room = occupancy::report(&self.site, self.environment, self.token, &self.secrets);
        Ok(Look {
            environment: self.environment.name.to_string(),
            room: room.await?,
            time: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            rates: None,
        })
    }
}

/// Looks a second time for what has happened since the first one.
async fn twice(asked: &Asked<'_>) -> anyhow::Result<Look> {
    let (began, mut past) = (Instant::now(), Past::default());
    let first = asked.look().await?;
    past.rates(&first.room, began.elapsed());
    tokio::time::sleep(BETWEEN).await;
    let mut look = asked.look().await?;
    look.rates = past.rates(&look.room, began.elapsed());
    Ok(look)
}

/// Looks until nobody reads it any more. Only the first look must succeed.
async fn watch(context: &Context, args: &Room, asked: &Asked<'_>) -> anyhow::Result<()> {
    let began = Instant::now();
    let (mut past, mut redraw) = (Past::default(), Redraw::default());
    let mut looked = Some(asked.look().await?);
    loop {
        if let Some(look) = &mut looked {
            look.rates = past.rates(&look.room, began.elapsed());
            let is_heard = match context.format {
                Format::Json => output::is_heard(&output::json_line(look)?)?,
                Format::Text => redraw.draw(&Shown { look, past: &past }.to_string())?,
            };
            if !is_heard {
                return Ok(());
            }
        }
        tokio::time::sleep(args.interval).await;
        looked = match asked.look().await {
            Ok(look) => Some(look),
            Err(error) => {
                context.progress.say(&Advice::of(&error).line());
                // What was said stays
                redraw = Redraw::default();
                None
            }
        };
    }
}

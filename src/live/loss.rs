//! Whether all that is accepted arrives: publishes into rooms of our own, each waited for.

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::site::Site;
use super::verify::{connect, own_message, room};
use crate::environment::Environment;
use crate::secret::Value;

/// Rooms that are published to at once.
const AT_ONCE: usize = 8;

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trials {
    pub(crate) rooms: usize,
    /// Publishes into each of them, one after the other: the room would join those that come together.
    pub(crate) each: usize,
}

impl Trials {
    /// As many as the environment's own limits leave, which others need too.
    pub(crate) fn within(self, environment: &Environment) -> Self {
        let quarter = |limit: u32| usize::try_from(limit / 4).unwrap_or(usize::MAX).max(1);
        let rooms = self.rooms.min(quarter(environment.connect_rate.limit));
        let publishes = quarter(environment.broadcast_rate.limit);
        Self {
            rooms: rooms.min(publishes),
            each: self.each.min(publishes / rooms.min(publishes)),
        }
    }
}

/// Publishes and waits for each message.
///
/// # Errors
/// The first that is refused, or accepted and lost: it came within ten seconds by no socket that was open.
pub(crate) async fn none_is_lost(
    site: &Site,
    environment: &Environment,
    secret: &Value,
    trials: Trials,
) -> anyhow::Result<()> {
    let rooms = (0..trials.rooms).map(|_| async {
        let token = room();
        let mut socket = connect(site, environment, &token).await?;
        for trial in 1..=trials.each {
            let made = own_message(site, environment, secret, &token, &mut socket).await;
            made.with_context(|| format!("publish {trial} of {}", trials.each))?;
        }
        Ok(())
    });
    let rooms = stream::iter(rooms).buffer_unordered(AT_ONCE);
    rooms.try_collect().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_a_quarter_of_a_limit_is_used() {
        let name = "staging".parse().unwrap();
        let source = include_str!("../../environments/staging.toml");
        let limited = |connects: u32, publishes: u32| {
            let source = source
                .replace(
                    "connect_rate = { limit = 1000,",
                    &format!("connect_rate = {{ limit = {connects},"),
                )
                .replace(
                    "broadcast_rate = { limit = 1000,",
                    &format!("broadcast_rate = {{ limit = {publishes},"),
                );
            let environment = Environment::resolve(&name, "staging.toml", &source).unwrap();
            let Trials { rooms, each } = Trials { rooms: 60, each: 4 }.within(&environment);
            (rooms, each)
        };
        assert_eq!(limited(1000, 1000), (60, 4));
        assert_eq!(limited(100, 1000), (25, 4));
        assert_eq!(limited(100, 200), (25, 2));
        assert_eq!(limited(1, 1), (1, 1));
    }
}

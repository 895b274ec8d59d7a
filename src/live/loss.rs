//! Whether all that is accepted arrives: publishes into rooms of our own, each waited for.

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::site::{Silence, Site};
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
        let rooms = rooms.min(publishes);
        let each = self.each.min(publishes / rooms);
        Self {
            rooms,
            // 0 is no limit of a room
            each: match environment.room.publish_rate {
                0 => each,
                rate => each.min(quarter(rate)),
            },
        }
    }
}

/// Publishes and waits for each message. A room whose connection breaks is tried once more, as another one: a network does that now and
/// then, among hundreds of requests, and it says nothing of a release.
///
/// # Errors
/// The first that was accepted and lost, which did not come within ten seconds although the socket stayed open; or what broke twice.
pub(crate) async fn none_is_lost(
    site: &Site,
    environment: &Environment,
    secret: &Value,
    trials: Trials,
) -> anyhow::Result<()> {
    let rooms = (0..trials.rooms).map(|_| async {
        match tried(site, environment, secret, trials.each).await {
            Err(error) if !error.is::<Silence>() => {
                tried(site, environment, secret, trials.each).await
            }
            tried => tried,
        }
    });
    let rooms = stream::iter(rooms).buffer_unordered(AT_ONCE);
    rooms.try_collect().await
}

/// One room, with so many publishes.
async fn tried(
    site: &Site,
    environment: &Environment,
    secret: &Value,
    publishes: usize,
) -> anyhow::Result<()> {
    let token = room();
    let mut socket = connect(site, environment, &token).await?;
    for publish in 1..=publishes {
        let made = own_message(site, environment, secret, &token, &mut socket).await;
        made.with_context(|| format!("publish {publish} of {publishes}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn staging() -> Environment {
        let source = include_str!("../../environments/staging.toml");
        Environment::resolve(&"staging".parse().unwrap(), "staging.toml", source).unwrap()
    }

    /// How many rooms were asked for, and why it failed, where each handshake is answered with 503.
    async fn refused() -> (usize, String) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let server = axum::Router::new().fallback(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            async { http::StatusCode::SERVICE_UNAVAILABLE }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let via = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, server).await });
        let site = Site::new("broadcast-staging.glow.trade", Some(via)).unwrap();
        let trials = Trials { rooms: 1, each: 1 };
        let made = none_is_lost(&site, &staging(), &Value::generate(), trials).await;
        server.abort();
        (
            asked.load(Ordering::Relaxed),
            format!("{:#}", made.unwrap_err()),
        )
    }

    #[tokio::test]
    async fn what_breaks_is_tried_once_more_and_not_again() {
        assert_eq!(
            refused().await,
            (2, "the handshake was answered with 503".to_owned())
        );
    }

    #[test]
    fn no_more_than_a_quarter_of_a_limit_is_used() {
        let name = "staging".parse().unwrap();
        let source = include_str!("../../environments/staging.toml");
        let limited = |connects: u32, publishes: u32, of_room: u32| {
            let source = source
                .replace("[room]\n", &format!("[room]\npublish_rate = {of_room}\n"))
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
        assert_eq!(limited(1000, 1000, 0), (60, 4));
        assert_eq!(limited(100, 1000, 1000), (25, 4));
        assert_eq!(limited(100, 200, 1000), (25, 2));
        assert_eq!(limited(1000, 1000, 8), (60, 2));
        assert_eq!(limited(1, 1, 1), (1, 1));
    }
}

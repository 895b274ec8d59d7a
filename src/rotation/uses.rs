//! The gateway's counters of the two slots: `GET /secrets/uses`, with the admin secret.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use edge_broadcast_protocol::contract::binding::ADMIN_SECRET;
use edge_broadcast_protocol::contract::slot::{Slot, Uses};

use super::idle::{LAG, Seen};
use crate::live::site::Site;
use crate::secret::Value;
use crate::terminal::advice::Advice;
use crate::terminal::wait::until;

/// Two readings that far apart show whoever publishes all the time.
const LOOK: Duration = Duration::from_secs(3);

/// A way to the counters.
#[derive(Clone, Debug)]
pub(crate) struct Counters {
    site: Site,
    admin: Value,
}

impl Counters {
    pub(crate) fn new(site: Site, admin: Value) -> Self {
        Self { site, admin }
    }

    /// The uses of both slots since they exist.
    pub(crate) async fn read(&self) -> anyhow::Result<Uses> {
        let authorization = [("authorization", self.admin.bearer())];
        let (status, body) = self.site.get_with("/secrets/uses", &authorization).await?;
        match status {
            200 => serde_json::from_str(&body).context(
                "the gateway's counters have another shape than this version of the tool knows",
            ),
            401 | 403 => bail!(
                "the gateway refuses the admin secret: the deployed `{ADMIN_SECRET}` is another one than the manifest's source gives"
            ),
            404 => bail!(Advice::new(
                "the gateway has no `GET /secrets/uses`",
                format!("deploy the environment with its `{ADMIN_SECRET}` first")
            )),
            status => bail!("the gateway answered `GET /secrets/uses` with {status}"),
        }
    }

    /// Who uses the value of `new`, which had `noted` uses before anybody was handed it. Looks for `patience` at most: until somebody
    /// does. What was counted before one looked must have been handed over first. Tells that this takes a while.
    pub(crate) async fn look(
        &self,
        tell: impl Fn(&str),
        new: Slot,
        noted: Option<u64>,
        patience: Duration,
    ) -> anyhow::Result<Seen> {
        let why = format!("nobody was seen yet who uses `{}`", new.binding());
        let most = LAG + patience.max(LOOK);
        until(tell, most, &why, self.watch(new, noted, patience)).await
    }

    async fn watch(
        &self,
        new: Slot,
        noted: Option<u64>,
        patience: Duration,
    ) -> anyhow::Result<Seen> {
        tokio::time::sleep(LAG).await;
        let before = self.read().await?;
        let began = Instant::now();
        loop {
            tokio::time::sleep(LOOK).await;
            let seen = seen(new, noted, &before, &self.read().await?);
            if matches!(seen, Seen::NewOnly | Seen::Both) || began.elapsed() >= patience {
                return Ok(seen);
            }
        }
    }
}

/// What two readings say.
fn seen(new: Slot, noted: Option<u64>, before: &Uses, after: &Uses) -> Seen {
    let moved = |slot| after.of(slot).uses != before.of(slot).uses;
    match (moved(new), moved(new.other())) {
        (true, false) => Seen::NewOnly,
        (true, true) => Seen::Both,
        (false, _) if noted.is_some_and(|noted| noted != before.of(new).uses) => Seen::Earlier,
        (false, _) => Seen::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_seen_when_its_counter_moves_or_is_another_one_than_was_noted() {
        use Slot::{Alternate, Primary};
        let nothing = Uses::default();
        let mut after = Uses::default();
        after.count(Primary, 5);
        assert_eq!(seen(Alternate, Some(0), &nothing, &after), Seen::Nobody);
        assert_eq!(seen(Primary, Some(0), &nothing, &after), Seen::NewOnly);
        assert_eq!(seen(Primary, Some(0), &after, &after), Seen::Earlier);
        assert_eq!(seen(Primary, Some(1), &after, &after), Seen::Nobody);
        assert_eq!(seen(Primary, None, &after, &after), Seen::Nobody);
        after.count(Alternate, 5);
        assert_eq!(seen(Alternate, Some(0), &nothing, &after), Seen::Both);
    }

    #[test]
    fn the_debug_form_of_the_counters_holds_no_value() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let site = Site::new("broadcast.glow.trade", None).unwrap();
        let counters = Counters::new(site, Value::new("hunter2".to_owned()));
        assert!(!format!("{counters:?}").contains("hunter2"));
    }
}

//! The gateway's counters of the two slots: `GET /secrets/uses`, with the admin secret.

use std::time::Duration;

use anyhow::{Context, bail};
use edge_broadcast_protocol::binding::ADMIN_SECRET;
use edge_broadcast_protocol::slot::{Slot, Uses};

use super::phase::Seen;
use super::quiet::LAG;
use crate::secret::Value;
use crate::site::Site;

/// A way to the counters.
#[derive(Clone, Debug)]
pub struct Counters {
    site: Site,
    admin: Value,
}

impl Counters {
    pub fn new(site: Site, admin: Value) -> Self {
        Self { site, admin }
    }

    /// The uses of both slots since they exist.
    pub async fn read(&self) -> anyhow::Result<Uses> {
        let authorization = [("authorization", format!("Bearer {}", self.admin.expose()))];
        let (status, body) = self.site.get_with("/secrets/uses", &authorization).await?;
        match status {
            200 => serde_json::from_str(&body).context(
                "the gateway's counters have another shape than this version of the tool knows",
            ),
            401 | 403 => bail!(
                "the gateway refuses the admin secret: the deployed `{ADMIN_SECRET}` is another one than the manifest's source gives"
            ),
            404 => bail!(
                "the gateway has no `GET /secrets/uses`: deploy the environment with its `{ADMIN_SECRET}` first"
            ),
            status => bail!("the gateway answered `GET /secrets/uses` with {status}"),
        }
    }

    /// Which slots are used while one looks. What was counted before one looked must have been handed over first.
    pub async fn look(&self) -> anyhow::Result<Seen> {
        tokio::time::sleep(LAG).await;
        let before = self.read().await?;
        tokio::time::sleep(LAG + Duration::from_secs(1)).await;
        Ok(seen(&before, &self.read().await?))
    }
}

/// The uses of one slot.
pub fn of(uses: &Uses, slot: Slot) -> u64 {
    match slot {
        Slot::Primary => uses.primary.uses,
        Slot::Alternate => uses.alternate.uses,
    }
}

/// Which counters moved between two readings.
fn seen(before: &Uses, after: &Uses) -> Seen {
    let moved = |slot| of(after, slot) != of(before, slot);
    match (moved(Slot::Primary), moved(Slot::Alternate)) {
        (false, false) => Seen::Nobody,
        (true, false) => Seen::Only(Slot::Primary),
        (false, true) => Seen::Only(Slot::Alternate),
        (true, true) => Seen::Both,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_seen_when_its_counter_moves() {
        let mut after = Uses::default();
        assert_eq!(seen(&Uses::default(), &after), Seen::Nobody);
        after.count(Slot::Alternate, 5);
        assert_eq!(seen(&Uses::default(), &after), Seen::Only(Slot::Alternate));
        after.count(Slot::Primary, 5);
        assert_eq!(seen(&Uses::default(), &after), Seen::Both);
    }
}

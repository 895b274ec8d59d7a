//! What the deployed hosts answer: health, sockets, foreign pages, a publish, what rooms have counted.

use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;
use futures_util::future::join_all;

use crate::environment::Environment;
use crate::live::occupancy::Dropped;
use crate::live::site::Site;
use crate::live::verify::{self, ask_hosts};
use crate::plan::Live;
use crate::secret::Secrets;
use crate::terminal::advice::Advice;

use super::finding::Finding;

/// Asks every host for the gateway, its version and a socket; with the hosts that serve it.
pub(super) async fn answers(
    environment: &Environment,
    site: &Site,
    gateway: &Live,
) -> (Vec<Finding>, Vec<String>) {
    let live: Vec<&str> = gateway.split.versions().collect();
    let (mut findings, mut served) = (Vec::new(), Vec::new());
    for (host, answered) in ask_hosts(site, environment, &live).await {
        let Err(error) = answered else {
            findings.push(Finding::well(format!("`{host}` answers")));
            served.push(host);
            continue;
        };
        let Advice { what, fix } = Advice::of(&error);
        let usual = || {
            format!(
                "look at its DNS record, then at `edge-broadcast verify {}`",
                environment.name
            )
        };
        findings.push(Finding::wrong(
            format!("`{host}` does not serve the gateway: {what}"),
            fix.unwrap_or_else(usual),
        ));
    }
    (findings, served)
}

/// Whether pages of other origins are refused, where the manifest names those that are not.
pub(super) async fn origins(
    environment: &Environment,
    site: &Site,
    served: &[String],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for host in served {
        let site = site.at_host(host);
        let Some(refused) = verify::foreign_origin(&site, environment).await else {
            continue;
        };
        findings.push(match refused {
            Ok(()) => Finding::well(format!("`{host}` refuses pages of foreign origins")),
            Err(error) => Finding::wrong(
                format!(
                    "a page of a foreign origin asked `{host}` for a socket: {}",
                    Advice::of(&error).what
                ),
                format!("edge-broadcast deploy {}", environment.name),
            ),
        });
    }
    findings
}

/// Publishes once through each host, signed as the environment's publishers must, into rooms that no client has.
pub(super) async fn publish(
    environment: &Environment,
    site: &Site,
    served: &[String],
    secrets: &Secrets<'_>,
) -> Vec<Finding> {
    let value = match secrets.value(WEBHOOK_SECRET) {
        Ok(value) => value,
        Err(error) => return vec![Finding::failed(&error)],
    };
    let through = served.iter().map(async |host| {
        let published = verify::published(&site.at_host(host), environment, value).await;
        of_publish(environment, host, published)
    });
    join_all(through).await
}

/// What became of a publish through a host.
fn of_publish(environment: &Environment, host: &str, published: anyhow::Result<f64>) -> Finding {
    let name = &environment.name;
    let Err(error) = published else {
        return Finding::well(format!(
            "what is published through `{host}` with the manifest's secret arrives"
        ));
    };
    let Advice { what, fix } = Advice::of(&error);
    let usual = format!("edge-broadcast secrets set {name} {WEBHOOK_SECRET}");
    let mend = match verify::is_other_secret(&what) {
        true => usual,
        false => fix.unwrap_or(format!("edge-broadcast verify {name}")),
    };
    Finding::wrong(
        format!("nothing can be published through `{host}`: {what}"),
        mend,
    )
}

/// That an update overtakes another now and then is usual, and that a publisher changes its clock happens. One in ten is neither.
pub(super) fn room(room: &Dropped) -> Finding {
    let Dropped {
        token,
        publishes,
        stale,
        implausible,
    } = room;
    let all = publishes + stale;
    let what = format!(
        "room `{token}`: {stale} of {all} updates were stale, {implausible} had a slot of another clock"
    );
    if (stale + implausible) * 10 < all.max(1) {
        return Finding::well(what);
    }
    Finding::wrong(
        what,
        "look at what its publishers send as `slot`: it must rise, and be of one clock, for the updates of each key",
    )
}

//! Why a rotation does not go on, and the way out. Pure.

use std::time::Duration;

use edge_broadcast_protocol::binding::WEBHOOK_SECRET;
use edge_broadcast_protocol::slot::Slot;

use super::mark::other;
use crate::cloudflare::secrets::Holding;
use crate::environment::{Environment, Secret};
use crate::progress::seconds;

pub(super) fn no_senders(environment: &Environment) -> String {
    format!(
        "nobody would learn the new value: the secret `{WEBHOOK_SECRET}` of `{}` has no `senders`; add one to the manifest, for example `senders = [{{ kind = \"file\", path = \"secrets.env\" }}]`",
        environment.name
    )
}

pub(super) fn empty(environment: &Environment) -> String {
    format!(
        "`{}` has no `{WEBHOOK_SECRET}`: set one with `edge-broadcast secrets set {} {WEBHOOK_SECRET}`",
        environment.gateway_script(),
        environment.name
    )
}

pub(super) fn not_open(environment: &Environment) -> String {
    format!(
        "no rotation of `{}` is open: there is nothing to abort",
        environment.name
    )
}

pub(super) fn undoing(environment: &Environment) -> String {
    format!(
        "an abort of this rotation is under way: `edge-broadcast secrets rotate {} --abort` goes on with it",
        environment.name
    )
}

pub(super) fn taken_over(environment: &Environment) -> String {
    format!(
        "another run took this rotation over; this one stops and changes nothing more; `edge-broadcast secrets rotate {} --status` shows how far it is",
        environment.name
    )
}

pub(super) fn unclear(environment: &Environment) -> String {
    format!(
        "both slots of `{WEBHOOK_SECRET}` are filled, and not by a rotation of this tool, so it cannot know which value the senders have; nothing was changed; remove the one that nobody uses with `edge-broadcast secrets remove {} SLOT` (`secrets rotate --status` shows the counters), or end both with `--compromised`",
        environment.name
    )
}

pub(super) fn torn(environment: &Environment, new: Slot) -> String {
    format!(
        "an earlier run was cut off between senders: some publish with the new value (`{}`), some with the old one (`{}`), and the new one cannot be read back to finish the handover; nothing was changed and both are accepted; when every sender has it, run again; else `edge-broadcast secrets rotate {} --abort` hands the old value back to all, and a new rotation can begin",
        new.binding(),
        other(new).binding(),
        environment.name
    )
}

pub(super) fn old_value_unknown(secret: &Secret) -> String {
    format!(
        "senders may have the new value already, and `{}` does not give the old one, so it cannot be handed back; nothing was changed; let the rotation go on (without `--abort`), or give the senders the old value yourself and then add `--finish`",
        secret.source
    )
}

pub(super) fn nobody_has_it(new: Slot) -> String {
    format!(
        "the new value is in `{}` and nobody has it; the old value stays valid; run again to go on",
        new.binding()
    )
}

pub(super) fn both_stay(environment: &Environment) -> String {
    format!(
        "nothing was revoked: both values are accepted; repair the sender, then run `edge-broadcast secrets rotate {0}` to go on or `edge-broadcast secrets rotate {0} --abort` to go back",
        environment.name
    )
}

pub(super) fn nobody_can_publish(environment: &Environment) -> String {
    format!(
        "the old value is revoked, and nobody can publish until the senders have the new one: repair the sender and run `edge-broadcast secrets rotate {}`",
        environment.name
    )
}

/// `uses` of `slot` and of the other one.
pub(super) fn still_used(slot: Slot, uses: [u64; 2], during: Duration, senders: &str) -> String {
    format!(
        "`{}` is still used: {} publishes with its value in the last {}, and {} with that of `{}`; nothing was revoked, and both values are accepted; the value that stays was handed to {senders}: whoever reads it there has not switched (an SST function does with its next deployment); then run again, or add `--finish` to revoke it now, or `--abort` to go back",
        slot.binding(),
        uses[0],
        seconds(during),
        uses[1],
        other(slot).binding(),
    )
}

pub(super) fn unsettled(environment: &Environment, script: &str, live: &Holding) -> String {
    let name = &environment.name;
    let deployed = live.live.first().map_or("", String::as_str);
    if live.live.len() > 1 {
        return format!(
            "`{script}` has a gradual deployment running, and a change of a secret would end it; finish it with `edge-broadcast deploy {name}`, or put one version at 100 % with `edge-broadcast rollback {name} --to {deployed}`"
        );
    }
    format!(
        "the newest version of `{script}`, `{}`, is not the deployed one, `{deployed}`, and a change of a secret would deploy it; `edge-broadcast deploy {name}` makes what the manifest says the newest and deployed version",
        live.latest.as_deref().unwrap_or_default()
    )
}

//! Why a rotation does not go on, and the way out. Pure.

use std::time::Duration;

use edge_broadcast_protocol::contract::binding::{ADMIN_SECRET, WEBHOOK_SECRET};
use edge_broadcast_protocol::contract::slot::Slot;

use super::note::other;
use super::phase::Seen;
use crate::cloudflare::secrets::Holding;
use crate::environment::{Environment, Secret};
use crate::secret::sender::Sender;
use crate::terminal::progress::seconds;

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

pub(super) fn replacing(environment: &Environment) -> String {
    format!(
        "a replacement of every value at once was begun: `edge-broadcast secrets rotate {} --compromised` goes on with it",
        environment.name
    )
}

pub(super) fn at_work(environment: &Environment, process: u32) -> String {
    format!(
        "another run is at work on this rotation (process {process} on this machine); nothing was changed; let it end, or stop it and run again; `edge-broadcast secrets rotate {} --status` shows how far it is, and `--take-over` goes on in its place",
        environment.name
    )
}

pub(super) fn perhaps_at_work(environment: &Environment, age: Duration) -> String {
    format!(
        "another machine began to hand a value to a sender {} ago, and that sender may still be at work; nothing was changed; `edge-broadcast secrets rotate {} --status` shows how far it is; when that run is over, say so with `--take-over`",
        seconds(age),
        environment.name
    )
}

pub(super) fn no_counters(environment: &Environment) -> String {
    format!(
        "`{0}` has no `{ADMIN_SECRET}`, so nobody can tell when the old value is unused; nothing was changed; add `[secrets.{ADMIN_SECRET}]` to the manifest and deploy or set it, or run with `--without-evidence` (wait for the retry horizon only) or `--finish` (do not wait)",
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

pub(super) fn torn(environment: &Environment, new: Slot, seen: Seen) -> String {
    let (new, old) = (new.binding(), other(new).binding());
    let found = match seen {
        Seen::Both => {
            format!("some publish with the new value (`{new}`), some with the old one (`{old}`)")
        }
        Seen::Only => format!(
            "somebody publishes with the new value (`{new}`), and a sender that is silent now may have the old one (`{old}`) only"
        ),
        Seen::Earlier => format!("somebody has published with the new value (`{new}`)"),
        Seen::Nobody | Seen::Unknown => {
            format!("nobody can tell who has the new value (`{new}`)")
        }
    };
    let way_on = match seen {
        Seen::Unknown => {
            "; if you know that no sender took it, `--finish` puts a fresh value in its place"
        }
        _ => "",
    };
    format!(
        "an earlier run was cut off between senders: {found}, and it cannot be read back to finish the handover; nothing was changed and both are accepted; `edge-broadcast secrets rotate {} --abort` hands the old value back to all, and a new rotation can begin{way_on}; `--compromised` replaces both at once, and refuses publishes until every sender has the new one",
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

pub(super) fn nobody_was_told(environment: &Environment) -> String {
    format!(
        "note: the secret `{WEBHOOK_SECRET}` of `{0}` has no `senders`, so nobody learned the new value, and nobody can publish; `edge-broadcast secrets set {0} {WEBHOOK_SECRET}` sets one that you know",
        environment.name
    )
}

pub(super) fn done_before(environment: &Environment) -> String {
    format!(
        "note: an earlier run revoked the old value already, and every sender has the one that is left; if that one leaked too, run `edge-broadcast secrets rotate {} --compromised` once more",
        environment.name
    )
}

pub(super) fn not_replaced(environment: &Environment) -> String {
    format!(
        "every earlier value is revoked and the senders were handed the new one, but the gateway does not act by it; see `edge-broadcast status {0}` for what is deployed, and try `edge-broadcast verify {0}`",
        environment.name
    )
}

/// What the counters said at the end of a wait.
pub(super) struct Use {
    /// Publishes with the value that was to go, and with the one that stays.
    pub(super) uses: [u64; 2],
    pub(super) during: Duration,
    /// Since the value that was to go was used last, where it is known.
    pub(super) last: Option<Duration>,
}

pub(super) fn still_used(slot: Slot, found: &Use, senders: &[Sender]) -> String {
    let last = found.last.map_or(String::new(), |last| {
        format!(" (the last one {} ago)", seconds(last))
    });
    let told: Vec<&str> = senders.iter().map(|sender| sender.title.as_str()).collect();
    let whoever = match told.as_slice() {
        [_] => "whoever reads it there has not switched",
        _ => {
            "whoever reads it at one of these has not switched; the counters tell the values apart, not the senders"
        }
    };
    format!(
        "`{}` is still used: {} publishes with its value in the last {}{last}, and {} with that of `{}`; nothing was revoked, and both values are accepted; the value that stays was handed to {}: {whoever} (an SST function does with its next deployment); then run again, or add `--finish` to revoke it now, or `--abort` to go back",
        slot.binding(),
        found.uses[0],
        seconds(found.during),
        found.uses[1],
        other(slot).binding(),
        told.join(", "),
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
        live.latest().unwrap_or_default()
    )
}

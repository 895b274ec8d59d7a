//! Why a rotation does not go on, and the way out. Pure.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use edge_broadcast_protocol::contract::binding::{ADMIN_SECRET, WEBHOOK_SECRET};
use edge_broadcast_protocol::contract::slot::Slot;

use super::idle::Seen;
use crate::cloudflare::secrets::Holding;
use crate::environment::Environment;
use crate::terminal::advice::Advice;
use crate::terminal::progress::seconds;

/// Why a rotation does not go on: its sentences are those of [`Blocked::advice`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Blocked {
    Empty,
    NotOpen,
    Undoing,
    Replacing,
    Unclear,
    /// A sender may live on either value, so neither slot can be written or emptied. With the slot of the new one.
    Torn(Slot, Seen),
    OldValueUnknown,
    NoSenders,
    NoCounters,
    /// With the number of the process, on this machine.
    AtWork(u32),
    /// With the time since another machine noted its handover.
    PerhapsAtWork(Duration),
    TakenOver,
    /// The script, and the version that gets the most of its traffic.
    Gradual(String, String),
    Emptied,
    StillUsed(StillUsed),
    /// With the slot of the new value.
    Unproved(Slot),
    NotHandedOver,
    /// Like `NotHandedOver`, when no other value is accepted any more.
    CutOff,
    /// With the file that has the value.
    PerhapsLive(PathBuf),
    NotReplaced,
}

/// What the counters said at the end of a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StillUsed {
    /// The slot that was to be emptied.
    pub slot: Slot,
    /// Publishes with its value, and with the one that stays.
    pub uses: [u64; 2],
    pub during: Duration,
    /// Since its last use, where that is known.
    pub last: Option<Duration>,
}

/// Refuses to change a secret of `script` in the middle of a gradual deployment, which that would end.
pub(crate) fn undivided(
    environment: &Environment,
    script: &str,
    live: &Holding,
) -> anyhow::Result<()> {
    if live.way().is_some() {
        return Ok(());
    }
    let most = live.live.first().cloned().unwrap_or_default();
    bail!(Blocked::Gradual(script.to_owned(), most).advice(environment))
}

impl Blocked {
    /// The sentences, which name the environment.
    #[expect(
        clippy::too_many_lines,
        reason = "a table: all the sentences of a rotation stand here"
    )]
    pub(crate) fn advice(self, environment: &Environment) -> Advice {
        let name = &environment.name;
        let rotate = format!("edge-broadcast secrets rotate {name}");
        let secret = &environment.secrets[WEBHOOK_SECRET];
        let (what, fix) = match self {
            Self::Empty => (
                format!("`{}` has no `{WEBHOOK_SECRET}`", environment.gateway_script()),
                format!("set one with `edge-broadcast secrets set {name} {WEBHOOK_SECRET}`"),
            ),
            Self::NotOpen => {
                return Advice {
                    what: format!("no rotation of `{name}` is open: there is nothing to abort"),
                    fix: None,
                };
            }
            Self::Undoing => (
                "an abort of this rotation is under way".to_owned(),
                format!("`{rotate} --abort` goes on with it"),
            ),
            Self::Replacing => (
                "a replacement of every value at once was begun".to_owned(),
                format!("`{rotate} --compromised` goes on with it"),
            ),
            Self::Unclear => (
                format!("both slots of `{WEBHOOK_SECRET}` are filled, and not by a rotation of this tool, so it cannot know which value the senders have; nothing was changed"),
                format!("remove the one that nobody uses with `edge-broadcast secrets remove {name} SLOT` (`secrets rotate --status` shows the counters), or end both with `--compromised`"),
            ),
            Self::Torn(new, seen) => torn(new, seen, &rotate),
            Self::OldValueUnknown => (
                format!("senders may have the new value already, and `{}` does not give the old one, so it cannot be handed back; nothing was changed", secret.source),
                "let the rotation go on (without `--abort`), or give the senders the old value yourself and then add `--finish`".to_owned(),
            ),
            Self::NoSenders => (
                format!("nobody would learn the new value: the secret `{WEBHOOK_SECRET}` of `{name}` has no `senders`"),
                "add one to the manifest, for example `senders = [{ kind = \"file\", path = \"secrets.env\" }]`".to_owned(),
            ),
            Self::NoCounters => (
                format!("`{name}` has no `{ADMIN_SECRET}`, so nobody can tell when the old value is unused; nothing was changed"),
                format!("add `[secrets.{ADMIN_SECRET}]` to the manifest and deploy or set it, or run with `--without-evidence` (wait for the retry horizon only) or `--finish` (do not wait)"),
            ),
            Self::AtWork(process) => (
                format!("another run is at work on this rotation (process {process} on this machine); nothing was changed"),
                format!("let it end, or stop it and run again; `{rotate} --status` shows how far it is, and `--take-over` goes on in its place"),
            ),
            Self::PerhapsAtWork(age) => (
                format!("another machine began to hand a value to a sender {} ago, and that sender may still be at work; nothing was changed", seconds(age)),
                format!("`{rotate} --status` shows how far it is; when that run is over, say so with `--take-over`"),
            ),
            Self::TakenOver => (
                "another run took this rotation over; this one stops and changes nothing more".to_owned(),
                format!("`{rotate} --status` shows how far it is"),
            ),
            Self::Gradual(script, most) => (
                format!("`{script}` has a gradual deployment running, and a change of a secret would end it"),
                format!("finish it with `edge-broadcast deploy {name}`, or put one version at 100 % with `edge-broadcast rollback {name} --to {most}`"),
            ),
            Self::Emptied => (
                "somebody emptied a slot meanwhile".to_owned(),
                "run again to see what is left to do".to_owned(),
            ),
            Self::StillUsed(found) => {
                let senders = secret.senders.iter().map(|sender| sender.title.as_str());
                still_used(&found, &senders.collect::<Vec<_>>())
            }
            Self::Unproved(new) => (
                format!("the new value is in `{}` and nobody has it; the old value stays valid", new.binding()),
                "run again to go on".to_owned(),
            ),
            Self::NotHandedOver => (
                "nothing was revoked: both values are accepted".to_owned(),
                format!("repair the sender, then run `{rotate}` to go on or `{rotate} --abort` to go back"),
            ),
            Self::CutOff => (
                "the old value is revoked, and nobody can publish until the senders have the new one".to_owned(),
                format!("repair the sender and run `{rotate}`"),
            ),
            Self::PerhapsLive(file) => (
                format!("nobody can tell whether the new value is live; if it is, `{}` is the only place that has it, so the file stays", file.display()),
                format!("keep it until `{rotate} --compromised --to-file PATH`, with another path, has put a newer value in its place"),
            ),
            Self::NotReplaced => (
                "every earlier value is revoked and the senders were handed the new one, but the gateway does not act by it".to_owned(),
                format!("see `edge-broadcast status {name}` for what is deployed, and try `edge-broadcast verify {name}`"),
            ),
        };
        Advice::new(what, fix)
    }
}

fn torn(new: Slot, seen: Seen, rotate: &str) -> (String, String) {
    let (new, old) = (new.binding(), new.other().binding());
    let found = match seen {
        Seen::Both => {
            format!("some publish with the new value (`{new}`), some with the old one (`{old}`)")
        }
        Seen::NewOnly => format!(
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
    (
        format!(
            "an earlier run was cut off between senders: {found}, and it cannot be read back to finish the handover; nothing was changed and both are accepted"
        ),
        format!(
            "`{rotate} --abort` hands the old value back to all, and a new rotation can begin{way_on}; `--compromised` replaces both at once, and refuses publishes until every sender has the new one"
        ),
    )
}

fn still_used(found: &StillUsed, senders: &[&str]) -> (String, String) {
    let last = found.last.map_or(String::new(), |last| {
        format!(" (the last one {} ago)", seconds(last))
    });
    let whoever = match senders {
        [_] => "whoever reads it there has not switched",
        _ => {
            "whoever reads it at one of these has not switched; the counters tell the values apart, not the senders"
        }
    };
    let [leaving, kept] = found.uses;
    (
        format!(
            "`{}` is still used: {leaving} publishes with its value in the last {}{last}, and {kept} with that of `{}`; nothing was revoked, and both values are accepted",
            found.slot.binding(),
            seconds(found.during),
            found.slot.other().binding(),
        ),
        format!(
            "the value that stays was handed to {}: {whoever} (an SST function does with its next deployment); then run again, or add `--finish` to revoke it now, or `--abort` to go back",
            senders.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use Slot::{Alternate as A, Primary as P};

    fn staging(senders: &str) -> Environment {
        let source = include_str!("../../environments/staging.toml")
            .replace("senders = [\"sst\"]", &format!("senders = [{senders}]"));
        Environment::resolve(&"staging".parse().unwrap(), "staging.toml", &source).unwrap()
    }

    fn said(blocked: &[Blocked], senders: &str) -> String {
        let environment = staging(senders);
        let said = blocked
            .iter()
            .cloned()
            .map(|blocked| format!("{:#}", blocked.advice(&environment)));
        said.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_stop_says_what_is_wrong_and_the_way_out() {
        let age = Duration::from_secs(90);
        insta::assert_snapshot!(said(&[
            Blocked::Empty,
            Blocked::NotOpen,
            Blocked::Undoing,
            Blocked::Replacing,
            Blocked::Unclear,
            Blocked::OldValueUnknown,
            Blocked::NoSenders,
            Blocked::NoCounters,
            Blocked::AtWork(4711),
            Blocked::PerhapsAtWork(age),
            Blocked::TakenOver,
            Blocked::Gradual("gateway".to_owned(), "v1".to_owned()),
            Blocked::Emptied,
            Blocked::Unproved(A),
            Blocked::NotHandedOver,
            Blocked::CutOff,
            Blocked::PerhapsLive(PathBuf::from("new.env")),
            Blocked::NotReplaced,
        ], "\"sst\""), @r#"
`glow-broadcast-staging` has no `WEBHOOK_SECRET`
help: set one with `edge-broadcast secrets set staging WEBHOOK_SECRET`
no rotation of `staging` is open: there is nothing to abort
an abort of this rotation is under way
help: `edge-broadcast secrets rotate staging --abort` goes on with it
a replacement of every value at once was begun
help: `edge-broadcast secrets rotate staging --compromised` goes on with it
both slots of `WEBHOOK_SECRET` are filled, and not by a rotation of this tool, so it cannot know which value the senders have; nothing was changed
help: remove the one that nobody uses with `edge-broadcast secrets remove staging SLOT` (`secrets rotate --status` shows the counters), or end both with `--compromised`
senders may have the new value already, and `env:WEBHOOK_SECRET` does not give the old one, so it cannot be handed back; nothing was changed
help: let the rotation go on (without `--abort`), or give the senders the old value yourself and then add `--finish`
nobody would learn the new value: the secret `WEBHOOK_SECRET` of `staging` has no `senders`
help: add one to the manifest, for example `senders = [{ kind = "file", path = "secrets.env" }]`
`staging` has no `ADMIN_SECRET`, so nobody can tell when the old value is unused; nothing was changed
help: add `[secrets.ADMIN_SECRET]` to the manifest and deploy or set it, or run with `--without-evidence` (wait for the retry horizon only) or `--finish` (do not wait)
another run is at work on this rotation (process 4711 on this machine); nothing was changed
help: let it end, or stop it and run again; `edge-broadcast secrets rotate staging --status` shows how far it is, and `--take-over` goes on in its place
another machine began to hand a value to a sender 1 min 30 s ago, and that sender may still be at work; nothing was changed
help: `edge-broadcast secrets rotate staging --status` shows how far it is; when that run is over, say so with `--take-over`
another run took this rotation over; this one stops and changes nothing more
help: `edge-broadcast secrets rotate staging --status` shows how far it is
`gateway` has a gradual deployment running, and a change of a secret would end it
help: finish it with `edge-broadcast deploy staging`, or put one version at 100 % with `edge-broadcast rollback staging --to v1`
somebody emptied a slot meanwhile
help: run again to see what is left to do
the new value is in `WEBHOOK_SECRET_ALTERNATE` and nobody has it; the old value stays valid
help: run again to go on
nothing was revoked: both values are accepted
help: repair the sender, then run `edge-broadcast secrets rotate staging` to go on or `edge-broadcast secrets rotate staging --abort` to go back
the old value is revoked, and nobody can publish until the senders have the new one
help: repair the sender and run `edge-broadcast secrets rotate staging`
nobody can tell whether the new value is live; if it is, `new.env` is the only place that has it, so the file stays
help: keep it until `edge-broadcast secrets rotate staging --compromised --to-file PATH`, with another path, has put a newer value in its place
every earlier value is revoked and the senders were handed the new one, but the gateway does not act by it
help: see `edge-broadcast status staging` for what is deployed, and try `edge-broadcast verify staging`
"#);
    }

    #[test]
    fn a_handover_that_was_cut_off_is_told_with_what_the_counters_showed() {
        let torn = [Seen::Unknown, Seen::Earlier, Seen::NewOnly, Seen::Both];
        insta::assert_snapshot!(said(&torn.map(|seen| Blocked::Torn(A, seen)), "\"sst\""), @r"
an earlier run was cut off between senders: nobody can tell who has the new value (`WEBHOOK_SECRET_ALTERNATE`), and it cannot be read back to finish the handover; nothing was changed and both are accepted
help: `edge-broadcast secrets rotate staging --abort` hands the old value back to all, and a new rotation can begin; if you know that no sender took it, `--finish` puts a fresh value in its place; `--compromised` replaces both at once, and refuses publishes until every sender has the new one
an earlier run was cut off between senders: somebody has published with the new value (`WEBHOOK_SECRET_ALTERNATE`), and it cannot be read back to finish the handover; nothing was changed and both are accepted
help: `edge-broadcast secrets rotate staging --abort` hands the old value back to all, and a new rotation can begin; `--compromised` replaces both at once, and refuses publishes until every sender has the new one
an earlier run was cut off between senders: somebody publishes with the new value (`WEBHOOK_SECRET_ALTERNATE`), and a sender that is silent now may have the old one (`WEBHOOK_SECRET`) only, and it cannot be read back to finish the handover; nothing was changed and both are accepted
help: `edge-broadcast secrets rotate staging --abort` hands the old value back to all, and a new rotation can begin; `--compromised` replaces both at once, and refuses publishes until every sender has the new one
an earlier run was cut off between senders: some publish with the new value (`WEBHOOK_SECRET_ALTERNATE`), some with the old one (`WEBHOOK_SECRET`), and it cannot be read back to finish the handover; nothing was changed and both are accepted
help: `edge-broadcast secrets rotate staging --abort` hands the old value back to all, and a new rotation can begin; `--compromised` replaces both at once, and refuses publishes until every sender has the new one
");
    }

    #[test]
    fn a_value_that_is_still_used_is_told_with_who_may_not_have_switched() {
        let found = |last| {
            Blocked::StillUsed(StillUsed {
                slot: P,
                uses: [12, 3],
                during: Duration::from_secs(1806),
                last,
            })
        };
        let file = r#"{ kind = "file", path = "secrets.env" }"#;
        insta::assert_snapshot!(said(&[found(Some(Duration::from_secs(4)))], "\"sst\""), @r"
`WEBHOOK_SECRET` is still used: 12 publishes with its value in the last 30 min 6 s (the last one 4.0 s ago), and 3 with that of `WEBHOOK_SECRET_ALTERNATE`; nothing was revoked, and both values are accepted
help: the value that stays was handed to sst: whoever reads it there has not switched (an SST function does with its next deployment); then run again, or add `--finish` to revoke it now, or `--abort` to go back
");
        insta::assert_snapshot!(said(&[found(None)], &format!("\"sst\", {file}")), @r"
`WEBHOOK_SECRET` is still used: 12 publishes with its value in the last 30 min 6 s, and 3 with that of `WEBHOOK_SECRET_ALTERNATE`; nothing was revoked, and both values are accepted
help: the value that stays was handed to sst, file `secrets.env`: whoever reads it at one of these has not switched; the counters tell the values apart, not the senders (an SST function does with its next deployment); then run again, or add `--finish` to revoke it now, or `--abort` to go back
");
    }
}

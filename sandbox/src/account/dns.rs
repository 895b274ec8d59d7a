//! DNS records: those that somebody made, and the one that every custom domain makes for itself. Pure.
//!
//! A request reaches Cloudflare's edge, and with it a zone route, only by a *proxied* record of its host
//! (<https://developers.cloudflare.com/workers/configuration/routing/routes/>, "your domain must have a DNS record proxied").

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::error::{ApiError, invalid, missing};
use crate::account::module::id;
use crate::account::stamp::Stamp;
use crate::account::state::{Account, Certificate, Domain, Record, State, lies_in};

/// Types that lead a host somewhere, of which a name has either several `A` and `AAAA` or one `CNAME`, and which can be proxied.
const ADDRESSES: [&str; 3] = ["A", "AAAA", "CNAME"];
/// What Cloudflare's documentation says to use where there is no origin, and what a custom domain's record has.
const NOWHERE: &str = "100::";

/// The body of a call that makes or changes a record.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Given {
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    content: Option<String>,
    proxied: Option<bool>,
    ttl: Option<u32>,
    comment: Option<String>,
    tags: Option<Vec<String>>,
}

/// As the API shows it.
pub(crate) fn shown(record: &Record) -> Value {
    let meta = match &record.managed_by {
        Some(script) => json!({"origin_worker_id": script, "read_only": true}),
        None => json!({}),
    };
    json!({
        "id": record.id, "name": record.name, "type": record.kind, "content": record.content,
        "proxiable": is_address(record), "proxied": record.proxied, "ttl": record.ttl, "settings": {}, "meta": meta,
        "comment": record.comment, "tags": record.tags,
        "created_on": record.created_on, "modified_on": record.modified_on,
    })
}

/// All records of a zone as an account sees them.
pub(crate) fn of_zone(state: &State, account: &str, zone: &str) -> Vec<Record> {
    let made = state.records.iter().cloned();
    let managed = of_domains(&state.account(account));
    made.chain(managed)
        .filter(|record| record.zone == zone)
        .collect()
}

/// The records that the custom domains of an account make, and take away with themselves.
pub(crate) fn of_domains(account: &Account) -> Vec<Record> {
    account.domains.iter().map(of_domain).collect()
}

fn of_domain(domain: &Domain) -> Record {
    let id = id(&format!("record {}", domain.id));
    Record {
        name: domain.hostname.clone(),
        managed_by: Some(domain.service.clone()),
        ..proxied(fresh(
            id,
            &domain.zone,
            &domain.hostname,
            &domain.created_on,
        ))
    }
}

/// A record that leads nowhere and is not proxied.
fn fresh(id: String, zone: &str, name: &str, now: &str) -> Record {
    Record {
        id,
        zone: zone.to_owned(),
        name: name.to_ascii_lowercase(),
        ttl: 1,
        created_on: now.to_owned(),
        modified_on: now.to_owned(),
        ..Record::default()
    }
}

/// Makes it a proxied one without an origin.
fn proxied(record: Record) -> Record {
    Record {
        kind: "AAAA".into(),
        content: NOWHERE.into(),
        proxied: true,
        ..record
    }
}

/// Whether a host has more than one label before its zone, so that the zone's own certificate does not cover it
/// (<https://developers.cloudflare.com/ssl/edge-certificates/universal-ssl/limitations/>).
pub fn is_deep(host: &str, zone: &str) -> bool {
    let before = host.strip_suffix(zone);
    before.is_some_and(|labels| labels.matches('.').count() > 1)
}

/// Makes a zone ready for names: each gets a proxied record, unless it has a record, and a certificate, unless the zone's own covers it.
pub(crate) fn prepare(state: &mut State, names: &[String], stamp: &Stamp) -> anyhow::Result<()> {
    for name in names {
        let zone = state.zone_of(name.trim_start_matches("*."));
        let zone = zone
            .with_context(|| {
                format!("`{name}` is to have a DNS record, and is in none of the sandbox's zones")
            })?
            .to_owned();
        if !state.records.iter().any(|record| record.name == *name) {
            let id = id(&format!("record {zone} {name}"));
            let record = proxied(fresh(id, &zone, name, &stamp.now));
            state.records.push(record);
        }
        let is_covered = |certificate: &Certificate| certificate.hosts.contains(name);
        if is_deep(name, &zone) && !state.certificates.iter().any(is_covered) {
            state.certificates.push(Certificate {
                id: id(&format!("certificate {zone} {name}")),
                zone,
                hosts: vec![name.clone()],
            });
        }
    }
    Ok(())
}

/// The record of an address type that stands at this host, if somebody made one.
pub(crate) fn in_the_way<'a>(state: &'a State, host: &str) -> Option<&'a Record> {
    let here = |record: &&Record| record.name == host && is_address(record);
    state.records.iter().find(here)
}

fn is_address(record: &Record) -> bool {
    ADDRESSES.contains(&record.kind.as_str())
}

/// `POST /zones/Z/dns_records`.
pub(crate) fn create(
    state: &mut State,
    account: &str,
    zone: &str,
    given: Given,
    stamp: &Stamp,
) -> Result<Record, ApiError> {
    let empty = fresh(stamp.id.clone(), zone, "", &stamp.now);
    let record = changed(empty, given, zone, stamp);
    check(&of_zone(state, account, zone), &record)?;
    state.records.push(record.clone());
    Ok(record)
}

/// How much of a record a change says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// `PUT`: what is not said goes back to its default.
    Whole,
    /// `PATCH`: what is not said stays.
    Part,
}

/// `PUT` and `PATCH /zones/Z/dns_records/R`.
pub(crate) fn update(
    state: &mut State,
    account: &str,
    zone: &str,
    id: &str,
    given: Given,
    scope: Scope,
    stamp: &Stamp,
) -> Result<Record, ApiError> {
    let all = of_zone(state, account, zone);
    let known = found(&all, id)?;
    check_own(known)?;
    let base = match scope {
        Scope::Part => known.clone(),
        Scope::Whole => Record {
            proxied: false,
            ttl: 1,
            comment: None,
            tags: Vec::new(),
            ..known.clone()
        },
    };
    let record = changed(base, given, zone, stamp);
    check(&all, &record)?;
    for stored in state.records.iter_mut().filter(|stored| stored.id == id) {
        stored.clone_from(&record);
    }
    Ok(record)
}

/// `DELETE /zones/Z/dns_records/R`.
pub(crate) fn delete(
    state: &mut State,
    account: &str,
    zone: &str,
    id: &str,
) -> Result<(), ApiError> {
    check_own(found(&of_zone(state, account, zone), id)?)?;
    state.records.retain(|record| record.id != id);
    Ok(())
}

/// A record by its id; 81044.
pub(crate) fn found<'a>(records: &'a [Record], id: &str) -> Result<&'a Record, ApiError> {
    let record = records.iter().find(|record| record.id == id);
    record.ok_or_else(|| missing(81044, "Record does not exist."))
}

/// The code is that of a record which another product keeps; the words are the sandbox's.
fn check_own(record: &Record) -> Result<(), ApiError> {
    let Some(script) = &record.managed_by else {
        return Ok(());
    };
    let message = format!(
        "the record of `{}` belongs to the custom domain of the Worker `{script}`: detach that instead",
        record.name
    );
    Err(invalid(1046, message))
}

fn changed(mut record: Record, given: Given, zone: &str, stamp: &Stamp) -> Record {
    if let Some(name) = given.name {
        record.name = whole_name(&name, zone);
    }
    record.kind = given.kind.unwrap_or(record.kind);
    record.content = given.content.unwrap_or(record.content);
    record.proxied = given.proxied.unwrap_or(record.proxied);
    record.ttl = match record.proxied {
        true => 1,
        false => given.ttl.unwrap_or(record.ttl),
    };
    record.comment = given.comment.or(record.comment);
    record.tags = given.tags.unwrap_or(record.tags);
    record.modified_on.clone_from(&stamp.now);
    record
}

/// `@` and names outside the zone are meant within it, as Cloudflare understands them.
fn whole_name(name: &str, zone: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "" | "@" => zone.to_owned(),
        name if lies_in(name, zone) => name.to_owned(),
        name => format!("{name}.{zone}"),
    }
}

/// What Cloudflare's DNS refuses: 9005 and 9006 for an address that is none, 9004 and 9041 for a record that cannot be, 81053 to 81058
/// for one that contradicts another (<https://developers.cloudflare.com/dns/manage-dns-records/troubleshooting/>).
fn check(all: &[Record], record: &Record) -> Result<(), ApiError> {
    let bad = |code, message: &str| Err(invalid(code, message));
    match record.kind.as_str() {
        "" => return bad(9004, "The record type is invalid."),
        "A" if record.content.parse::<Ipv4Addr>().is_err() => {
            return bad(9005, "Content for A record must be a valid IPv4 address.");
        }
        "AAAA" if record.content.parse::<Ipv6Addr>().is_err() => {
            return bad(
                9006,
                "Content for AAAA record must be a valid IPv6 address.",
            );
        }
        _ => {}
    }
    if record.proxied && !is_address(record) {
        return bad(9041, "This record type cannot be proxied.");
    }
    let others = || {
        all.iter()
            .filter(|other| other.id != record.id && other.name == record.name)
    };
    let mut same = others().filter(|other| other.kind == record.kind);
    if same.any(|other| other.content == record.content) {
        return bad(81058, "An identical record already exists.");
    }
    let exclusive = |other: &&Record| {
        is_address(other)
            && (other.kind == "CNAME" || record.kind == "CNAME" || other.managed_by.is_some())
    };
    if is_address(record) && others().any(|other| exclusive(&other)) {
        return bad(
            81053,
            "An A, AAAA, or CNAME record with that host already exists.",
        );
    }
    Ok(())
}

/// Whether requests to a host come through the edge.
pub(crate) fn is_proxied(records: &[Record], host: &str) -> bool {
    let exists = |name: &str| records.iter().any(|record| record.name == name);
    let Some(name) = answering(host, exists) else {
        return false;
    };
    let leads = |record: &Record| record.name == name && record.proxied && is_address(record);
    records.iter().any(leads)
}

/// The name whose records answer for a host, by the names that exist: its own, or the nearest wildcard above it. A wildcard does not
/// reach below a name that exists (RFC 4592).
pub fn answering(host: &str, exists: impl Fn(&str) -> bool) -> Option<String> {
    if exists(host) {
        return Some(host.to_owned());
    }
    let mut rest = host;
    while let Some((_, above)) = rest.split_once('.') {
        let wildcard = format!("*.{above}");
        if exists(&wildcard) {
            return Some(wildcard);
        }
        if exists(above) {
            return None;
        }
        rest = above;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::fixture::fixed;

    fn given(json: Value) -> Given {
        serde_json::from_value(json).unwrap()
    }

    fn zone() -> State {
        State {
            zones: ["glow.trade".to_owned()].into(),
            ..State::default()
        }
    }

    fn add(state: &mut State, number: u32, json: Value) -> Result<Record, ApiError> {
        create(state, "a", "glow.trade", given(json), &fixed(number))
    }

    #[test]
    fn a_name_is_meant_within_its_zone() {
        let names = [
            "@",
            "ws",
            "ws.glow.trade",
            "WS.Glow.Trade",
            "*",
            "glow.trade",
        ];
        let whole: Vec<String> = names
            .iter()
            .map(|name| whole_name(name, "glow.trade"))
            .collect();
        assert_eq!(
            whole,
            [
                "glow.trade",
                "ws.glow.trade",
                "ws.glow.trade",
                "ws.glow.trade",
                "*.glow.trade",
                "glow.trade"
            ]
        );
    }

    #[test]
    fn a_record_that_cannot_be_is_refused_with_its_code() {
        let mut state = zone();
        add(
            &mut state,
            1,
            json!({"type": "A", "name": "a", "content": "192.0.2.1"}),
        )
        .unwrap();
        let mut code = |json| add(&mut state, 2, json).unwrap_err().problems[0].0;
        assert_eq!(
            code(json!({"type": "A", "name": "a", "content": "192.0.2.1"})),
            81058
        );
        assert_eq!(
            code(json!({"type": "CNAME", "name": "a", "content": "b.glow.trade"})),
            81053
        );
        assert_eq!(
            code(json!({"type": "A", "name": "b", "content": "::1"})),
            9005
        );
        assert_eq!(
            code(json!({"type": "AAAA", "name": "b", "content": "192.0.2.1"})),
            9006
        );
        assert_eq!(
            code(json!({"type": "TXT", "name": "b", "content": "x", "proxied": true})),
            9041
        );
        add(
            &mut state,
            3,
            json!({"type": "A", "name": "a", "content": "192.0.2.2"}),
        )
        .unwrap();
        add(
            &mut state,
            4,
            json!({"type": "TXT", "name": "a", "content": "x"}),
        )
        .unwrap();
    }

    #[test]
    fn a_host_is_reached_by_its_own_proxied_record_or_the_nearest_wildcard() {
        let mut state = zone();
        for (number, (kind, name, proxied)) in (1..).zip([
            ("A", "direct", false),
            ("A", "ws", true),
            ("A", "*", true),
            ("TXT", "mail", false),
            ("A", "*.dark", false),
        ]) {
            let record =
                json!({"type": kind, "name": name, "content": "192.0.2.1", "proxied": proxied});
            add(&mut state, number, record).unwrap();
        }
        let reached = |host: &str| is_proxied(&state.records, host);
        assert!(
            reached("ws.glow.trade") && reached("other.glow.trade") && reached("a.b.glow.trade")
        );
        assert!(
            !reached("direct.glow.trade"),
            "a record that is not proxied goes past the edge"
        );
        assert!(
            !reached("mail.glow.trade"),
            "a name that exists is under no wildcard"
        );
        assert!(!reached("x.mail.glow.trade"), "nor is what lies below it");
        assert!(
            !reached("x.dark.glow.trade"),
            "the nearest wildcard decides"
        );
        assert!(!reached("glow.trade") && !reached("example.com"));
    }

    #[test]
    fn a_part_leaves_the_rest_and_a_whole_does_not() {
        let mut state = zone();
        let first = add(
            &mut state,
            1,
            json!({"type": "A", "name": "a", "content": "192.0.2.1", "proxied": true, "comment": "mine"}),
        );
        let id = first.unwrap().id;
        let mut change = |json, scope| {
            update(
                &mut state,
                "a",
                "glow.trade",
                &id,
                given(json),
                scope,
                &fixed(2),
            )
            .unwrap()
        };
        let part = change(json!({"content": "192.0.2.2"}), Scope::Part);
        assert_eq!(
            (part.proxied, part.comment.as_deref()),
            (true, Some("mine"))
        );
        let whole = change(
            json!({"type": "A", "name": "a", "content": "192.0.2.3"}),
            Scope::Whole,
        );
        assert_eq!((whole.proxied, whole.comment), (false, None));
    }
}

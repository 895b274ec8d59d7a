//! What a load meets in an environment, told beforehand. Pure.

use super::load::Load;
use crate::environment::cost::Prices;
use crate::environment::{Environment, Rate};

/// What the load does, and about what it costs.
pub(crate) fn told(load: &Load) -> String {
    let (sockets, updates) = (f64::from(load.sockets), load.updates() as f64);
    let prices = Prices::known();
    // A handshake or publish is a request to the gateway and one to the room, a socket's end another
    let cost = ((sockets + updates) * prices.worker_requests.million
        + (2.0 * sockets + updates) * prices.object_requests.million)
        / 1e6;
    format!(
        "{} sockets on {} tokens, {}/s; then {} updates of {} bytes, {}/s for {}; about ${cost:.4} of requests at list price",
        load.sockets,
        load.tokens.len(),
        load.connect_rate,
        load.updates(),
        load.bytes,
        load.rate,
        humantime::format_duration(load.warm_up + load.duration)
    )
}

/// The limits of the environment that the load is above: one line each.
pub(crate) fn met(load: &Load, environment: &Environment) -> Vec<String> {
    let tokens = load.tokens.len() as f64;
    let of_token = (f64::from(load.sockets) / tokens).ceil();
    let mut met = Vec::new();
    let mut limit = |is_met: bool, what: String| {
        if is_met {
            met.push(what);
        }
    };
    let of_address = environment.gateway.connections_per_ip;
    limit(
        of_address > 0 && of_token > f64::from(of_address),
        format!(
            "`connections_per_ip` is {of_address} in one object, and {of_token} sockets come to a token from this address"
        ),
    );
    let room = &environment.room;
    let places = f64::from(room.max_connections) * f64::from(room.max_shards.max(1));
    limit(
        of_token > places,
        format!("a room has {places} places, and {of_token} sockets come to a token"),
    );
    let Rate {
        limit: most,
        period,
    } = environment.connect_rate;
    let connects = of_token.min(load.connect_rate * f64::from(period) / tokens);
    limit(
        connects > f64::from(most),
        format!(
            "`connect_rate` is {most} in {period} s for one address and room, and about {connects:.0} come"
        ),
    );
    let Rate {
        limit: most,
        period,
    } = environment.broadcast_rate;
    let seconds = (load.warm_up + load.duration).as_secs_f64();
    let updates = load.rate * seconds.min(f64::from(period)) / tokens;
    limit(
        updates > f64::from(most),
        format!(
            "`broadcast_rate` is {most} in {period} s for one token, and about {updates:.0} come"
        ),
    );
    let largest = environment.gateway.max_message_bytes;
    limit(
        load.bytes > largest as usize,
        format!(
            "`max_message_bytes` is {largest}, and an update has {}",
            load.bytes
        ),
    );
    met
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::load::made_up;
    use super::*;

    #[test]
    fn limits_that_a_load_is_above_are_told_with_both_figures() {
        let name = "staging".parse().unwrap();
        let source = include_str!("../../../environments/staging.toml");
        let environment = Environment::resolve(&name, "staging.toml", source).unwrap();
        let load = Load {
            sockets: 40_000,
            tokens: made_up(10),
            rate: 300.0,
            connect_rate: 500.0,
            duration: Duration::from_secs(60),
            warm_up: Duration::from_secs(2),
            bytes: 20_000,
        };
        insta::assert_snapshot!(met(&load, &environment).join("\n"), @"
        `connections_per_ip` is 500 in one object, and 4000 sockets come to a token from this address
        `connect_rate` is 1000 in 60 s for one address and room, and about 3000 come
        `broadcast_rate` is 1000 in 60 s for one token, and about 1800 come
        `max_message_bytes` is 16384, and an update has 20000
        ");
        insta::assert_snapshot!(told(&load), @"40000 sockets on 10 tokens, 500/s; then 18600 updates of 20000 bytes, 300/s for 1m 2s; about $0.0324 of requests at list price");
        let small = Load {
            sockets: 100,
            rate: 10.0,
            bytes: 200,
            ..load
        };
        assert!(met(&small, &environment).is_empty());
    }
}

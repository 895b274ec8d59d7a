//! A client, as far as its address tells.

use crate::contract::token::Token;
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// The part of an address that one client holds: an IPv4 address, or the first 64 bits of an IPv6 one, since whoever
/// has one address of a /64 has them all. `None` for what is no address.
pub fn group(address: &str) -> Option<String> {
    match address.trim().parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => Some(address.to_string()),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Some(format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"))
        }
    }
}

/// Counters of one address: many clients of one carrier share it, and those of one room are not to take each other's turn,
/// while made-up tokens must not make a counter each.
const COUNTERS: u8 = 8;

/// What the rate of connecting and polling is counted by: a client's [`group`], and one of a few counters for the token.
pub fn rate_key(group: &str, token: &Token) -> String {
    let counter = Sha256::digest(token.as_str())[0] % COUNTERS;
    format!("{group} {counter}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_of_one_client_are_one_group() {
        for (address, group_) in [
            ("203.0.113.7", Some("203.0.113.7")),
            ("::ffff:203.0.113.7", Some("203.0.113.7")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::/64")),
            ("2001:db8:1:2::", Some("2001:db8:1:2::/64")),
            ("unknown", None),
            ("", None),
        ] {
            assert_eq!(group(address).as_deref(), group_, "{address}");
        }
    }

    fn key(group: &str, text: &str) -> String {
        rate_key(group, &Token::try_from(text).unwrap())
    }

    #[test]
    fn a_rate_is_counted_by_address_and_token_and_no_address_has_more_than_eight_counters() {
        assert_eq!(key("203.0.113.7", "SOL"), "203.0.113.7 1");
        assert_eq!(key("203.0.113.7", "BONK"), "203.0.113.7 7");
        assert_eq!(key("2001:db8:1:2::/64", "SOL"), "2001:db8:1:2::/64 1");
        let mut rooms = std::collections::BTreeMap::<String, usize>::new();
        for number in 0..8_000 {
            *rooms
                .entry(key("203.0.113.7", &format!("T{number}")))
                .or_default() += 1;
        }
        assert_eq!(rooms.len(), 8);
        assert!(
            rooms.values().all(|rooms| (900..1_100).contains(rooms)),
            "{rooms:?}"
        );
    }

    proptest! {
        #[test]
        fn no_address_panics(address in ".*") {
            let _ = group(&address);
        }
    }
}

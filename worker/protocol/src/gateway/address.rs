//! A client, as far as its address tells.

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

    proptest! {
        #[test]
        fn no_address_panics(address in ".*") {
            let _ = group(&address);
        }
    }
}

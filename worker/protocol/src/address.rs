//! Who a client is, as far as its address tells.

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

/// The socket tag of a client: equal for its sockets in one room, and telling nothing without the room's `salt`.
pub fn tag(salt: &str, group: &str) -> String {
    let digest = Sha256::new()
        .chain_update(salt)
        .chain_update([0])
        .chain_update(group)
        .finalize();
    let mut tag = String::from("ip:");
    for byte in &digest[..16] {
        tag.push(char::from(HEX[usize::from(byte >> 4)]));
        tag.push(char::from(HEX[usize::from(byte & 15)]));
    }
    tag
}

const HEX: &[u8; 16] = b"0123456789abcdef";

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

    #[test]
    fn a_tag_depends_on_the_salt_and_does_not_hold_the_address() {
        let tag_ = tag("a", "203.0.113.7");
        assert_eq!(tag_.len(), 35);
        assert!(!tag_.contains("203"));
        assert_ne!(tag_, tag("b", "203.0.113.7"));
        assert_eq!(tag_, tag("a", "203.0.113.7"));
    }

    proptest! {
        #[test]
        fn no_address_panics(address in ".*") {
            let _ = group(&address);
        }
    }
}

//! The close codes of a room's sockets. 4000 to 4999 are free for applications (RFC 6455, section 7.4.2).

/// A close code of our own, and its reason of at most 123 bytes (RFC 6455, section 5.5): advice to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    pub code: u16,
    pub reason: &'static str,
}

/// The client broke a rule; it should not come back unchanged.
pub const POLICY: Close = Close {
    code: 4001,
    reason: "only pings and acknowledgements are accepted",
};
/// No ping within the idle time.
pub const IDLE: Close = Close {
    code: 4008,
    reason: "no ping within the idle time",
};
/// A frame above the size limit.
pub const TOO_LARGE: Close = Close {
    code: 4009,
    reason: "message too large",
};
/// It confirms far less than it is sent.
pub const TOO_SLOW: Close = Close {
    code: 4010,
    reason: "too slow for what this room sends",
};
/// No place left in the room.
pub const FULL: Close = Close {
    code: 4013,
    reason: "this room has no place left",
};
/// Too many sockets of one address.
pub const TOO_MANY: Close = Close {
    code: 4029,
    reason: "too many connections from this address",
};
/// Too many frames of one client.
pub const TOO_LOUD: Close = Close {
    code: 4029,
    reason: "too many messages",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_close_is_one_that_the_protocol_allows() {
        for close in [POLICY, IDLE, TOO_LARGE, TOO_SLOW, FULL, TOO_MANY, TOO_LOUD] {
            assert!(
                (4000..=4999).contains(&close.code) && close.reason.len() <= 123,
                "{close:?}"
            );
        }
    }
}

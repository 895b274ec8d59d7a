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
/// Too many frames of one client.
pub const TOO_LOUD: Close = Close {
    code: 4029,
    reason: "too many messages",
};

/// The close codes of handshakes that were refused, by the refusal's code. From 4000 to 4004 a client does not come back
/// unchanged; from 4013 on it does, later. The last one stands for every code that is not here.
pub const REFUSED: [(u16, &str); 10] = [
    (4000, "invalid_token"),
    (4003, "origin_not_allowed"),
    (4003, "origin_required"),
    (4004, "not_found"),
    (4013, "room_full"),
    (4029, "connect_rate"),
    (4029, "too_many_connections"),
    (4050, "misconfigured"),
    (4053, "unknown_call"),
    (4053, "room_unavailable"),
];

/// What a refused handshake is closed with where the client asks for that, because a browser shows a page neither the status
/// nor the body of one: a close code, and as its reason the refusal's `code`, or `code;retry=60` with the seconds after which
/// another try may succeed.
pub fn refused(code: &str, retry_after: Option<u32>) -> (u16, String) {
    let [.., other] = &REFUSED;
    let found = REFUSED.iter().find(|(_, known)| *known == code);
    let (close, code) = found.unwrap_or(other);
    let reason = match retry_after {
        Some(seconds) => format!("{code};retry={seconds}"),
        None => (*code).to_owned(),
    };
    (*close, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::refusal::{self, Refusal};
    use proptest::prelude::*;

    #[test]
    fn every_close_is_one_that_the_protocol_allows() {
        for close in [POLICY, IDLE, TOO_LARGE, TOO_SLOW, TOO_LOUD] {
            assert!(
                (4000..=4999).contains(&close.code) && close.reason.len() <= 123,
                "{close:?}"
            );
        }
    }

    #[test]
    fn a_refused_handshake_is_closed_with_its_code_and_when_to_come_back() {
        let closed = |refusal: Refusal| refused(refusal.code, refusal.retry_after);
        let is = |code, reason: &str| (code, reason.to_owned());
        assert_eq!(
            closed(refusal::ORIGIN_NOT_ALLOWED),
            is(4003, "origin_not_allowed")
        );
        assert_eq!(
            closed(refusal::CONNECT_RATE.retry_after(60)),
            is(4029, "connect_rate;retry=60")
        );
        assert_eq!(closed(refusal::ROOM_FULL), is(4013, "room_full;retry=30"));
        assert_eq!(
            refused("of_a_newer_room", None),
            is(4053, "room_unavailable")
        );
    }

    #[test]
    fn what_is_closed_for_good_is_what_the_client_did_and_the_rest_is_what_passes() {
        for (close, code) in REFUSED {
            let found = refusal::ALL.iter().find(|refusal| refusal.code == code);
            let status = found.expect("a code of a refusal").status;
            // Versions that do not know each other are no fault of the client
            let is_final = (400..429).contains(&status) && code != "unknown_call";
            assert_eq!(close < 4010, is_final, "{code}");
            assert!((4000..4100).contains(&close), "{code}");
        }
    }

    proptest! {
        #[test]
        fn every_reason_is_short_enough_for_a_close_frame(code in ".*", retry_after: Option<u32>) {
            let (close, reason) = refused(&code, retry_after);
            prop_assert!((4000..=4999).contains(&close) && reason.len() <= 123);
        }
    }
}

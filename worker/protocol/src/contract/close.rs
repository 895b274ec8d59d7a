//! The close codes of a room's sockets. 4000 to 4999 are free for applications (RFC 6455, section 7.4.2).

/// A close code of our own, and its reason of at most 123 bytes (RFC 6455, section 5.5): advice to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    pub code: u16,
    pub reason: &'static str,
}

/// What a client does after a close.
#[cfg(feature = "describe")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComeBack {
    /// Nothing, unless it or what it asks for is changed.
    Never,
    /// It comes back at once, as after any loss.
    Now,
    /// It comes back when the seconds have passed that the reason names, or else in its own time.
    Later,
}

#[cfg(feature = "describe")]
impl ComeBack {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Now => "now",
            Self::Later => "later",
        }
    }
}

/// A close as clients are told of it.
#[cfg(feature = "describe")]
#[derive(Clone, Copy, Debug)]
pub struct Described {
    pub code: u16,
    /// The reason; of a refused handshake its refusal's code, which `;retry=60` may follow.
    pub reason: &'static str,
    /// What it was closed for; of a refused handshake, its refusal's meaning says so.
    pub meaning: &'static str,
    pub come_back: ComeBack,
    /// The same in words.
    pub advice: &'static str,
}

/// Declares the closes of open sockets as constants.
macro_rules! closes {
    ($($(#[doc = $meaning:literal])+ $name:ident = $code:literal, $reason:literal, $come_back:ident $advice:literal;)*) => {
        $($(#[doc = $meaning])+ pub const $name: Close = Close { code: $code, reason: $reason };)*
        /// Every one.
        #[cfg(feature = "describe")]
        pub const CLOSES: &[Described] = &[$(Described {
            code: $code,
            reason: $reason,
            meaning: concat!($($meaning),+),
            come_back: ComeBack::$come_back,
            advice: $advice,
        }),*];
    };
}

closes! {
    /// the client sent something else
    POLICY = 4001, "only pings and acknowledgements are accepted", Never "not without being changed";
    /// it was silent for `room.idle_timeout`
    IDLE = 4008, "no ping within the idle time", Now "at once";
    /// its frame was above `access.max_message_bytes`
    TOO_LARGE = 4009, "message too large", Never "not without being changed";
    /// it was sent 8 MiB that it did not acknowledge
    TOO_SLOW = 4010, "too slow for what this room sends", Now "at once";
    /// it sent more than 20 frames a second
    TOO_LOUD = 4029, "too many messages", Never "not without being changed";
}

/// Declares the closes of refused handshakes.
macro_rules! refused {
    ($(#[$doc:meta])* [$count:literal] $($code:literal, $refusal:literal, $come_back:ident $advice:literal;)*) => {
        $(#[$doc])*
        pub const REFUSED: [(u16, &str); $count] = [$(($code, $refusal)),*];
        /// The same, as clients are told of them.
        #[cfg(feature = "describe")]
        pub const REFUSED_DESCRIBED: [Described; $count] = [$(Described {
            code: $code,
            reason: $refusal,
            meaning: "",
            come_back: ComeBack::$come_back,
            advice: $advice,
        }),*];
    };
}

refused! {
    /// The close codes of handshakes that were refused, by the refusal's code. From 4000 to 4004 a client does not come back
    /// unchanged; from 4013 on it does, later. The last one stands for every code that is not here.
    [10]
    4000, "invalid_token", Never "not without being changed";
    4003, "origin_not_allowed", Never "not from this page";
    4003, "origin_required", Never "not without an `Origin`";
    4004, "not_found", Never "not without being changed";
    4013, "room_full", Later "after `retry`";
    4029, "connect_rate", Later "after `retry`";
    4029, "too_many_connections", Later "after `retry`, or when another socket was closed";
    4050, "misconfigured", Later "later: the deployment is not whole";
    4053, "unknown_call", Later "later: the versions of the gateway and the room do not know each other";
    4053, "room_unavailable", Later "after `retry`";
}

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

    #[cfg(feature = "describe")]
    #[test]
    fn a_client_is_told_to_stay_away_by_the_codes_that_say_so() {
        for close in REFUSED_DESCRIBED {
            let is_final = close.come_back == ComeBack::Never;
            assert_eq!(close.code < 4010, is_final, "{close:?}");
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

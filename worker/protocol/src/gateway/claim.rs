//! The claim of a publish that it is signed with the key of one of our secrets: first its headers, then the body.

use super::credential::{Secret, matching};
use crate::contract::refusal::{self, Refusal};
use crate::contract::signature::{entries, is_id, sign};
use crate::contract::slot::Slot;
use subtle::{Choice, ConstantTimeEq};

/// The distance that the sender's clock may have from ours, in seconds, as the specification advises.
pub const TOLERANCE_SECONDS: u64 = 300;

/// The three headers of Standard Webhooks as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claim<'request> {
    /// `webhook-id`
    pub id: Option<&'request str>,
    /// `webhook-timestamp`, unix seconds
    pub timestamp: Option<&'request str>,
    /// `webhook-signature`: `v1,<base64>`, several separated by spaces
    pub signature: Option<&'request str>,
}

/// A claim whose headers have their form, and whose time is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timely<'request> {
    id: &'request str,
    timestamp: &'request str,
    signature: &'request str,
    seconds: u64,
}

impl<'request> Claim<'request> {
    /// Checks what needs no body.
    ///
    /// # Errors
    /// 401 for headers that are missing or misshapen, and for a timestamp out of tolerance.
    pub fn timely(&self, now_ms: u64) -> Result<Timely<'request>, Refusal> {
        let (Some(id), Some(timestamp), Some(signature)) =
            (self.id, self.timestamp, self.signature)
        else {
            return Err(refusal::MISSING_CREDENTIALS);
        };
        let digits = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let seconds: u64 = (is_id(id) && digits && entries(signature).next().is_some())
            .then(|| timestamp.parse().ok())
            .flatten()
            .ok_or(refusal::MALFORMED_SIGNATURE)?;
        if (now_ms / 1000).abs_diff(seconds) > TOLERANCE_SECONDS {
            return Err(refusal::STALE_SIGNATURE);
        }
        Ok(Timely {
            id,
            timestamp,
            signature,
            seconds,
        })
    }
}

impl Timely<'_> {
    /// The slot whose key made one of the signatures over `body`. Every key is tried with every signature.
    ///
    /// # Errors
    /// 403 when no key made any.
    pub fn verify(&self, body: &[u8], secrets: &[Secret]) -> Result<Slot, Refusal> {
        matching(secrets, |secret| {
            let expected = sign(secret.signing_key(), self.id, self.timestamp, body);
            entries(self.signature).fold(Choice::from(0), |found, given| {
                found | given.as_slice().ct_eq(&expected)
            })
        })
        .ok_or(refusal::WRONG_CREDENTIALS)
    }

    /// When it was signed, in unix milliseconds.
    pub fn signed_ms(&self) -> u64 {
        self.seconds.saturating_mul(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::signature::signature;
    use proptest::prelude::*;

    // The example of the Standard Webhooks specification and of its libraries' own tests.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP: &str = "1614265330";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const NOW_MS: u64 = 1_614_265_330_000;

    fn slots() -> Vec<Secret> {
        [(Slot::Primary, "whsec_AAAA"), (Slot::Alternate, SECRET)]
            .into_iter()
            .filter_map(|(slot, value)| Secret::of(slot, value))
            .collect()
    }

    fn claim<'text>(id: &'text str, timestamp: &'text str, signature: &'text str) -> Claim<'text> {
        Claim {
            id: Some(id),
            timestamp: Some(timestamp),
            signature: Some(signature),
        }
    }

    fn verified(signature: &str, now_ms: u64, body: &[u8]) -> Result<Slot, u16> {
        claim(ID, TIMESTAMP, signature)
            .timely(now_ms)
            .and_then(|timely| timely.verify(body, &slots()))
            .map_err(|refusal| refusal.status)
    }

    #[test]
    fn the_published_example_verifies_and_is_what_we_sign() {
        assert_eq!(verified(SIGNATURE, NOW_MS, BODY), Ok(Slot::Alternate));
        assert_eq!(signature(SECRET, ID, 1_614_265_330, BODY), SIGNATURE);
    }

    #[test]
    fn one_good_signature_among_several_is_enough() {
        let header = format!("v1,AAAA v1a,{SIGNATURE} v2,xx {SIGNATURE}");
        assert_eq!(verified(&header, NOW_MS, BODY), Ok(Slot::Alternate));
    }

    #[test]
    fn a_changed_body_or_a_foreign_key_is_403() {
        assert_eq!(verified(SIGNATURE, NOW_MS, b"{}"), Err(403));
        assert_eq!(verified("v1,AAAA", NOW_MS, BODY), Err(403));
    }

    #[test]
    fn five_minutes_are_tolerated_in_both_directions() {
        for (offset, result) in [(300_999, Ok(Slot::Alternate)), (301_000, Err(401))] {
            assert_eq!(verified(SIGNATURE, NOW_MS + offset, BODY), result);
        }
        assert_eq!(
            verified(SIGNATURE, NOW_MS - 300_000, BODY),
            Ok(Slot::Alternate)
        );
        assert_eq!(verified(SIGNATURE, NOW_MS - 301_000, BODY), Err(401));
    }

    #[test]
    fn misshapen_headers_are_401() {
        for (id, timestamp, signature) in [
            ("", TIMESTAMP, SIGNATURE),
            ("with space", TIMESTAMP, SIGNATURE),
            (ID, "", SIGNATURE),
            (ID, "+1614265330", SIGNATURE),
            (ID, "99999999999999999999999", SIGNATURE),
            (ID, TIMESTAMP, ""),
            (ID, TIMESTAMP, "v2,AAAA"),
            (ID, TIMESTAMP, "v1,not base64"),
        ] {
            let refused = claim(id, timestamp, signature).timely(NOW_MS);
            assert_eq!(
                refused.unwrap_err().status,
                401,
                "{id} {timestamp} {signature}"
            );
        }
        let refused = Claim::default().timely(NOW_MS);
        assert_eq!(refused.unwrap_err().status, 401);
    }

    proptest! {
        #[test]
        fn no_header_panics_and_nothing_random_verifies(
            id in ".*", timestamp in "[0-9+-]{0,20}", signature in ".*", now in any::<u64>(), body in any::<Vec<u8>>(),
        ) {
            let claim = claim(&id, &timestamp, &signature);
            prop_assert!(claim.timely(now).and_then(|timely| timely.verify(&body, &slots())).is_err());
        }

        #[test]
        fn what_we_sign_verifies(id in "[!-~]{1,64}", seconds in 1u64..1_000_000_000_000, body in any::<Vec<u8>>()) {
            let header = signature(SECRET, &id, seconds, &body);
            let timestamp = seconds.to_string();
            let timely = claim(&id, &timestamp, &header);
            let timely = timely.timely(seconds * 1000 + 300_999).unwrap();
            prop_assert_eq!(timely.verify(&body, &slots()), Ok(Slot::Alternate));
            prop_assert_eq!(timely.signed_ms(), seconds * 1000);
        }
    }
}

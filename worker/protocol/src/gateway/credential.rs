//! Bearer values, compared with the secret slots.

use crate::contract::refusal::{self, Refusal};
use crate::contract::signature;
use crate::contract::slot::Slot;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// The traces of one slot's secret that the gateway keeps: never the secret itself, and nothing that prints.
#[derive(Clone)]
pub struct Secret {
    slot: Slot,
    digest: [u8; 32],
    key: Vec<u8>,
}

impl Secret {
    /// The secret of `slot`, or nothing when the slot is empty.
    pub fn of(slot: Slot, value: &str) -> Option<Self> {
        (!value.is_empty()).then(|| Self {
            slot,
            digest: Sha256::digest(value).into(),
            key: signature::key(value),
        })
    }

    /// The key of Standard Webhooks signatures.
    pub(crate) fn signing_key(&self) -> &[u8] {
        &self.key
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secret({:?}, redacted)", self.slot)
    }
}

/// The slot whose secret the `Authorization` header carries, with the word `Bearer` or without (Helius sends its
/// `authHeader` as it was configured).
///
/// Values are compared by their digests, each slot with the same work, so neither length, prefix nor slot shows in time.
///
/// # Errors
/// 401 when there is nothing to compare, 403 when it is wrong: Helius repeats everything but 403.
pub fn bearer(authorization: Option<&str>, secrets: &[Secret]) -> Result<Slot, Refusal> {
    let value = authorization.map(strip_scheme).unwrap_or_default();
    if value.is_empty() {
        return Err(refusal::MISSING_CREDENTIALS);
    }
    let digest: [u8; 32] = Sha256::digest(value).into();
    matching(secrets, |secret| secret.digest.ct_eq(&digest)).ok_or(refusal::WRONG_CREDENTIALS)
}

/// The first slot for which `accepts` holds; every slot is tried, whatever the earlier ones said.
pub(crate) fn matching(secrets: &[Secret], accepts: impl Fn(&Secret) -> Choice) -> Option<Slot> {
    let mut found = 0u8;
    for rank in (1..=u8::try_from(secrets.len()).unwrap_or(u8::MAX)).rev() {
        found.conditional_assign(&rank, accepts(&secrets[usize::from(rank) - 1]));
    }
    found
        .checked_sub(1)
        .map(|index| secrets[usize::from(index)].slot)
}

fn strip_scheme(header: &str) -> &str {
    let header = header.trim();
    match header.split_once([' ', '\t']) {
        Some((word, value)) if word.eq_ignore_ascii_case("bearer") => value.trim_start(),
        None if header.eq_ignore_ascii_case("bearer") => "",
        _ => header,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slots() -> Vec<Secret> {
        [(Slot::Primary, "old"), (Slot::Alternate, "new")]
            .into_iter()
            .filter_map(|(slot, value)| Secret::of(slot, value))
            .collect()
    }

    #[test]
    fn either_slot_opens_with_and_without_the_word_bearer() {
        for (header, slot) in [
            ("Bearer old", Slot::Primary),
            ("bearer  new ", Slot::Alternate),
            ("new", Slot::Alternate),
        ] {
            assert_eq!(bearer(Some(header), &slots()), Ok(slot), "{header}");
        }
    }

    #[test]
    fn nothing_is_401_and_something_wrong_is_403() {
        for (header, status) in [
            (None, 401),
            (Some(""), 401),
            (Some("Bearer"), 401),
            (Some("Bearer "), 401),
            (Some("Bearer olds"), 403),
            (Some("Bearerold"), 403),
            (Some("Basic old"), 403),
            (Some("ol"), 403),
        ] {
            assert_eq!(
                bearer(header, &slots()).unwrap_err().status,
                status,
                "{header:?}"
            );
        }
        assert_eq!(bearer(Some("old"), &[]).unwrap_err().status, 403);
    }

    #[test]
    fn an_empty_slot_accepts_nothing() {
        assert!(Secret::of(Slot::Primary, "").is_none());
    }

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::of(Slot::Primary, "hunter2").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(Primary, redacted)");
    }

    proptest! {
        #[test]
        fn no_header_panics_and_only_the_secret_opens(header in ".*") {
            let opened = bearer(Some(&header), &slots()).is_ok();
            prop_assert_eq!(opened, matches!(strip_scheme(&header), "old" | "new"));
        }
    }
}

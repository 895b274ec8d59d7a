//! What a publish says besides its body. Whoever is to be refused for it is refused before a byte of the body is read.

use super::claim::{Claim, Timely};
use super::credential::{self, Secret};
use super::{encoding, media_type};
use crate::contract::head::{self, Head};
use crate::contract::refusal::{self, Refusal};
use crate::contract::settings::GatewaySettings;
use crate::contract::signature;
use crate::contract::slot::Slot;

/// Headers and parameters of a publish as they came.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    pub authorization: Option<String>,
    pub content_encoding: Option<String>,
    pub content_length: Option<String>,
    pub content_type: Option<String>,
    /// `webhook-id`, or else `Idempotency-Key`
    pub id: Option<String>,
    /// `webhook-timestamp`
    pub timestamp: Option<String>,
    /// `webhook-signature`
    pub signature: Option<String>,
    /// Whether the URL says `force`.
    pub force: bool,
}

/// Who sends a publish, as far as its envelope tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender<'request> {
    /// Its secret has been compared.
    Bearer(Slot),
    /// Its signature has still to be compared with the body.
    Signer(Timely<'request>),
}

impl Envelope {
    /// The sender of a body of at most `max_bytes`, which may now be read.
    ///
    /// # Errors
    /// In this order: 413 for a declared length, 401 and 403 for credentials, 400 for an idempotency key that cannot be one
    /// and for a `force` that no signature covers, 415 for the kind of the body.
    pub fn sender(
        &self,
        settings: &GatewaySettings,
        secrets: &[Secret],
        max_bytes: u32,
        now_ms: u64,
    ) -> Result<Sender<'_>, Refusal> {
        let length = self.content_length.as_deref();
        let length: Option<u64> = length.and_then(|length| length.parse().ok());
        if length.is_some_and(|length| length > u64::from(max_bytes)) {
            return Err(refusal::BODY_TOO_LARGE);
        }
        let sender = match &self.signature {
            Some(signature) => Sender::Signer(
                Claim {
                    id: self.id.as_deref(),
                    timestamp: self.timestamp.as_deref(),
                    signature: Some(signature),
                }
                .timely(now_ms)?,
            ),
            None if settings.require_signature => return Err(refusal::SIGNATURE_REQUIRED),
            None => Sender::Bearer(credential::bearer(self.authorization.as_deref(), secrets)?),
        };
        if self.id.as_deref().is_some_and(|id| !signature::is_id(id)) {
            return Err(refusal::INVALID_ID);
        }
        if self.force && sender.signed_ms().is_some() {
            return Err(refusal::UNSIGNED_FORCE);
        }
        media_type::check(self.content_type.as_deref())?;
        encoding::check(self.content_encoding.as_deref())?;
        Ok(sender)
    }
}

impl Sender<'_> {
    /// The slot of the secret with which `body` was sent.
    ///
    /// # Errors
    /// 403 for a body that no secret has signed.
    pub fn slot(&self, body: &[u8], secrets: &[Secret]) -> Result<Slot, Refusal> {
        match self {
            Self::Bearer(slot) => Ok(*slot),
            Self::Signer(claim) => claim.verify(body, secrets),
        }
    }

    /// When the body was signed, in unix milliseconds; `None` of one that is not.
    pub fn signed_ms(&self) -> Option<u64> {
        match self {
            Self::Bearer(_) => None,
            Self::Signer(claim) => Some(claim.signed_ms()),
        }
    }

    /// Checks that an update is for the room of `token`, which stands in the path. A signature covers the body and not the
    /// path: what is signed for one room must not be accepted in another.
    ///
    /// # Errors
    /// 400 when the body names another token, or is signed and names none.
    pub fn check_token(&self, head: &Head, token: &str) -> Result<(), Refusal> {
        if self.signed_ms().is_some() && head.token.is_none() {
            return Err(refusal::MISSING_TOKEN);
        }
        head::check_token(head, token)
    }
}

/// The text of a body. A byte order mark at its beginning, as some editors and .NET write it, is no part of the text
/// (RFC 8259, section 8.1).
///
/// # Errors
/// 400 for what is not UTF-8.
pub fn text(body: Vec<u8>) -> Result<String, Refusal> {
    let mut text = String::from_utf8(body).map_err(|_| refusal::NOT_UTF8)?;
    if text.starts_with(MARK) {
        text.drain(..MARK.len_utf8());
    }
    Ok(text)
}

/// The byte order mark.
const MARK: char = '\u{feff}';

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::signature::signature;
    use proptest::prelude::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NOW_MS: u64 = 1_614_265_330_000;

    fn settings(require_signature: bool) -> GatewaySettings {
        GatewaySettings {
            require_signature,
            ..GatewaySettings::default()
        }
    }

    fn secrets() -> Vec<Secret> {
        Vec::from_iter(Secret::of(Slot::Primary, SECRET))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn signed(body: &str) -> Envelope {
        Envelope {
            id: some("msg_1"),
            timestamp: some("1614265330"),
            signature: Some(signature(SECRET, "msg_1", NOW_MS / 1000, body.as_bytes())),
            ..Envelope::default()
        }
    }

    fn bearer() -> Envelope {
        Envelope {
            authorization: some(SECRET),
            ..Envelope::default()
        }
    }

    fn refused(envelope: &Envelope) -> &'static str {
        let sender = envelope.sender(&settings(false), &secrets(), 100, NOW_MS);
        sender.map_or_else(|refusal| refusal.code, |_| "let in")
    }

    /// Each row mends what the one before was refused for.
    #[test]
    fn an_envelope_is_refused_for_the_first_of_its_faults() {
        let mut envelope = Envelope {
            content_length: some("101"),
            id: some("a key"),
            content_type: some("text/plain"),
            content_encoding: some("gzip"),
            ..Envelope::default()
        };
        assert_eq!(refused(&envelope), "too_large");
        envelope.content_length = some("100");
        assert_eq!(refused(&envelope), "missing_credentials");
        envelope.authorization = some("wrong");
        assert_eq!(refused(&envelope), "wrong_credentials");
        envelope.authorization = some(SECRET);
        assert_eq!(refused(&envelope), "invalid_id");
        envelope.id = some("key");
        assert_eq!(refused(&envelope), "unsupported_media_type");
        envelope.content_type = some("application/json");
        assert_eq!(refused(&envelope), "unsupported_encoding");
        envelope.content_encoding = None;
        assert_eq!(refused(&envelope), "let in");
        envelope.signature = some("");
        assert_eq!(
            refused(&envelope),
            "missing_credentials",
            "with a signature, only that counts"
        );
        envelope.timestamp = some("1614265330");
        assert_eq!(refused(&envelope), "malformed_signature");
        envelope.signature = some("v1,AAAA");
        envelope.timestamp = some("1614265029");
        assert_eq!(refused(&envelope), "stale_signature");
        envelope.timestamp = some("1614265330");
        envelope.force = true;
        assert_eq!(refused(&envelope), "unsigned_force");
        envelope.force = false;
        assert_eq!(refused(&envelope), "let in", "the body will tell");
    }

    #[test]
    fn where_signatures_are_required_no_bearer_is_let_in() {
        let sender = |envelope: &Envelope| {
            let sender = envelope.sender(&settings(true), &secrets(), 100, NOW_MS);
            sender.map_err(|refusal| refusal.code).map(|_| ())
        };
        assert_eq!(sender(&bearer()), Err("signature_required"));
        assert_eq!(sender(&signed("{}")), Ok(()));
    }

    #[test]
    fn a_signature_covers_one_body_and_a_secret_any() {
        let slot = |envelope: &Envelope, body: &str| {
            let sender = envelope.sender(&settings(false), &secrets(), 100, NOW_MS);
            let sender = sender.unwrap();
            let slot = sender.slot(body.as_bytes(), &secrets());
            (
                slot.map_err(|refusal| refusal.code),
                sender.signed_ms().unwrap_or_default(),
            )
        };
        let signed = signed("{}");
        assert_eq!(slot(&signed, "{}"), (Ok(Slot::Primary), NOW_MS));
        assert_eq!(slot(&signed, "[]"), (Err("wrong_credentials"), NOW_MS));
        assert_eq!(slot(&bearer(), "[]"), (Ok(Slot::Primary), 0));
    }

    #[test]
    fn a_signed_body_names_its_room_and_another_one_may() {
        let named = |envelope: &Envelope, body: &str| {
            let sender = envelope.sender(&settings(false), &secrets(), 100, NOW_MS);
            let head = head::read(body).unwrap();
            let checked = sender.unwrap().check_token(&head, "SOL");
            checked.map_or_else(|refusal| refusal.code, |()| "taken")
        };
        let (named_sol, named_bonk) = (r#"{"token":"SOL"}"#, r#"{"token":"BONK"}"#);
        for (envelope, body, outcome) in [
            (signed("{}"), "{}", "missing_token"),
            (signed("{}"), r#"{"token":null}"#, "missing_token"),
            (signed("{}"), named_bonk, "token_mismatch"),
            (signed("{}"), named_sol, "taken"),
            (bearer(), "{}", "taken"),
            (bearer(), named_bonk, "token_mismatch"),
            (bearer(), named_sol, "taken"),
        ] {
            assert_eq!(named(&envelope, body), outcome, "{body}");
        }
    }

    #[test]
    fn one_byte_order_mark_is_no_part_of_the_text() {
        let text = |bytes: &[u8]| text(bytes.to_vec()).map_err(|refusal| refusal.code);
        assert_eq!(text(b"\xef\xbb\xbf{}"), Ok("{}".to_owned()));
        assert_eq!(text(b"{\xef\xbb\xbf}"), Ok("{\u{feff}}".to_owned()));
        assert_eq!(
            text(b"\xef\xbb\xbf\xef\xbb\xbf{}"),
            Ok("\u{feff}{}".to_owned())
        );
        assert_eq!(text(b"\xff\xfe{\0}\0"), Err("invalid_json"));
        assert_eq!(text(b"\xef\xbb"), Err("invalid_json"));
    }

    proptest! {
        #[test]
        fn no_envelope_panics_and_without_the_secret_none_is_taken(
            texts in proptest::collection::vec(proptest::option::of(".{0,20}"), 7), force in any::<bool>(), now_ms in any::<u64>(),
        ) {
            let text = |index: usize| texts[index].clone();
            let envelope = Envelope {
                authorization: text(0), content_encoding: text(1), content_length: text(2), content_type: text(3),
                id: text(4), timestamp: text(5), signature: text(6), force,
            };
            let sender = envelope.sender(&settings(force), &secrets(), 100, now_ms);
            prop_assert!(sender.and_then(|sender| sender.slot(b"body", &secrets())).is_err());
        }
    }
}

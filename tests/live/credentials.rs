//! The account that a run is given, from three environment variables.

use std::fmt;

use edge_broadcast::secret::Value;

pub(crate) const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
pub(crate) const ACCOUNT: &str = "CLOUDFLARE_ACCOUNT_ID";
pub(crate) const ZONE: &str = "EDGE_BROADCAST_LIVE_ZONE";

/// What each variable is, for whoever lacks it.
const HELP: &str = "  CLOUDFLARE_API_TOKEN      an API token (dashboard: My Profile, API Tokens, Create Custom Token) with these permissions:
                              Account, Workers Scripts, Edit     the scripts, secrets and the custom domain
                              Zone, Workers Routes, Edit         the zone's routes
                              Zone, Zone, Read                   the zone's id
                              Zone, DNS, Edit                    optional: to see that the host's DNS record goes, and to delete it if it stays
                            restricted to the one account and the one zone
  CLOUDFLARE_ACCOUNT_ID     the account's id: 32 hexadecimal digits (dashboard: Workers & Pages, on the right)
  EDGE_BROADCAST_LIVE_ZONE  an active zone of the account, such as `example.com`; one host of its own is made below it";

/// Who may do what, where.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) token: Value,
    pub(crate) account: String,
    pub(crate) zone: String,
}

/// Why a run cannot begin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unusable(Vec<String>);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "`./test live` runs against a real Cloudflare account: {}\n{HELP}",
            self.0.join("; ")
        )
    }
}

impl Credentials {
    /// Takes the three from `variable`. White space around a value is not part of it.
    pub(crate) fn from(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Unusable> {
        let mut wrong = Vec::new();
        let mut take = |name: &str, is_good: fn(&str) -> bool, form: &str| {
            let text = variable(name).unwrap_or_default().trim().to_owned();
            if text.is_empty() {
                wrong.push(format!("set `{name}`"));
            } else if !is_good(&text) {
                // The text may be the token, in the wrong place
                wrong.push(format!("`{name}` is not {form}"));
            }
            text
        };
        let token = take(TOKEN, is_token, "an API token: one line without spaces");
        let account = take(ACCOUNT, is_account, "32 lower-case hexadecimal digits");
        let zone = take(ZONE, is_zone, "a zone's name, such as `example.com`");
        if wrong.is_empty() {
            Ok(Self {
                token: Value::new(token),
                account,
                zone,
            })
        } else {
            Err(Unusable(wrong))
        }
    }
}

fn is_token(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_account(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == 32 && text.bytes().all(is_digit)
}

fn is_zone(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_inner =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && !label.starts_with('-') && label.bytes().all(is_inner)
    };
    text.contains('.') && text.split('.').all(is_label)
}

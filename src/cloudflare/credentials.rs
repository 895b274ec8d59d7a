//! What opens the API, as users have it in their environment variables: the names that wrangler and Cloudflare's SDKs read.
//!
//! - `CLOUDFLARE_API_TOKEN`: sent as `Authorization: Bearer`.
//! - `CLOUDFLARE_API_KEY` and `CLOUDFLARE_EMAIL`, the global key of a user: sent as `X-Auth-Key` and `X-Auth-Email` (docs: Fundamentals,
//!   "Global API key"). Where both are set the token is used: it may do less. Wrangler would take the key.
//! - wrangler's own login is not used: its token ends after an hour, and only wrangler can renew it.
//!
//! What cannot be a credential is refused before any call, by its variable's name and never with its value: pasted with a line break,
//! it would be an error deep inside an HTTP library, or a header of its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::header::HeaderValue;
use reqwest::{RequestBuilder, Url};

use super::path;
use crate::environment::name::AccountId;
use crate::http::connector::is_of_this_machine;
use crate::secret::Value;
use crate::terminal::advice::Advice;

/// The API's own address; [`BASE_URL`] replaces it, as it does for wrangler.
pub(crate) const BASE: &str = "https://api.cloudflare.com/client/v4";

pub(crate) const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
pub(crate) const KEY: &str = "CLOUDFLARE_API_KEY";
pub(crate) const EMAIL: &str = "CLOUDFLARE_EMAIL";
pub(crate) const ACCOUNT: &str = "CLOUDFLARE_ACCOUNT_ID";
pub(crate) const BASE_URL: &str = "CLOUDFLARE_API_BASE_URL";
/// How long each call may take, instead of the usual time.
pub(crate) const TIMEOUT: &str = "EDGE_BROADCAST_API_TIMEOUT";
const REGION: &str = "CLOUDFLARE_COMPLIANCE_REGION";

/// The variables that hold a credential or a part of one: also wrangler's former names, and the key that Cloudflare's SDKs read too. No
/// program that is run needs them.
pub(crate) const VARIABLES: [&str; 7] = [
    TOKEN,
    KEY,
    EMAIL,
    "CF_API_TOKEN",
    "CF_API_KEY",
    "CF_EMAIL",
    "CLOUDFLARE_API_USER_SERVICE_KEY",
];

/// Who the API takes the caller for.
#[derive(Clone, Debug)]
pub enum Credentials {
    Token(Value),
    Key { email: String, key: Value },
}

impl From<Value> for Credentials {
    fn from(token: Value) -> Self {
        Self::Token(token)
    }
}

impl Credentials {
    /// Puts them into a request, marked as what is not to be logged.
    pub(super) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Token(token) => request.bearer_auth(token.expose()),
            Self::Key { email, key } => {
                let key = HeaderValue::from_str(key.expose()).map(|mut key| {
                    key.set_sensitive(true);
                    key
                });
                let request = request.header("x-auth-email", email);
                match key {
                    Ok(key) => request.header("x-auth-key", key),
                    // The request then fails by itself, without the value
                    Err(_) => request.header("x-auth-key", "\0"),
                }
            }
        }
    }

    /// The secret part.
    pub(super) fn secret(&self) -> &Value {
        match self {
            Self::Token(secret) | Self::Key { key: secret, .. } => secret,
        }
    }
}

/// The environment variables, and the files of a home folder.
pub(crate) struct Surroundings<'a> {
    pub(crate) variable: &'a dyn Fn(&str) -> Option<OsString>,
    pub(crate) exists: &'a dyn Fn(&Path) -> bool,
}

/// What the variables say.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) credentials: Credentials,
    /// The API's address, without a slash at its end.
    pub(crate) base: String,
    /// The account's id, where the variable is set.
    pub(crate) account: Option<String>,
}

impl Access {
    /// Reads the variables. Sends nothing.
    pub(crate) fn read(surroundings: &Surroundings) -> anyhow::Result<Self> {
        let base = surroundings.text(BASE_URL)?;
        let credentials = surroundings.credentials()?;
        let base = match base {
            Some(base) => address(&base).with_context(|| format!("`{BASE_URL}`"))?,
            None => {
                surroundings.region()?;
                BASE.to_owned()
            }
        };
        let account = surroundings.account(&base)?;
        Ok(Self {
            credentials,
            base,
            account,
        })
    }
}

impl Surroundings<'_> {
    /// The process's own.
    pub(crate) fn of_process() -> Surroundings<'static> {
        Surroundings {
            variable: &|name| std::env::var_os(name),
            exists: &Path::exists,
        }
    }

    /// A variable without what a paste or a file of variables leaves around a value: spaces, line breaks, one pair of quotes.
    /// Nothing when that is all there is.
    fn text(&self, name: &str) -> anyhow::Result<Option<String>> {
        let Some(given) = (self.variable)(name) else {
            return Ok(None);
        };
        let Some(text) = given.to_str() else {
            bail!(Advice::new(
                format!("`{name}` is not UTF-8"),
                "set it again"
            ));
        };
        Ok(Some(unquoted(text).to_owned()).filter(|text| !text.is_empty()))
    }

    /// The account's id. What cannot be one is not shown: it may be a token in the wrong variable.
    fn account(&self, base: &str) -> anyhow::Result<Option<String>> {
        let Some(text) = self.text(ACCOUNT)? else {
            return Ok(None);
        };
        // Any id is good for a server that is not Cloudflare's
        let is_good = text.parse::<AccountId>().is_ok() || (base != BASE && path::is_id(&text));
        if !is_good {
            bail!(Advice::new(
                format!("`{ACCOUNT}` is not a Cloudflare account id"),
                "it has 32 hexadecimal digits: see Account details on the Workers page of the dashboard"
            ));
        }
        Ok(Some(text))
    }

    /// How long a call may take, where somebody says it.
    pub(crate) fn patience(&self) -> anyhow::Result<Option<Duration>> {
        let text = self.text(TIMEOUT)?;
        let parse = |text: String| match humantime::parse_duration(&text) {
            Ok(Duration::ZERO) => bail!("`{TIMEOUT}` is `{text}`: no call could be answered in it"),
            Ok(timeout) => Ok(timeout),
            Err(error) => {
                bail!("`{TIMEOUT}` is `{text}`, which is no span of time like `60s`: {error}")
            }
        };
        text.map(parse).transpose()
    }

    fn credentials(&self) -> anyhow::Result<Credentials> {
        if let Some(token) = self.text(TOKEN)? {
            let token = checked(TOKEN, token, "-._~+/=")?;
            return Ok(Credentials::Token(token));
        }
        match (self.text(KEY)?, self.text(EMAIL)?) {
            (Some(key), Some(email)) => {
                let key = checked(KEY, key, "-_")?;
                if !is_email(&email) {
                    bail!(Advice::new(
                        format!("`{EMAIL}` is not the address of a Cloudflare user"),
                        "it looks like `someone@example.com`"
                    ));
                }
                Ok(Credentials::Key { email, key })
            }
            (Some(_), None) => bail!(Advice::new(
                format!(
                    "`{KEY}` is set and `{EMAIL}` is not: a global API key needs the address of its user"
                ),
                format!("set both, or better a `{TOKEN}`, which may do less")
            )),
            (None, _) => bail!(self.without_token()),
        }
    }

    /// Why there is no token, and how to get one.
    fn without_token(&self) -> Advice {
        let mut text = "there is no API token".to_owned();
        let is_set = |name: &&str| (self.variable)(name).is_some_and(|value| !value.is_empty());
        if (self.variable)(TOKEN).is_some() {
            text += &format!("; `{TOKEN}` is set but empty, as a secret is that CI does not know");
        } else if let Some(old) = ["CF_API_TOKEN", "CF_API_KEY"]
            .iter()
            .find(|name| is_set(name))
        {
            text += &format!("; `{old}` is a former name, which is not read");
        } else if is_set(&EMAIL) {
            text += &format!("; `{EMAIL}` is set, and needs `{KEY}` beside it");
        }
        if let Some(login) = self.wranglers_login() {
            text += &format!(
                "; wrangler is logged in (`{}`), but only wrangler can use that login: its token ends after an hour",
                login.display()
            );
        }
        Advice::new(
            text,
            format!(
                "set `{TOKEN}` (dashboard: My Profile, API Tokens), or rehearse with `--sandbox`"
            ),
        )
    }

    /// The file in which wrangler keeps its login. It is looked for and never read (`global-wrangler-config-path.ts` and
    /// `auth-config-file.ts` of workers-sdk; xdg-app-paths for the folders).
    fn wranglers_login(&self) -> Option<PathBuf> {
        let folder = |name: &str| {
            let value = (self.variable)(name).filter(|value| !value.is_empty());
            value.map(PathBuf::from)
        };
        let home = folder("HOME");
        let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
        [
            below_home(".wrangler"),
            folder("XDG_CONFIG_HOME").map(|folder| folder.join(".wrangler")),
            below_home(".config/.wrangler"),
            below_home("Library/Preferences/.wrangler"),
        ]
        .into_iter()
        .flatten()
        .flat_map(|folder| {
            ["default.toml", "default.enc"].map(|name| folder.join("config").join(name))
        })
        .find(|path| (self.exists)(path))
    }

    /// Refuses a region whose API is another host: a credential of one must not be sent to the other.
    fn region(&self) -> anyhow::Result<()> {
        match self.text(REGION)?.as_deref() {
            None | Some("public") => Ok(()),
            Some(region) => bail!(Advice::new(
                format!(
                    "`{REGION}` is `{region}`, whose API is another host than `api.cloudflare.com`: nothing is sent there"
                ),
                format!(
                    "set `{BASE_URL}` to the address of that region's API, or unset `{REGION}`"
                )
            )),
        }
    }
}

/// Without spaces and line breaks around it, and without one pair of quotes.
fn unquoted(text: &str) -> &str {
    let around = |c: char| c.is_whitespace() || c == '\u{feff}';
    let text = text.trim_matches(around);
    let inner = ['"', '\''].iter().find_map(|quote| {
        let inner = text.strip_prefix(*quote)?.strip_suffix(*quote)?;
        Some(inner.trim_matches(around))
    });
    inner.unwrap_or(text)
}

/// A value of letters, digits and some `others`; a token is what RFC 6750 calls `b64token`.
fn checked(name: &str, text: String, others: &str) -> anyhow::Result<Value> {
    let value = Value::new(text);
    let text = value.expose();
    let is_good = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    let Some(wrong) = text.chars().find(|c| !is_good(*c)) else {
        return Ok(value);
    };
    let scheme = text.get(..7).unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer ") {
        bail!(Advice::new(
            format!("`{name}` begins with `Bearer`, which belongs to the header"),
            "set it to what follows"
        ));
    }
    let has = match wrong {
        c if c.is_whitespace() => "a space or a line break inside",
        c if c.is_control() => "a control character",
        '"' | '\'' => "a quotation mark",
        c if !c.is_ascii() => "a character that is not ASCII",
        _ => "a character that no credential has",
    };
    bail!(Advice::new(
        format!("`{name}` cannot be a credential: it has {has}"),
        format!("it may have letters, digits and `{others}`: copy it again")
    ))
}

fn is_email(text: &str) -> bool {
    let is_good = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic());
    match text.split_once('@') {
        Some((user, host)) => is_good(user) && is_good(host) && !host.contains('@'),
        None => false,
    }
}

/// An address that requests may go to. Plain HTTP only to this machine: elsewhere whoever is on the way would read the credential and
/// every secret. (Wrangler sends them.)
fn address(text: &str) -> anyhow::Result<String> {
    let url =
        Url::parse(text).context("it is no address, like `https://api.example.com/client/v4`")?;
    // What is wrong may hold a password: it is not shown
    if !url.username().is_empty() || url.password().is_some() {
        bail!("it must not hold a user or a password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        bail!("it must not have a `?` or a `#`: paths are put at its end");
    }
    match url.scheme() {
        "https" => {}
        "http" if is_of_this_machine(&url) => {}
        "http" => bail!(
            "`{}` is not this machine, and plain HTTP would show the credential and every secret to whoever is on the way: use `https`",
            url.host_str().unwrap_or_default()
        ),
        _ => bail!("it must begin with `https://`"),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read where these variables are set and these files exist.
    fn read(variables: &[(&str, &str)], files: &[&str]) -> Result<Access, String> {
        let variable = |name: &str| {
            let set = variables.iter().find(|(set, _)| *set == name);
            set.map(|(_, value)| OsString::from(value))
        };
        let surroundings = Surroundings {
            variable: &variable,
            exists: &|path| files.iter().any(|file| Path::new(file) == path),
        };
        Access::read(&surroundings).map_err(|error| Advice::of(&error).line())
    }

    fn refusal(variables: &[(&str, &str)]) -> String {
        read(variables, &[]).unwrap_err()
    }

    #[test]
    fn what_a_paste_leaves_around_a_value_is_taken_off() {
        for given in [
            "tok_-1",
            " tok_-1\r\n",
            "\"tok_-1\"",
            "'tok_-1'\n",
            "\u{feff}\" tok_-1\n\"",
        ] {
            let account = format!("\t'{}' ", "0".repeat(32));
            let access = read(&[(TOKEN, given), (ACCOUNT, &account)], &[]).unwrap();
            assert_eq!(access.credentials.secret().expose(), "tok_-1", "{given:?}");
            assert_eq!(access.account, Some("0".repeat(32)));
            assert_eq!(access.base, BASE);
        }
    }

    #[test]
    fn what_cannot_be_a_credential_is_named_without_its_value() {
        for (given, has) in [
            ("mar ker", "a space or a line break inside"),
            ("mar\nker", "a space or a line break inside"),
            ("mar\u{1b}ker", "a control character"),
            ("mar\"ker", "a quotation mark"),
            ("\"marker", "a quotation mark"),
            ("marker\u{2026}", "a character that is not ASCII"),
            ("märker", "a character that is not ASCII"),
            ("mar,ker", "a character that no credential has"),
        ] {
            let expected = format!(
                "`{TOKEN}` cannot be a credential: it has {has}; it may have letters, digits and `-._~+/=`: copy it again"
            );
            assert_eq!(refusal(&[(TOKEN, given)]), expected, "{given:?}");
        }
        for given in ["Bearer marker", "bearer marker"] {
            assert_eq!(
                refusal(&[(TOKEN, given)]),
                format!(
                    "`{TOKEN}` begins with `Bearer`, which belongs to the header; set it to what follows"
                )
            );
        }
        assert_eq!(
            refusal(&[(KEY, "mar ker"), (EMAIL, "a@b.c")]),
            format!(
                "`{KEY}` cannot be a credential: it has a space or a line break inside; it may have letters, digits and `-_`: copy it again"
            )
        );
        for email in ["marker", "mar ker@b.c", "@b", "a@", "a@b@c", "a@b\u{e9}"] {
            assert_eq!(
                refusal(&[(KEY, "k"), (EMAIL, email)]),
                format!(
                    "`{EMAIL}` is not the address of a Cloudflare user; it looks like `someone@example.com`"
                )
            );
        }
    }

    #[test]
    fn what_cannot_be_an_account_is_not_shown() {
        let elsewhere = "http://127.0.0.1:1/client/v4";
        for marker in [
            "mar ker",
            "marker",
            "../marker",
            "Bearer marker",
            "m\u{e4}rker",
        ] {
            assert_eq!(
                refusal(&[(TOKEN, "t"), (ACCOUNT, marker)]),
                format!(
                    "`{ACCOUNT}` is not a Cloudflare account id; it has 32 hexadecimal digits: see Account details on the Workers page of the dashboard"
                )
            );
            let read = read(
                &[(TOKEN, "t"), (ACCOUNT, marker), (BASE_URL, elsewhere)],
                &[],
            );
            assert_eq!(read.is_ok(), marker == "marker");
        }
    }

    #[test]
    fn a_span_of_time_is_read_as_everything_else_is() {
        let patience = |text: &str| {
            let variable = |_: &str| Some(OsString::from(text));
            let surroundings = Surroundings {
                variable: &variable,
                exists: &|_| false,
            };
            surroundings.patience().map_err(|error| error.to_string())
        };
        assert_eq!(patience(" '90s'\n"), Ok(Some(Duration::from_secs(90))));
        assert_eq!(patience(" "), Ok(None));
        assert_eq!(
            patience("0s"),
            Err(format!(
                "`{TIMEOUT}` is `0s`: no call could be answered in it"
            ))
        );
        assert!(patience("soon").is_err());
    }

    #[test]
    fn a_key_needs_its_users_address_and_a_token_goes_before_both() {
        let both = [(KEY, " k3y\n"), (EMAIL, "\"someone@example.com\"")];
        let access = read(&both, &[]).unwrap();
        let Credentials::Key { email, key } = &access.credentials else {
            panic!("{access:?}");
        };
        assert_eq!(
            (email.as_str(), key.expose()),
            ("someone@example.com", "k3y")
        );
        let all = [both[0], both[1], (TOKEN, "t")];
        let access = read(&all, &[]).unwrap();
        assert!(matches!(access.credentials, Credentials::Token(_)));
        assert_eq!(
            refusal(&both[..1]),
            format!(
                "`{KEY}` is set and `{EMAIL}` is not: a global API key needs the address of its user; set both, or better a `{TOKEN}`, which may do less"
            )
        );
    }

    #[test]
    fn without_a_token_it_is_said_what_is_there_instead() {
        const NONE: &str = "there is no API token";
        const FIX: &str = "; set `CLOUDFLARE_API_TOKEN` (dashboard: My Profile, API Tokens), or rehearse with `--sandbox`";
        for (variables, hint) in [
            (&[][..], ""),
            (
                &[(TOKEN, " \n")],
                "; `CLOUDFLARE_API_TOKEN` is set but empty, as a secret is that CI does not know",
            ),
            (
                &[("CF_API_TOKEN", "t")],
                "; `CF_API_TOKEN` is a former name, which is not read",
            ),
            (
                &[(EMAIL, "a@b.c")],
                "; `CLOUDFLARE_EMAIL` is set, and needs `CLOUDFLARE_API_KEY` beside it",
            ),
        ] {
            assert_eq!(refusal(variables), format!("{NONE}{hint}{FIX}"));
        }
        for (variables, login) in [
            (vec![("HOME", "/h")], "/h/.wrangler/config/default.toml"),
            (
                vec![("HOME", "/h")],
                "/h/.config/.wrangler/config/default.toml",
            ),
            (
                vec![("HOME", "/h")],
                "/h/.config/.wrangler/config/default.enc",
            ),
            (
                vec![("HOME", "/h")],
                "/h/Library/Preferences/.wrangler/config/default.toml",
            ),
            (
                vec![("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")],
                "/x/.wrangler/config/default.toml",
            ),
        ] {
            assert_eq!(
                read(&variables, &[login]).unwrap_err(),
                format!(
                    "{NONE}; wrangler is logged in (`{login}`), but only wrangler can use that login: its token ends after an hour{FIX}"
                )
            );
        }
    }

    #[test]
    fn a_region_with_an_api_of_its_own_is_refused_unless_its_address_is_given() {
        let region = [(TOKEN, "t"), (REGION, "fedramp_high")];
        assert_eq!(
            refusal(&region),
            "`CLOUDFLARE_COMPLIANCE_REGION` is `fedramp_high`, whose API is another host than `api.cloudflare.com`: nothing is sent there; set `CLOUDFLARE_API_BASE_URL` to the address of that region's API, or unset `CLOUDFLARE_COMPLIANCE_REGION`"
        );
        let with_address = [
            region[0],
            region[1],
            (BASE_URL, "https://api.example.com/v4/"),
        ];
        assert_eq!(
            read(&with_address, &[]).unwrap().base,
            "https://api.example.com/v4"
        );
        assert!(read(&[(TOKEN, "t"), (REGION, "public")], &[]).is_ok());
    }

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        for good in [
            "http://127.0.0.1:1/client/v4",
            "http://127.8.8.8",
            "http://localhost:8787",
            "http://api.localhost",
            "http://[::1]:1/x",
            "https://api.example.com",
        ] {
            let access = read(&[(TOKEN, "t"), (BASE_URL, &format!("'{good}/'\n"))], &[]);
            assert_eq!(access.unwrap().base, good);
        }
        for (wrong, why) in [
            (
                "http://api.example.com/v4",
                "`api.example.com` is not this machine, and plain HTTP would show the credential and every secret to whoever is on the way: use `https`",
            ),
            (
                "http://localhost.example.com",
                "`localhost.example.com` is not this machine, and plain HTTP would show the credential and every secret to whoever is on the way: use `https`",
            ),
            (
                "https://user:marker@b.c",
                "it must not hold a user or a password",
            ),
            (
                "https://marker@b.c",
                "it must not hold a user or a password",
            ),
            (
                "https://b.c?marker",
                "it must not have a `?` or a `#`: paths are put at its end",
            ),
            (
                "https://b.c#marker",
                "it must not have a `?` or a `#`: paths are put at its end",
            ),
            ("ftp://b.c", "it must begin with `https://`"),
            (
                "b.c",
                "it is no address, like `https://api.example.com/client/v4`: relative URL without a base",
            ),
        ] {
            assert_eq!(
                refusal(&[(TOKEN, "t"), (BASE_URL, wrong)]),
                format!("`{BASE_URL}`: {why}")
            );
        }
    }

    #[test]
    fn no_debug_form_holds_a_value() {
        let access = read(&[(KEY, "marker"), (EMAIL, "a@b.c")], &[]).unwrap();
        assert!(!format!("{access:?}").contains("marker"));
    }
}

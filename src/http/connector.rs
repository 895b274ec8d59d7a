//! The one way out: every HTTP client of the tool is made here, and a WebSocket is a request of one.
//!
//! - Roots are the platform's. On Linux `SSL_CERT_FILE` and `SSL_CERT_DIR` name others (rustls-native-certs).
//! - Proxies are those of `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in small letters too, as curl reads them: `http`,
//!   `https`, `socks4`, `socks5` (names are looked up here) and `socks5h` (there).
//! - What is for this machine never goes through a proxy: it would be a machine on the way that reads the credential.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Method, RequestBuilder, Url};

/// How long a connection may take to come about.
const CONNECTING: Duration = Duration::from_secs(10);

/// Makes requests, and knows the way that they take. Its copies share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    http: reqwest::Client,
    /// None where no proxy is ever on the way.
    proxies: Option<Arc<Matcher>>,
}

/// The versions of HTTP that a server is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// HTTP/2 where the server can: for many calls at once.
    Http2,
    /// HTTP/1.1 only: the one in which a request may become a WebSocket.
    Http1,
}

impl Connector {
    /// To `base` and what is below it.
    pub(crate) fn to(base: &str, offer: Offer) -> anyhow::Result<Self> {
        let url = Url::parse(base).ok();
        if url.as_ref().is_some_and(is_of_this_machine) {
            let http = builder(offer).no_proxy();
            let http = match url.as_ref().map(Url::scheme) {
                Some("http") => without_roots(http),
                _ => http,
            };
            return Self::built(http, None);
        }
        Self::built(builder(offer), Some(Arc::new(Matcher::from_system())))
    }

    /// To `address`, whatever host a URL names: plain HTTP without a proxy.
    pub(crate) fn at(address: SocketAddr) -> anyhow::Result<Self> {
        let http = without_roots(builder(Offer::Http1)).no_proxy();
        Self::built(http.dns_resolver(Arc::new(Only(address))), None)
    }

    fn built(http: reqwest::ClientBuilder, proxies: Option<Arc<Matcher>>) -> anyhow::Result<Self> {
        let http = http.build().context("preparing the HTTP client")?;
        Ok(Self { http, proxies })
    }

    /// A request that is not sent yet.
    pub(crate) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// The proxy on the way to `url`, without what opens it.
    pub(crate) fn proxy(&self, url: &str) -> Option<String> {
        let uri: Uri = url.parse().ok()?;
        let proxy = self.proxies.as_ref()?.intercept(&uri)?;
        // Not its text: of a password with an `@` a part is left in it
        let proxy = proxy.uri();
        let port = proxy
            .port()
            .map_or(String::new(), |port| format!(":{port}"));
        Some(format!("{}://{}{port}", proxy.scheme_str()?, proxy.host()?))
    }

    /// Why nothing came from `url`.
    pub(crate) fn lost(&self, url: &str, error: &reqwest::Error) -> Lost {
        let cause = cause(error);
        let proxy = self.proxy(url);
        let is_distrusted = cause.contains("invalid peer certificate");
        let fix = match &proxy {
            _ if is_distrusted => Some(
                "where the network has a certificate authority of its own, add it to the system's store or name its file in `SSL_CERT_FILE`",
            ),
            Some(_) if error.is_connect() || error.is_timeout() => Some(
                "look at the proxy: `HTTPS_PROXY` or `ALL_PROXY` names it, and `NO_PROXY` the hosts that are reached without",
            ),
            _ => None,
        };
        Lost {
            cause,
            proxy,
            fix: fix.map(str::to_owned),
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) cause: String,
    /// The proxy on the way.
    proxy: Option<String>,
    pub(crate) fix: Option<String>,
}

impl Lost {
    /// ` through the proxy …`; nothing where there is none.
    pub(crate) fn way(&self) -> String {
        let proxy = self.proxy.as_ref();
        proxy.map_or(String::new(), |proxy| {
            format!(" through the proxy `{proxy}`")
        })
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}{}", self.cause, self.way())
    }
}

fn builder(offer: Offer) -> reqwest::ClientBuilder {
    let http = reqwest::Client::builder()
        .connect_timeout(CONNECTING)
        .user_agent(concat!("edge-broadcast/", env!("CARGO_PKG_VERSION")))
        // A 307 would take what was sent, a secret often, to wherever it points
        .redirect(reqwest::redirect::Policy::none());
    match offer {
        Offer::Http2 => http,
        Offer::Http1 => http.http1_only(),
    }
}

/// Where TLS is not spoken no store need be read, and none need be there.
fn without_roots(http: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    http.tls_certs_only([])
}

/// Finds one address for every name.
#[derive(Debug)]
struct Only(SocketAddr);

impl Resolve for Only {
    fn resolve(&self, _: Name) -> Resolving {
        let found: Addrs = Box::new(std::iter::once(self.0));
        Box::pin(std::future::ready(Ok(found)))
    }
}

/// Whether an address leads to a loopback interface.
pub(crate) fn is_of_this_machine(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        // RFC 6761: `localhost` and what is below it
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// The innermost cause: reqwest's own layers repeat the address.
fn cause(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(inner) = cause {
        if !inner.is::<reqwest::Error>() {
            text = inner.to_string();
        }
        cause = inner.source();
    }
    text
}

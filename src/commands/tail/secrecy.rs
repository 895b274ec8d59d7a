//! What may be shown of an event. Cloudflare leaves out the values of some headers, by words in their names; `webhook-signature`, and
//! whatever opens another product, is not among them. Pure.

use edge_broadcast_protocol::contract::call;
use edge_broadcast_protocol::describe::parameter::PARAMETERS;
use reqwest::Url;
use serde_json::Value as Json;

/// In the place of a value, as the runtime writes it.
const HIDDEN: &str = "REDACTED";

/// The headers whose values nobody is let in by.
const SHOWN: [&str; 25] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "cf-connecting-ip",
    "cf-ipcountry",
    "cf-ray",
    "cf-visitor",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "if-none-match",
    "origin",
    "sec-websocket-extensions",
    "sec-websocket-version",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "webhook-id",
    "webhook-timestamp",
    "x-forwarded-proto",
    "x-real-ip",
    call::HEADER,
];

/// A URL in whose query only values of the protocol's own parameters are left.
pub(super) fn url(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return HIDDEN.to_owned();
    };
    // Nobody is named in the address of a request; a proxy may have been
    if !url.username().is_empty() || url.password().is_some() {
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    url.set_fragment(None);
    let query = url.query().map(query);
    url.set_query(query.as_deref());
    url.into()
}

/// A query without what is not the protocol's.
fn query(query: &str) -> String {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if PARAMETERS.iter().any(|known| known.name == name) => pair.to_owned(),
        Some((name, _)) => format!("{name}={HIDDEN}"),
        // Of a pair that is none it is the name that may be the secret
        None if pair.is_empty() => String::new(),
        None => HIDDEN.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// The event in whose request nothing is left that could be a secret.
pub(super) fn event(mut event: Json) -> Json {
    if let Some(Json::String(address)) = event.pointer_mut("/request/url") {
        *address = url(address);
    }
    if let Some(Json::Object(headers)) = event.pointer_mut("/request/headers") {
        for (name, value) in headers {
            if !SHOWN.contains(&name.to_ascii_lowercase().as_str()) {
                *value = HIDDEN.into();
            }
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_known_to_be_harmless_is_left() {
        let shown = event(json!({
            "request": {
                "url": "https://me:hunter2@w.glow.trade/ws/SOL?since=7&token=hunter2&hunter2&epoch=a#hunter2",
                "method": "GET",
                "headers": {
                    "Authorization": "hunter2", "cookie": "hunter2", "webhook-signature": "v1,hunter2", "CF-Access-Client-Secret": "hunter2",
                    "sec-websocket-protocol": "hunter2", "x-anything": "hunter2", "Origin": "https://app.glow.trade", "cf-ray": "1-FRA",
                },
                "cf": { "colo": "FRA" },
            },
            "response": { "status": 101 },
        }));
        assert_eq!(
            shown,
            json!({
                "request": {
                    "url": "https://w.glow.trade/ws/SOL?since=7&token=REDACTED&REDACTED&epoch=a",
                    "method": "GET",
                    "headers": {
                        "Authorization": "REDACTED", "cookie": "REDACTED", "webhook-signature": "REDACTED",
                        "CF-Access-Client-Secret": "REDACTED", "sec-websocket-protocol": "REDACTED", "x-anything": "REDACTED",
                        "Origin": "https://app.glow.trade", "cf-ray": "1-FRA",
                    },
                    "cf": { "colo": "FRA" },
                },
                "response": { "status": 101 },
            })
        );
        assert_eq!(url("no address"), HIDDEN);
        // What has no request is as it came
        let alarm = json!({ "scheduledTime": "2026-11-26T14:11:13.337Z" });
        assert_eq!(event(alarm.clone()), alarm);
    }

    proptest! {
        #[test]
        fn no_value_of_an_unknown_parameter_is_left(name in "[a-z]{0,8}", around in "[a-z&=]{0,12}") {
            let known = |name: &str| PARAMETERS.iter().any(|it| it.name == name);
            prop_assume!(!known(&name));
            let shown = url(&format!("https://w.glow.trade/ws/SOL?{around}&{name}=hunter2&{around}"));
            prop_assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

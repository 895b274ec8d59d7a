//! Headers that every request to an environment's hosts has: they open what stands before the gateway.
//!
//! Cloudflare Access takes a service token as `CF-Access-Client-Id` and `CF-Access-Client-Secret` (docs: Cloudflare One, Service
//! tokens, "Connect your service to Access").

use anyhow::Context;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::environment::Environment;
use crate::secret::{Secrets, Value};
use crate::terminal::advice::Advice;

/// Names and values. The values are secrets: `Debug` does not show them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers(pub(super) HeaderMap);

/// Reads the value of each of the environment's headers from its source.
///
/// # Errors
/// A source gives nothing, or what no header can have as its value; which value it was is never said.
pub(crate) fn read(environment: &Environment, values: &Secrets<'_>) -> anyhow::Result<Headers> {
    let name = &environment.name;
    let mut headers = HeaderMap::new();
    for header in environment.headers.keys() {
        let value = values
            .value(header)
            .and_then(|value| checked(header, value))
            .with_context(|| {
                format!("`{name}` cannot be verified: `[verify.headers]` of its manifest")
            })?;
        let header: HeaderName = header.parse().context("the name of a header")?;
        headers.insert(header, value);
    }
    Ok(Headers(headers))
}

fn checked(header: &str, value: &Value) -> anyhow::Result<HeaderValue> {
    let text = value.expose();
    let refuse = |why: &str, fix: String| {
        Err(Advice::new(format!("the value of the header `{header}` {why}"), fix).into())
    };
    // The dashboard shows a service token so
    let label = text.split_once(':').map(|(label, _)| label);
    if label.is_some_and(|label| label.eq_ignore_ascii_case(header)) {
        let fix = format!("give its source what stands after `{header}: `");
        return refuse("begins with the header's own name", fix);
    }
    let fix = "give its source printable ASCII without spaces and line breaks around it";
    match HeaderValue::from_str(text) {
        Ok(mut sent) if text.is_ascii() && text.trim() == text => {
            sent.set_sensitive(true);
            Ok(sent)
        }
        _ => refuse("cannot be sent", fix.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_no_header_can_have_is_refused_by_its_headers_name() {
        let header = "CF-Access-Client-Id";
        let said = |text: &str| {
            let refused = checked(header, &Value::new(text.to_owned())).unwrap_err();
            Advice::of(&refused).line()
        };
        for text in [
            "marker\r\nx: y",
            "marker\n",
            " marker",
            "marker\0",
            "märker",
        ] {
            assert_eq!(
                said(text),
                "the value of the header `CF-Access-Client-Id` cannot be sent; give its source printable ASCII without spaces and line breaks around it"
            );
        }
        assert_eq!(
            said("CF-Access-Client-Id: marker"),
            "the value of the header `CF-Access-Client-Id` begins with the header's own name; give its source what stands after `CF-Access-Client-Id: `"
        );
        let good = checked(header, &Value::new("marker.access".to_owned())).unwrap();
        assert_eq!(good, "marker.access");
        assert!(good.is_sensitive());
        assert!(!format!("{good:?}").contains("marker"));
    }
}

//! The first frame of every socket.

use super::stream::{Resume, Stream};
use serde::Serialize;
use serde_json::value::RawValue;

/// `connected`: who the client is, where the stream stands, and the latest value unless everything missed follows.
pub fn greeting(connection: &str, token: &str, stream: &Stream, resume: &Resume) -> String {
    let snapshot = match (&stream.latest, resume.recovered) {
        (Some(latest), false) => RawValue::from_string(latest.text.clone()).ok(),
        _ => None,
    };
    let frame = Connected {
        kind: "connected",
        connection_id: connection,
        token,
        epoch: &stream.epoch,
        seq: stream.sent,
        recovered: resume.recovered,
        snapshot,
    };
    serde_json::to_string(&frame).expect("strings and numbers serialise")
}

/// The body of `GET /snapshot/:token`.
pub fn snapshot(token: &str, stream: &Stream) -> String {
    let latest = stream.latest.as_ref().map_or("null", |latest| &latest.text);
    format!(
        r#"{{"token":"{token}","epoch":"{}","seq":{},"snapshot":{latest}}}"#,
        stream.epoch, stream.sent
    )
}

#[derive(Serialize)]
struct Connected<'stream> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "connectionId")]
    connection_id: &'stream str,
    token: &'stream str,
    epoch: &'stream str,
    seq: u64,
    recovered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<Box<RawValue>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_client_gets_the_latest_value_and_one_that_recovered_does_not() {
        let mut stream = Stream::new("e1");
        let fresh = stream.resume(None, None);
        assert_eq!(
            greeting("c1", "SOL", &stream, &fresh),
            r#"{"type":"connected","connectionId":"c1","token":"SOL","epoch":"e1","seq":0,"recovered":false}"#
        );
        let update = stream.number(None, r#"{"price":1.50}"#);
        stream.record(&[update], 8);
        assert_eq!(
            greeting("c1", "SOL", &stream, &fresh),
            r#"{"type":"connected","connectionId":"c1","token":"SOL","epoch":"e1","seq":1,"recovered":false,"snapshot":{"price":1.50,"seq":1,"epoch":"e1"}}"#
        );
        assert_eq!(
            greeting("c1", "SOL", &stream, &stream.resume(Some(0), Some("e1"))),
            r#"{"type":"connected","connectionId":"c1","token":"SOL","epoch":"e1","seq":1,"recovered":true}"#
        );
    }

    #[test]
    fn a_poller_gets_the_latest_value_or_null() {
        let mut stream = Stream::new("e1");
        assert_eq!(
            snapshot("SOL", &stream),
            r#"{"token":"SOL","epoch":"e1","seq":0,"snapshot":null}"#
        );
        let update = stream.number(None, "{}");
        stream.record(&[update], 8);
        assert_eq!(
            snapshot("SOL", &stream),
            r#"{"token":"SOL","epoch":"e1","seq":1,"snapshot":{"seq":1,"epoch":"e1"}}"#
        );
    }
}

//! The first frame of every socket.

use super::stream::Stream;
use super::update::Update;

/// `connected`: who the client is, where the stream stands, and the latest value unless everything `missed` follows.
pub fn greeting(
    connection: &str,
    token: &str,
    stream: &Stream,
    missed: Option<&[Update]>,
) -> String {
    let Stream { epoch, sent, .. } = stream;
    let recovered = missed.is_some();
    let snapshot = match &stream.latest {
        Some(latest) if !recovered => format!(r#","snapshot":{}"#, latest.text),
        _ => String::new(),
    };
    format!(
        r#"{{"type":"connected","connectionId":"{connection}","token":"{token}","epoch":"{epoch}","seq":{sent},"recovered":{recovered}{snapshot}}}"#
    )
}

/// The body of `GET /snapshot/:token`.
pub fn snapshot(token: &str, stream: &Stream) -> String {
    let Stream { epoch, sent, .. } = stream;
    let latest = stream.latest.as_ref().map_or("null", |latest| &latest.text);
    format!(r#"{{"token":"{token}","epoch":"{epoch}","seq":{sent},"snapshot":{latest}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_client_gets_the_latest_value_and_one_that_recovered_does_not() {
        let mut stream = Stream::new("e1");
        assert_eq!(
            greeting("c1", "SOL", &stream, None),
            r#"{"type":"connected","connectionId":"c1","token":"SOL","epoch":"e1","seq":0,"recovered":false}"#
        );
        let update = stream.number(None, r#"{"price":1.50}"#);
        stream.record(&[update], 8);
        assert_eq!(
            greeting("c1", "SOL", &stream, None),
            r#"{"type":"connected","connectionId":"c1","token":"SOL","epoch":"e1","seq":1,"recovered":false,"snapshot":{"price":1.50,"seq":1,"epoch":"e1"}}"#
        );
        assert_eq!(
            greeting(
                "c1",
                "SOL",
                &stream,
                stream.resume(Some(0), Some("e1")).as_deref()
            ),
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

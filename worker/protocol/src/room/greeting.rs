//! The first frames of every socket, and what a client gets that polls.

use super::flow::ACK_BYTES;
use super::stream::{Stream, Welcome};
use super::update::{self, Update};

/// `connected`, which says who the client is, where the stream stands and what is its state, and the frames of what the
/// client has missed.
pub fn greeting(connection: &str, token: &str, stream: &Stream, welcome: &Welcome) -> Vec<String> {
    let Stream { epoch, sent, .. } = stream;
    let Welcome {
        recovered,
        behind,
        values,
        retained,
    } = welcome;
    let behind = if *behind { r#","behind":true"# } else { "" };
    // A client that takes this number for its own and is gone before the rest arrives must not have lost the rest.
    let seq = match retained.first() {
        Some(first) if !recovered => first.seq - 1,
        _ => *sent,
    };
    let mut values = values.iter();
    let snapshot = match values.next_back() {
        Some(newest) => format!(r#","snapshot":{}"#, newest.text),
        None => String::new(),
    };
    let snapshots = snapshots(values);
    let connected = format!(
        r#"{{"type":"connected","connectionId":"{connection}","token":"{token}","epoch":"{epoch}","seq":{seq},"recovered":{recovered}{behind},"ack":{ACK_BYTES}{snapshot}{snapshots}}}"#
    );
    let mut frames = update::frames(retained);
    frames.insert(0, connected);
    frames
}

/// The body of `GET /snapshot/:token`.
pub fn snapshot(token: &str, stream: &Stream) -> String {
    let Stream { epoch, sent, .. } = stream;
    let mut values = stream.values();
    let newest = values.next_back();
    let newest = newest.map_or("null", |newest| &newest.text);
    let snapshots = snapshots(values);
    format!(
        r#"{{"token":"{token}","epoch":"{epoch}","seq":{sent},"snapshot":{newest}{snapshots}}}"#
    )
}

/// The member of both that has the newest update of every key but one, older first; nothing where there is only one key.
fn snapshots<'update>(others: impl Iterator<Item = &'update Update>) -> String {
    let texts: Vec<&str> = others.map(|update| update.text.as_str()).collect();
    if texts.is_empty() {
        return String::new();
    }
    format!(r#","snapshots":[{}]"#, texts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream of `(key, body)`.
    fn stream(updates: &[(&str, &str)]) -> Stream {
        let mut stream = Stream::new("e1");
        for (key, body) in updates {
            let update = stream.number((*key).to_owned(), body);
            stream.record(&[update], 8);
        }
        stream
    }

    fn greeted(stream: &Stream, since: Option<u64>, epoch: Option<&str>) -> Vec<String> {
        greeting("c1", "SOL", stream, &stream.welcome(since, epoch))
    }

    const START: &str = r#"{"type":"connected","connectionId":"c1","token":"SOL","epoch":"e1""#;

    #[test]
    fn a_new_client_gets_the_newest_of_each_key_the_newest_of_all_by_itself() {
        let stream0 = stream(&[]);
        let text = [format!(
            r#"{START},"seq":0,"recovered":false,"ack":262144}}"#
        )];
        assert_eq!(greeted(&stream0, None, None), text);
        let stream1 = stream(&[("P", r#"{"price":1.50}"#)]);
        let text = [format!(
            r#"{START},"seq":1,"recovered":false,"ack":262144,"snapshot":{{"price":1.50,"seq":1,"epoch":"e1"}}}}"#
        )];
        assert_eq!(greeted(&stream1, None, None), text);
        let stream3 = stream(&[("P", "{}"), ("V", "{}"), ("P", "{}"), ("W", "{}")]);
        let text = [format!(
            r#"{START},"seq":4,"recovered":false,"ack":262144,"snapshot":{{"seq":4,"epoch":"e1"}},"snapshots":[{{"seq":2,"epoch":"e1"}},{{"seq":3,"epoch":"e1"}}]}}"#
        )];
        assert_eq!(greeted(&stream3, None, None), text);
    }

    #[test]
    fn a_client_that_recovered_gets_what_it_missed_and_nothing_else() {
        let stream = stream(&[("P", "{}"), ("V", "{}"), ("W", "{}")]);
        let text = format!(r#"{START},"seq":3,"recovered":true,"ack":262144}}"#);
        assert_eq!(
            greeted(&stream, Some(3), Some("e1")),
            std::slice::from_ref(&text)
        );
        let missed =
            r#"{"type":"BATCH_UPDATE","updates":[{"seq":2,"epoch":"e1"},{"seq":3,"epoch":"e1"}]}"#;
        let texts = [text, missed.to_owned()];
        assert_eq!(greeted(&stream, Some(1), Some("e1")), texts);
    }

    #[test]
    fn a_client_of_an_unknown_epoch_gets_the_newest_of_each_key_and_the_history() {
        let mut stream = stream(&[("P", "{}"), ("V", "{}"), ("V", "{}")]);
        stream.record(&[], 1);
        let texts = [
            format!(
                r#"{START},"seq":2,"recovered":false,"ack":262144,"snapshot":{{"seq":1,"epoch":"e1"}}}}"#
            ),
            r#"{"seq":3,"epoch":"e1"}"#.to_owned(),
        ];
        assert_eq!(greeted(&stream, Some(7), Some("e0")), texts);
    }

    #[test]
    fn a_client_that_is_ahead_is_told_so_and_gets_nothing_older() {
        let stream = stream(&[("P", "{}")]);
        let text = format!(r#"{START},"seq":1,"recovered":false,"behind":true,"ack":262144}}"#);
        assert_eq!(greeted(&stream, Some(2), Some("e1")), [text]);
    }

    #[test]
    fn a_poller_gets_the_newest_of_each_key_or_null() {
        assert_eq!(
            snapshot("SOL", &stream(&[])),
            r#"{"token":"SOL","epoch":"e1","seq":0,"snapshot":null}"#
        );
        assert_eq!(
            snapshot("SOL", &stream(&[("P", "{}")])),
            r#"{"token":"SOL","epoch":"e1","seq":1,"snapshot":{"seq":1,"epoch":"e1"}}"#
        );
        assert_eq!(
            snapshot("SOL", &stream(&[("P", "{}"), ("V", "{}")])),
            r#"{"token":"SOL","epoch":"e1","seq":2,"snapshot":{"seq":2,"epoch":"e1"},"snapshots":[{"seq":1,"epoch":"e1"}]}"#
        );
    }
}

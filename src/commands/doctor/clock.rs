//! This machine's clock beside the API's.

use std::time::{Duration, SystemTime};

use edge_broadcast_protocol::gateway::claim::TOLERANCE_SECONDS;

use super::finding::Finding;

/// From where on it shows, in ages and in the times of a tail.
const NOTED: Duration = Duration::from_secs(60);

/// How far this machine's clock is from the API's, which is exact to a second.
pub(super) fn of_clock(ours: SystemTime, api: SystemTime) -> Finding {
    let (off, direction) = match ours.duration_since(api) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    let what = format!(
        "this machine's clock is {} s {direction} the API's",
        off.as_secs()
    );
    if off > Duration::from_secs(TOLERANCE_SECONDS) {
        let why = format!("{what}: what it signs is refused, which allows {TOLERANCE_SECONDS} s");
        return Finding::wrong(why, "timedatectl set-ntp true");
    }
    match off > NOTED {
        true => Finding::note(what),
        false => Finding::well("this machine's clock is right"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_noted_after_a_minute_and_wrong_where_signatures_are_refused() {
        let api = humantime::parse_rfc3339("2026-10-01T00:00:00Z").unwrap();
        let of = |seconds: i64| {
            let off = Duration::from_secs(seconds.unsigned_abs());
            let ours = if seconds < 0 { api - off } else { api + off };
            of_clock(ours, api).to_string()
        };
        for right in [0, 60, -60] {
            assert_eq!(of(right), "ok     this machine's clock is right");
        }
        assert_eq!(
            of(61),
            "note   this machine's clock is 61 s ahead of the API's"
        );
        assert_eq!(
            of(-300),
            "note   this machine's clock is 300 s behind the API's"
        );
        assert_eq!(
            of(-301),
            "WRONG  this machine's clock is 301 s behind the API's: what it signs is refused, which allows 300 s\n         timedatectl set-ntp true"
        );
    }
}

//! Analytics Engine data points. The columns are a contract with `edge-broadcast stats`.
//!
//! `index1` token, `blob1` event, `blob2` detail, `blob3` region, `double1` count, `double2` bytes, `double3` milliseconds.

/// The event that a data point counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'event> {
    /// A socket was opened; the count is the sockets of its object.
    Connect { region: &'event str, sockets: u32 },
    /// A socket was closed; the detail is the close code, the count the sockets left.
    Disconnect {
        code: &'event str,
        region: &'event str,
        sockets: u32,
    },
    /// A frame was sent; the count is the sockets that got it, the time that of the whole room.
    Broadcast {
        sockets: u32,
        bytes: usize,
        took_ms: u64,
    },
    /// A publish was accepted; the detail is the binding of the secret slot.
    Publish { slot: &'event str },
    /// A request was refused; the detail is the error code.
    Refusal { code: &'event str },
}

impl<'event> Event<'event> {
    /// The blobs and the doubles.
    pub fn columns(self) -> ([&'event str; 3], [f64; 3]) {
        let one = |event, detail| ([event, detail, ""], [1.0, 0.0, 0.0]);
        let sockets = |sockets| [f64::from(sockets), 0.0, 0.0];
        match self {
            Self::Connect { region, sockets: n } => (["connect", "", region], sockets(n)),
            Self::Disconnect {
                code,
                region,
                sockets: n,
            } => (["disconnect", code, region], sockets(n)),
            Self::Broadcast {
                sockets,
                bytes,
                took_ms,
            } => (
                ["broadcast", "", ""],
                [f64::from(sockets), bytes as f64, took_ms as f64],
            ),
            Self::Publish { slot } => one("publish", slot),
            Self::Refusal { code } => one("refusal", code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_its_place() {
        let (region, sockets) = ("eu", 3);
        for (event, blobs, doubles) in [
            (
                Event::Connect { region, sockets },
                ["connect", "", "eu"],
                [3.0, 0.0, 0.0],
            ),
            (
                Event::Disconnect {
                    code: "1006",
                    region,
                    sockets,
                },
                ["disconnect", "1006", "eu"],
                [3.0, 0.0, 0.0],
            ),
            (
                Event::Broadcast {
                    sockets,
                    bytes: 200,
                    took_ms: 7,
                },
                ["broadcast", "", ""],
                [3.0, 200.0, 7.0],
            ),
            (
                Event::Publish {
                    slot: "WEBHOOK_SECRET",
                },
                ["publish", "WEBHOOK_SECRET", ""],
                [1.0, 0.0, 0.0],
            ),
            (
                Event::Refusal { code: "not_found" },
                ["refusal", "not_found", ""],
                [1.0, 0.0, 0.0],
            ),
        ] {
            assert_eq!(event.columns(), (blobs, doubles), "{event:?}");
        }
    }
}

//! Analytics Engine data points: what each column means, in one table.
//!
//! The columns are a contract with everything that was ever written: they are added to at the end, and never reordered or
//! used for something else. `edge-broadcast stats` and the generated dashboard ask for them by their places.

/// One column of a data point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in Analytics Engine's SQL.
    pub place: &'static str,
    /// What it is called here.
    pub name: &'static str,
    /// What stands in it.
    pub what: &'static str,
}

const fn column(place: &'static str, name: &'static str, what: &'static str) -> Column {
    Column { place, name, what }
}

/// All columns, in the order in which they were introduced.
pub const COLUMNS: [Column; 10] = [
    column(
        "index1",
        "token",
        "the token of the room; empty where the event belongs to none, and of a refusal, unless it is one of a check of this tool. Cloudflare samples by it",
    ),
    column(
        "blob1",
        "event",
        "`connect`, `disconnect` and `broadcast` (the room), `handshake` and `publish` (the gateway), `refusal` (either)",
    ),
    column(
        "blob2",
        "detail",
        "of `disconnect` the close code, of `publish` the secret slot, of `refusal` its code",
    ),
    column(
        "blob3",
        "region",
        "the region of the client, or of the publisher; empty without regions, and of what an object does for all of them",
    ),
    column(
        "double1",
        "count",
        "of `connect` and `disconnect` the sockets of the object, of `broadcast` the sockets that got the frame, else 1",
    ),
    column(
        "double2",
        "bytes",
        "of `broadcast`: of the frames that each socket got",
    ),
    column(
        "double3",
        "milliseconds",
        "of `broadcast` until every object had sent it; of `publish` and `handshake` until the room had answered the gateway",
    ),
    column(
        "blob4",
        "version",
        "the id of the version of the script that wrote the point",
    ),
    column(
        "blob5",
        "outcome",
        "`ok`, `partial` (a `broadcast` that not all objects took), `refused` (a status below 500) or `failed`",
    ),
    column(
        "double4",
        "missed",
        "of `broadcast`: the objects that did not take it",
    ),
];

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
        missed: u32,
    },
    /// The gateway has handed a client over to an object, after so long.
    Handshake { region: &'event str, took_ms: u64 },
    /// A publish was accepted; the detail is the binding of the secret slot, the time that of the room's answer.
    Publish {
        slot: &'event str,
        region: &'event str,
        took_ms: u64,
    },
    /// A request was refused; the detail is the error code.
    Refusal {
        code: &'event str,
        region: &'event str,
        status: u16,
    },
}

/// The columns of one event, without the token: blobs and doubles in their places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point<'event> {
    /// `blob1` to `blob5`.
    pub blobs: [&'event str; 5],
    /// `double1` to `double4`.
    pub doubles: [f64; 4],
}

impl<'event> Event<'event> {
    /// The point that `version` of a script writes; empty where the runtime does not tell it.
    pub fn point(self, version: &'event str) -> Point<'event> {
        let point = |event, detail, region, outcome, doubles| Point {
            blobs: [event, detail, region, version, outcome],
            doubles,
        };
        match self {
            Self::Connect { region, sockets } => {
                point("connect", "", region, "ok", [sockets.into(), 0.0, 0.0, 0.0])
            }
            Self::Disconnect {
                code,
                region,
                sockets,
            } => point(
                "disconnect",
                code,
                region,
                "ok",
                [sockets.into(), 0.0, 0.0, 0.0],
            ),
            Self::Broadcast {
                sockets,
                bytes,
                took_ms,
                missed,
            } => {
                let outcome = if missed == 0 { "ok" } else { "partial" };
                let doubles = [sockets.into(), bytes as f64, took_ms as f64, missed.into()];
                point("broadcast", "", "", outcome, doubles)
            }
            Self::Handshake { region, took_ms } => point(
                "handshake",
                "",
                region,
                "ok",
                [1.0, 0.0, took_ms as f64, 0.0],
            ),
            Self::Publish {
                slot,
                region,
                took_ms,
            } => point(
                "publish",
                slot,
                region,
                "ok",
                [1.0, 0.0, took_ms as f64, 0.0],
            ),
            Self::Refusal {
                code,
                region,
                status,
            } => {
                let outcome = if status < 500 { "refused" } else { "failed" };
                point("refusal", code, region, outcome, [1.0, 0.0, 0.0, 0.0])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of an event, as `blob1` has it.
    const EVENTS: [&str; 6] = [
        "connect",
        "disconnect",
        "broadcast",
        "handshake",
        "publish",
        "refusal",
    ];

    /// The blobs, with `|` between them, and the doubles of an event that version `v1` counts.
    fn written(event: Event) -> (String, [f64; 4]) {
        let Point { blobs, doubles } = event.point("v1");
        assert!(EVENTS.contains(&blobs[0]), "{event:?}");
        (blobs.join("|"), doubles)
    }

    #[test]
    fn what_a_room_counts_has_its_places() {
        let (region, sockets) = ("eu", 3);
        let code = "1006";
        let broadcast = |missed| Event::Broadcast {
            sockets,
            bytes: 200,
            took_ms: 7,
            missed,
        };
        let disconnect = Event::Disconnect {
            code,
            region,
            sockets,
        };
        for (event, blobs, doubles) in [
            (
                Event::Connect { region, sockets },
                "connect||eu|v1|ok",
                [3.0, 0.0, 0.0, 0.0],
            ),
            (disconnect, "disconnect|1006|eu|v1|ok", [3.0, 0.0, 0.0, 0.0]),
            (broadcast(0), "broadcast|||v1|ok", [3.0, 200.0, 7.0, 0.0]),
            (
                broadcast(2),
                "broadcast|||v1|partial",
                [3.0, 200.0, 7.0, 2.0],
            ),
        ] {
            assert_eq!(written(event), (blobs.to_owned(), doubles));
        }
    }

    #[test]
    fn what_a_gateway_counts_has_its_places() {
        let (region, took_ms) = ("eu", 7);
        let publish = Event::Publish {
            slot: "WEBHOOK_SECRET",
            region,
            took_ms,
        };
        let refusal = |status| Event::Refusal {
            code: "c",
            region,
            status,
        };
        let (answered, refused) = ([1.0, 0.0, 7.0, 0.0], [1.0, 0.0, 0.0, 0.0]);
        for (event, blobs, doubles) in [
            (
                Event::Handshake { region, took_ms },
                "handshake||eu|v1|ok",
                answered,
            ),
            (publish, "publish|WEBHOOK_SECRET|eu|v1|ok", answered),
            (refusal(404), "refusal|c|eu|v1|refused", refused),
            (refusal(503), "refusal|c|eu|v1|failed", refused),
        ] {
            assert_eq!(written(event), (blobs.to_owned(), doubles));
        }
    }

    /// What is written already is read by these places for ever: a new column goes to the end.
    #[test]
    fn no_column_ever_moves() {
        let known = [
            ("index1", "token"),
            ("blob1", "event"),
            ("blob2", "detail"),
            ("blob3", "region"),
            ("double1", "count"),
            ("double2", "bytes"),
            ("double3", "milliseconds"),
            ("blob4", "version"),
            ("blob5", "outcome"),
            ("double4", "missed"),
        ];
        let columns = COLUMNS.map(|column| (column.place, column.name));
        assert_eq!(columns[..known.len()], known);
    }
}

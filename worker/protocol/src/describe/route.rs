//! The routes of the gateway, one row for the methods that do the same at a path. `Route` serves exactly these.

use crate::contract::refusal::{self, Refusal};

/// Methods of a path, and what becomes of a request.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    pub methods: &'static [&'static str],
    /// With `:token` for any token.
    pub path: &'static str,
    pub who: Who,
    pub does: &'static str,
    /// The name of the body's schema.
    pub body: Option<&'static str>,
    /// What is not a refusal.
    pub answers: &'static [Answer],
    /// The refusals of the request as a whole, in parts that routes share.
    pub refusals: &'static [&'static [Refusal]],
    /// Refusals of items: where none was accepted, the highest status of theirs is the answer's, whose body is still the
    /// results.
    pub items: &'static [&'static [Refusal]],
}

/// Whom a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Client,
    Publisher,
    Browser,
    Anybody,
    Administrator,
}

impl Who {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Publisher => "publisher",
            Self::Browser => "browser",
            Self::Anybody => "anybody",
            Self::Administrator => "administrator",
        }
    }
}

/// An answer that is no refusal.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub status: u16,
    pub meaning: &'static str,
    /// The name of its body's schema.
    pub body: Option<&'static str>,
}

const fn answer(status: u16, meaning: &'static str, body: &'static str) -> Answer {
    Answer {
        status,
        meaning,
        body: Some(body),
    }
}

const fn empty(status: u16, meaning: &'static str) -> Answer {
    Answer {
        status,
        meaning,
        body: None,
    }
}

/// What any request may be answered.
const ANY: &[Refusal] = &[refusal::GATEWAY_MISCONFIGURED];
/// Of a path with a token.
const TOKEN: &[Refusal] = &[refusal::INVALID_TOKEN];
/// Of what an object is asked for.
const OBJECT: &[Refusal] = &[
    refusal::UNKNOWN_CALL,
    refusal::ROOM_MISCONFIGURED,
    refusal::ROOM_UNAVAILABLE,
];
/// Of what pages may ask.
const ORIGIN: &[Refusal] = &[refusal::ORIGIN_NOT_ALLOWED, refusal::ORIGIN_REQUIRED];
/// Of an administrator's path.
const ADMINISTRATION: &[Refusal] = &[
    refusal::NOT_FOUND,
    refusal::MISSING_CREDENTIALS,
    refusal::WRONG_CREDENTIALS,
];
/// Of a publish before its body is understood.
const ENVELOPE: &[Refusal] = &[
    refusal::BODY_TOO_LARGE,
    refusal::MISSING_CREDENTIALS,
    refusal::WRONG_CREDENTIALS,
    refusal::SIGNATURE_REQUIRED,
    refusal::MALFORMED_SIGNATURE,
    refusal::STALE_SIGNATURE,
    refusal::INVALID_ID,
    refusal::UNSIGNED_FORCE,
    refusal::UNSUPPORTED_MEDIA_TYPE,
    refusal::UNSUPPORTED_ENCODING,
    refusal::INCOMPLETE_BODY,
    refusal::NOT_UTF8,
];
/// Of one update: its body, and what the room says.
const UPDATE: &[Refusal] = &[
    refusal::NOT_AN_OBJECT,
    refusal::INVALID_UPDATE,
    refusal::INVALID_COUNT,
    refusal::RESERVED_KEY,
    refusal::RESERVED_TYPE,
    refusal::MISSING_TOKEN,
    refusal::TOKEN_MISMATCH,
    refusal::BROADCAST_RATE,
    refusal::ID_REUSED,
    refusal::FORGOTTEN_SIGNATURE,
    refusal::PUBLISH_RATE,
];
/// Of an array.
const ARRAY: &[Refusal] = &[refusal::NOT_AN_ARRAY, refusal::INVALID_COUNT];
/// Of an item alone.
const ITEM: &[Refusal] = &[
    refusal::INVALID_ID,
    refusal::INVALID_TOKEN,
    refusal::ITEM_TOO_LARGE,
    refusal::UNREADABLE_ANSWER,
    refusal::BATCH_TIME,
];
/// Of a handshake.
const HANDSHAKE: &[Refusal] = &[
    refusal::UPGRADE_REQUIRED,
    refusal::CONNECT_RATE,
    refusal::TOO_MANY_CONNECTIONS,
    refusal::ROOM_FULL,
];
const POLL: &[Refusal] = &[refusal::CONNECT_RATE];
const HEALTH: &[Refusal] = &[
    refusal::BAD_PROBE,
    refusal::HEALTH_RATE,
    refusal::ROOM_UNHEALTHY,
    refusal::ROOM_UNAVAILABLE,
];

/// Every route.
pub const ROUTES: &[Served] = &[
    Served {
        methods: &["GET"],
        path: "/ws/:token",
        who: Who::Client,
        does: "opens a WebSocket that gets every update of the token",
        body: None,
        answers: &[empty(
            101,
            "an open socket, or with `errors=close` one that is closed at once",
        )],
        refusals: &[ANY, TOKEN, ORIGIN, HANDSHAKE, OBJECT],
        items: &[],
    },
    Served {
        methods: &["POST"],
        path: "/broadcast/:token",
        who: Who::Publisher,
        does: "publishes one JSON object",
        body: Some("Publish"),
        answers: &[answer(
            200,
            "it was accepted; a repeat and a stale one are",
            "Receipt",
        )],
        refusals: &[ANY, TOKEN, ENVELOPE, UPDATE, OBJECT],
        items: &[],
    },
    Served {
        methods: &["POST"],
        path: "/broadcast",
        who: Who::Publisher,
        does: "publishes an array of objects, each with its `token`",
        body: Some("PublishedItems"),
        answers: &[
            answer(200, "every item was accepted", "Results"),
            answer(207, "some items were accepted", "Results"),
        ],
        refusals: &[ANY, ENVELOPE, ARRAY],
        items: &[UPDATE, ITEM, OBJECT],
    },
    Served {
        methods: &["GET", "HEAD"],
        path: "/snapshot/:token",
        who: Who::Client,
        does: "the newest update of each key, for clients that poll",
        body: None,
        answers: &[
            answer(200, "the newest update of each key", "Snapshot"),
            empty(304, "nothing is newer than what `If-None-Match` names"),
        ],
        refusals: &[ANY, TOKEN, ORIGIN, POLL, OBJECT],
        items: &[],
    },
    Served {
        methods: &["OPTIONS"],
        path: "/snapshot/:token",
        who: Who::Browser,
        does: "whether a page may send headers of its own, such as `If-None-Match`",
        body: None,
        answers: &[empty(204, "it may")],
        refusals: &[ANY, ORIGIN],
        items: &[],
    },
    Served {
        methods: &["GET", "HEAD"],
        path: "/health",
        who: Who::Anybody,
        does: "whether the gateway runs, and with `?deep=1` whether rooms do",
        body: None,
        answers: &[answer(200, "it does", "Health")],
        refusals: &[ANY, HEALTH],
        items: &[],
    },
    Served {
        methods: &["GET", "HEAD"],
        path: "/rooms/:token",
        who: Who::Administrator,
        does: "what a room holds, has counted and costs",
        body: None,
        answers: &[answer(200, "the room, root and shards together", "Report")],
        refusals: &[ANY, TOKEN, ADMINISTRATION, OBJECT],
        items: &[],
    },
    Served {
        methods: &["GET", "HEAD"],
        path: "/secrets/uses",
        who: Who::Administrator,
        does: "how often each secret slot has been used",
        body: None,
        answers: &[answer(200, "uses of both slots", "Uses")],
        refusals: &[ANY, ADMINISTRATION, OBJECT],
        items: &[],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe::schema;
    use crate::gateway::route::{PATHS, Route};
    use std::collections::BTreeSet;

    const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

    #[test]
    fn every_route_is_served_and_no_other() {
        let mut described = BTreeSet::new();
        for route in ROUTES {
            described.extend(route.methods.iter().map(|method| (*method, route.path)));
        }
        let mut served = BTreeSet::new();
        for path in PATHS {
            let one = path.replace(":token", "SOL");
            let ok = METHODS
                .into_iter()
                .filter(|method| Route::of(method, &one).is_ok());
            served.extend(ok.map(|method| (method, path)));
        }
        assert_eq!(described, served);
    }

    #[test]
    fn every_refusal_is_that_of_a_route_or_of_none() {
        let of_none = [
            // No route is asked for
            refusal::METHOD_NOT_ALLOWED.code,
            // Between objects
            refusal::INVALID_PUSH.code,
        ];
        let routes = ROUTES.iter();
        let refusals = routes.flat_map(|route| route.refusals.iter().chain(route.items));
        let of_routes: BTreeSet<&str> = refusals.copied().flatten().map(|it| it.code).collect();
        for refusal in refusal::ALL {
            let is_of_none = of_none.contains(&refusal.code);
            assert_ne!(of_routes.contains(refusal.code), is_of_none, "{refusal:?}");
        }
    }

    #[test]
    fn every_body_has_a_schema() {
        let schemas = schema::all();
        for route in ROUTES {
            let bodies = route.answers.iter().filter_map(|answer| answer.body);
            for body in bodies.chain(route.body) {
                assert!(schemas.contains_key(body), "{body}");
            }
        }
    }
}

//! The WebSocket subprotocol (RFC 6455, section 1.9). None is needed; a client that offers any fails where none is chosen.

/// What this protocol is called where a client must name one.
pub const SUBPROTOCOL: &str = "edge-broadcast.v1";

/// Whether [`SUBPROTOCOL`] is among those that `Sec-WebSocket-Protocol` offers: one list of all headers of that name. Names are
/// compared with their case.
pub fn is_offered(offered: Option<&str>) -> bool {
    offered.is_some_and(|names| names.split(',').any(|name| name.trim() == SUBPROTOCOL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_known_wherever_it_is_in_the_list() {
        for (offered, is) in [
            (Some("edge-broadcast.v1"), true),
            (Some("graphql-ws, edge-broadcast.v1"), true),
            (Some("edge-broadcast.v1,edge-broadcast.v2"), true),
            (Some("edge-broadcast.v2"), false),
            (Some("Edge-Broadcast.v1"), false),
            (Some("edge-broadcast.v1 x"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(is_offered(offered), is, "{offered:?}");
        }
    }
}

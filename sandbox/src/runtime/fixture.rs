//! Trace events for unit tests.

use serde_json::json;

use crate::runtime::trace::Trace;

/// What `workerd` 1.20261023.1 wrote about a request.
pub(crate) fn request() -> Trace {
    serde_json::from_value(json!({
        "account": "a", "script": "room", "version": "v1",
        "item": {
            "wallTime": 0, "cpuTime": 0, "truncated": false, "executionModel": "stateless", "outcome": "ok",
            "scriptName": null, "diagnosticsChannelEvents": [], "exceptions": [],
            "logs": [{"message": ["seen", "GET", {"x": [1]}], "level": "log", "timestamp": 1_795_702_273_266_u64}],
            "eventTimestamp": 1_795_702_273_266_u64,
            "event": {
                "request": {
                    "url": "http://ws.glow.trade/?q=1", "method": "GET",
                    "headers": {"authorization": "REDACTED", "cf-connecting-ip": "192.0.2.1"}, "cf": {"colo": "SBX"},
                },
                "response": {"status": 201},
            },
        },
    }))
    .unwrap()
}

/// And about an alarm of an object.
pub(crate) fn alarm() -> Trace {
    serde_json::from_value(json!({
        "account": "a", "script": "room", "version": "v2",
        "item": {
            "executionModel": "durableObject", "outcome": "exception", "entrypoint": "Room", "scriptName": null,
            "exceptions": [{"name": "TypeError", "message": "boom", "timestamp": 1}], "logs": [], "eventTimestamp": 1,
            "event": {"scheduledTime": "2026-11-26T14:11:13.337Z"},
        },
    }))
    .unwrap()
}

//! An event as a line for people, and further lines for what it has logged and thrown. Pure.

use super::trace::{Kind, Trace};
use crate::terminal::tint::Tint;

/// The event; `role` is what its script is in the environment.
pub(super) fn line(trace: &Trace, role: &str) -> String {
    let mut parts = vec![
        Tint::Faint.paint(clock(&trace.time)),
        Tint::Name.paint(&format!("{role:7}")),
        of_kind(trace).paint(&trace.what),
    ];
    if let Some(room) = unnamed_room(trace) {
        parts.push(Tint::Faint.paint(&format!("of {room}")));
    }
    if let Some(status) = trace.status {
        parts.push(of_status(status).paint(&status.to_string()));
    }
    if trace.kind != Kind::Overload {
        parts.push(of_outcome(&trace.outcome).paint(&trace.outcome));
    }
    if let Some(wall) = trace.wall_ms {
        parts.push(Tint::Faint.paint(&format!("{wall} ms")));
    }
    let mut text = parts.join("  ");
    for log in &trace.logs {
        let tint = match log.level.as_str() {
            "error" => Tint::Bad,
            "warn" => Tint::Caution,
            _ => Tint::Plain,
        };
        text += &below(&log.level, &log.message, tint);
    }
    for exception in &trace.exceptions {
        let what = format!("{}: {}", exception.name, exception.message);
        text += &below("thrown", &what, Tint::Bad);
        for call in exception.stack.iter().flat_map(|stack| stack.lines()) {
            text += &below("", call.trim(), Tint::Faint);
        }
    }
    text
}

/// `12:33:02.404` of `2026-11-27T12:33:02.404Z`: UTC, as every time of this tool.
fn clock(time: &str) -> &str {
    time.get(11..23).unwrap_or(time)
}

/// The room of what does not name it in its words.
fn unnamed_room(trace: &Trace) -> Option<&str> {
    let has_name = matches!(trace.kind, Kind::Request | Kind::Call);
    trace.token.as_deref().filter(|_| !has_name)
}

/// Lines below an event's, with a label before the first.
fn below(label: &str, text: &str, tint: Tint) -> String {
    let label = Tint::Faint.paint(&format!("{label:>20}"));
    let mut lines = text.lines().map(|line| tint.paint(line));
    let first = lines.next().unwrap_or_default();
    let rest: String = lines.map(|line| format!("\n{:22}{line}", "")).collect();
    format!("\n{label}  {first}{rest}")
}

fn of_kind(trace: &Trace) -> Tint {
    match trace.kind {
        Kind::Overload | Kind::SocketError => Tint::Caution,
        _ => Tint::Plain,
    }
}

fn of_status(status: u64) -> Tint {
    match status {
        500.. => Tint::Bad,
        400.. => Tint::Caution,
        _ => Tint::Good,
    }
}

/// That a client went away before its answer is nobody's fault.
fn of_outcome(outcome: &str) -> Tint {
    match outcome {
        "ok" => Tint::Good,
        "canceled" | "responseStreamDisconnected" => Tint::Caution,
        _ => Tint::Bad,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::trace::Objects;
    use super::*;
    use crate::terminal::tint::told;

    const OBJECT: &str = "01f2891c3caa114b8c572bd622638230ec00179694dcb711e84500018a5acc1e";

    /// As workerd 1.20261023.1 writes a message for these scripts, with another `event`.
    fn message(event: &Json) -> Json {
        json!({
            "cpuTime": 0, "diagnosticsChannelEvents": [], "event": event, "eventTimestamp": 1_795_785_182_404_u64, "exceptions": [],
            "executionModel": "stateless", "logs": [], "outcome": "ok", "scriptName": "glow-broadcast-staging",
            "scriptVersion": { "id": "13f06748-d908-47fd-b92a-c6e15b239243" }, "truncated": false, "wallTime": 3,
        })
    }

    fn in_object(event: &Json) -> Json {
        let mut message = message(event);
        message["durableObjectId"] = OBJECT.into();
        message["entrypoint"] = "BroadcastRoom".into();
        message["executionModel"] = "durableObject".into();
        message["scriptName"] = "glow-broadcast-staging-room".into();
        message
    }

    fn shown(messages: &[Json]) -> String {
        let mut objects = Objects::default();
        let lines = messages.iter().map(|message| {
            let trace = objects.read(message);
            let role = match trace.object {
                Some(_) => "room",
                None => "gateway",
            };
            told(&line(&trace, role))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn requests_show_method_path_and_status_and_no_secret_of_their_query() {
        let request = |method: &str, path: &str, status: u16| {
            let url = format!("https://broadcast-staging.glow.trade{path}");
            let headers = json!({ "authorization": "REDACTED", "cf-ray": "256082be897d6b8f-FRA" });
            message(&json!({
                "request": { "url": url, "method": method, "headers": headers, "cf": { "colo": "FRA" } },
                "response": { "status": status },
            }))
        };
        let mut upgraded = request("GET", "/ws/SOL?since=1&token=hunter2", 101);
        upgraded["event"]["response"] = Json::Null;
        upgraded["outcome"] = "canceled".into();
        upgraded["wallTime"] = Json::Null;
        insta::assert_snapshot!(shown(&[
            request("POST", "/broadcast/SOL?key=hunter2", 200),
            request("POST", "/broadcast/S%4fL", 403),
            request("GET", "/health?deep=1", 503),
            upgraded,
        ]), @"
        <faint>13:13:02.404</>  <cyan>gateway</>  POST /broadcast/SOL?key=REDACTED  <green>200</>  <green>ok</>  <faint>3 ms</>
        <faint>13:13:02.404</>  <cyan>gateway</>  POST /broadcast/S%4fL  <yellow>403</>  <green>ok</>  <faint>3 ms</>
        <faint>13:13:02.404</>  <cyan>gateway</>  GET /health?deep=1  <bold><red>503</>  <green>ok</>  <faint>3 ms</>
        <faint>13:13:02.404</>  <cyan>gateway</>  GET /ws/SOL?since=1&token=REDACTED  <yellow>canceled</>
        ");
    }

    #[test]
    fn calls_name_their_room_and_what_names_none_is_of_the_room_that_its_object_was_called_for() {
        let call = |call: &str, status: u16| {
            in_object(&json!({
                "request": { "headers": { "x-edge-call": call }, "method": "POST", "url": "https://room/" },
                "response": { "status": status },
            }))
        };
        let connect = json!({ "connect": { "place": { "token": "SOL", "region": "eu", "index": 0, "home": "away" }, "since": 1 } });
        let ended = json!({ "webSocketEventType": "close", "code": 1005, "wasClean": true });
        insta::assert_snapshot!(shown(&[
            in_object(&json!({ "scheduledTime": "2026-11-26T14:11:13.337Z" })),
            call(r#"{"join":{"name":"SOL/eu/0","region":"eu","clock_ms":7}}"#, 200),
            call(&connect.to_string(), 101),
            call("\"uses\"", 200),
            call("\"push\"", 500),
            in_object(&json!({ "getWebSocketEvent": { "webSocketEventType": "message" } })),
            in_object(&json!({ "getWebSocketEvent": ended })),
            in_object(&json!({ "getWebSocketEvent": { "webSocketEventType": "error" } })),
            in_object(&json!({ "scheduledTime": "2026-11-26T14:11:13.337Z" })),
        ]), @"
        <faint>13:13:02.404</>  <cyan>room   </>  alarm  <green>ok</>  <faint>3 ms</>
        <faint>13:13:02.404</>  <cyan>room   </>  join SOL  <green>200</>  <green>ok</>  <faint>3 ms</>
        <faint>13:13:02.404</>  <cyan>room   </>  connect SOL  <green>101</>  <green>ok</>  <faint>3 ms</>
        <faint>13:13:02.404</>  <cyan>room   </>  uses  <green>200</>  <green>ok</>  <faint>3 ms</>
        <faint>13:13:02.404</>  <cyan>room   </>  push  <bold><red>500</>  <green>ok</>  <faint>3 ms</>
        <faint>13:13:02.404</>  <cyan>room   </>  frame of a socket  <faint>of SOL</>  <green>ok</>  <faint>3 ms</>
        <faint>13:13:02.404</>  <cyan>room   </>  end of a socket with 1005  <faint>of SOL</>  <green>ok</>  <faint>3 ms</>
        <faint>13:13:02.404</>  <cyan>room   </>  <yellow>failure of a socket</>  <faint>of SOL</>  <green>ok</>  <faint>3 ms</>
        <faint>13:13:02.404</>  <cyan>room   </>  alarm  <faint>of SOL</>  <green>ok</>  <faint>3 ms</>
        ");
    }

    #[test]
    fn logs_and_exceptions_stand_below_and_cannot_steer_the_terminal() {
        let mut failed = message(&json!({ "rpcMethod": "ask" }));
        failed["outcome"] = "exception".into();
        failed["logs"] = json!([
            { "level": "log", "message": ["seen", 7, { "x": [1] }], "timestamp": 1 },
            { "level": "warn", "message": "two\nlines \u{1b}[2J", "timestamp": 1 },
        ]);
        failed["exceptions"] = json!([
            { "name": "TypeError", "message": "boom", "stack": "  at f (index.js:1:2)\n  at g (index.js:3:4)", "timestamp": 1 },
            { "name": "Error", "message": { "no": "text" }, "timestamp": 1 },
        ]);
        let overload = json!({
            "outcome": "unknown", "scriptName": null, "exceptions": [], "logs": [], "eventTimestamp": 7,
            "event": { "type": "overload", "message": "9 were left out" },
        });
        let mut strange = message(&Json::Null);
        strange["outcome"] = "exceededCpu".into();
        strange["eventTimestamp"] = u64::MAX.into();
        insta::assert_snapshot!(shown(&[failed, overload, strange, message(&json!({ "cron": "* * * * *", "scheduledTime": 1 })), json!([])]), @r#"
        <faint>13:13:02.404</>  <cyan>gateway</>  default.ask  <bold><red>exception</>  <faint>3 ms</>
        <faint>                 log</>  seen 7 {"x":[1]}
        <faint>                warn</>  <yellow>two</>
                              <yellow>lines \u{1b}[2J</>
        <faint>              thrown</>  <bold><red>TypeError: boom</>
        <faint>                    </>  <faint>at f (index.js:1:2)</>
        <faint>                    </>  <faint>at g (index.js:3:4)</>
        <faint>              thrown</>  <bold><red>Error: {"no":"text"}</>
        <faint>00:00:00.007</>  <cyan>gateway</>  <yellow>9 were left out</>
        <faint>23:59:59.999</>  <cyan>gateway</>  unknown event  <bold><red>exceededCpu</>  <faint>3 ms</>
        <faint>13:13:02.404</>  <cyan>gateway</>  * * * * *  <green>ok</>  <faint>3 ms</>
        <faint>00:00:00.000</>  <cyan>gateway</>  unknown event  <bold><red>unknown</>
        "#);
    }
}

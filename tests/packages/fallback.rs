//! Where sockets are blocked the newest values come by other ways, in order, and a socket wins again.

use serde_json::{Value, json};

use super::Package;
use super::front::{Front, Lets};
use super::program::Program;
use crate::workers::Deployed;

/// An app whose waits are short, but for those that tell what is slow from what is dead; with the system before this one beside it,
/// which sends what it reads. It prints what it is told, but for what it waits.
const APP: &str = r"
    import { createInterface } from 'node:readline';
    import WebSocket, { WebSocketServer } from 'ws';
    const wait = globalThis.setTimeout;
    globalThis.setTimeout = (then, ms) => wait(then, ms === 15_000 ? ms : ms / 20);
    const [now, began] = [Date.now, Date.now()];
    Date.now = () => began + 20 * (now() - began);
    const say = (...words) => console.log(JSON.stringify(words));

    const aws = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await new Promise((listening) => aws.on('listening', listening));
    aws.on('connection', (socket, { url }) => {
      say('aws', url);
      // As a gateway of AWS answers what it does not understand
      socket.send('{`message`:`Forbidden`,`connectionId`:`x`}'.replaceAll('`', String.fromCharCode(34)));
      socket.send('no JSON');
    });

    const { subscribe } = await import('./dist/index.js');
    const subscription = subscribe('SOL:USD', {
      url: process.env.URL,
      aws: `ws://127.0.0.1:${aws.address().port}/prices/{token}`,
      WebSocket,
      onUpdate: ({ slot, seq, epoch }) => say('update', slot, epoch === 'aws' ? `aws ${seq}` : 'room'),
      onState: (state) => { if (state.kind === 'open' || state.kind === 'ended') say(state.kind, state.via ?? state.reason); },
      onGap: ({ reason, update }) => say('gap', reason, ...(update ? [update.slot] : [])),
    });
    for await (const line of createInterface({ input: process.stdin })) {
      if (line === 'end') break;
      for (const socket of aws.clients) socket.send(line);
    }
    say('connected', subscription.counters().migration.connected);
    subscription.close();
    aws.close();
    for (const socket of aws.clients) socket.terminate();
    process.stdin.destroy();
";

fn price(slot: u64) -> Value {
    json!({ "type": "PRICE_UPDATE", "token": "SOL:USD", "slot": slot, "price": 125.45 })
}

#[tokio::test(flavor = "multi_thread")]
async fn where_sockets_are_blocked_it_polls_then_asks_the_system_before_and_a_socket_wins_again() {
    let package = Package::generated("client", &[]);
    package.compile();
    let deployed = Deployed::new();
    let front = Front::before(deployed.sandbox.ingress).await;
    let url = format!("http://{}", front.address);
    let mut app = Program::start(package.node(APP).env("URL", url));
    app.says(&[json!(["open", "ws"])]);
    deployed.publish("SOL:USD", price(1)).await;
    app.says(&[json!(["update", 1, "room"])]);

    front.lets(Lets::Requests);
    app.says(&[json!(["gap", "poll"]), json!(["open", "poll"])]);
    // What it has is not shown again; what is new is
    deployed.publish("SOL:USD", price(2)).await;
    app.says(&[json!(["update", 2, "room"])]);
    deployed.publish("SOL:USD", price(3)).await;
    app.says(&[json!(["update", 3, "room"])]);

    front.lets(Lets::Nothing);
    app.says(&[
        json!(["aws", "/prices/SOL%3AUSD"]),
        json!(["gap", "aws"]),
        json!(["open", "aws"]),
    ]);
    deployed.publish("SOL:USD", price(4)).await;
    app.reads(&price(4).to_string());
    app.says(&[json!(["update", 4, "aws 1"])]);
    app.reads(&json!([price(2), price(5)]).to_string());
    app.says(&[json!(["gap", "stale", 2]), json!(["update", 5, "aws 3"])]);
    let other = json!({ "type": "PRICE_UPDATE", "token": "BONK", "slot": 9 });
    app.reads(&other.to_string());

    front.lets(Lets::Upgrades);
    // The room has only what is older than what was shown
    app.says(&[json!(["open", "ws"]), json!(["gap", "stale", 4])]);
    // Sent to both systems, and shown once
    deployed.publish("SOL:USD", price(5)).await;
    deployed.publish("SOL:USD", price(6)).await;
    app.says(&[json!(["update", 6, "room"])]);
    app.reads("end");
    app.says(&[json!(["connected", { "ws": 2, "poll": 1, "aws": 1 }])]);
    app.ends();
    let heads = front.heads();
    let polls = |tagged: bool| {
        let polls = heads
            .iter()
            .filter(|head| head.starts_with("GET /snapshot/SOL%3AUSD HTTP"));
        polls
            .filter(|head| head.contains("if-none-match: ") == tagged)
            .count()
    };
    assert_eq!((polls(false), polls(true) > 2), (1, true), "{heads:#?}");
}

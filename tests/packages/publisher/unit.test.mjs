// The compiled package without a gateway: what it reads, what it refuses, when it sends again.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { sendToEdge } from "./dist/edge.js";
import { handler } from "./dist/index.js";
import { isFromHelius, itemsOf, nameOf } from "./dist/helius.js";
import { hasArrived, share, shouldRepeat, waysOf } from "./dist/modes.js";
import { parts } from "./dist/outcome.js";
import { settingsOf } from "./dist/settings.js";
import { senderTo } from "./dist/sqs.js";
import { itemsFrom } from "./dist/update.js";

const MAX_BYTES = 16_384;
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwZm9yLXRlc3Rz";

/** What Helius's documentation shows of an enhanced transaction, shortened. */
const ENHANCED = {
  accountData: [{ account: "CKs1E69a2e9TmH4mKKLrXFF8kD3ZnwKjoEuXa6sz9WqX", nativeBalanceChange: -72938049280, tokenBalanceChanges: [] }],
  description: "5nNtjezQMYBHvgSQmoRmJPiXGsPAWmJPoGSa64xanqrauogiVzFyGQhKeFataHGXq51jR2hjbzNTkPUpP787HAmL sold Fox #7637 for 72 SOL on MAGIC_EDEN.",
  events: {},
  fee: 10000,
  feePayer: "CKs1E69a2e9TmH4mKKLrXFF8kD3ZnwKjoEuXa6sz9WqX",
  nativeTransfers: [{ amount: 72936000000, fromUserAccount: "CKs1E69a2e9TmH4mKKLrXFF8kD3ZnwKjoEuXa6sz9WqX", toUserAccount: "AAaTGaA3uVqikfVEwoSG7EwkCb4bBDsMEyueiVUS5CaU" }],
  signature: "5nNtjezQMYBHvgSQmoRmJPiXGsPAWmJPoGSa64xanqrauogiVzFyGQhKeFataHGXq51jR2hjbzNTkPUpP787HAmL",
  slot: 171942732,
  source: "MAGIC_EDEN",
  timestamp: 1673445241,
  tokenTransfers: [],
  transactionError: null,
  type: "NFT_SALE",
};

const items = (updates, transaction = "tx") => itemsFrom(updates, transaction, MAX_BYTES);
const ids = (updates, transaction) => items(updates, transaction).items.map(({ id }) => id);
const whys = (updates) => items(updates).leftOut.map(({ why }) => why);

test("a request is Helius's where its header is exactly the one that the webhook was made with", () => {
  const shows = (headers) => isFromHelius({ headers }, "Bearer s3cret");
  assert.equal(shows({ authorization: "Bearer s3cret" }), true);
  assert.equal(shows({ Authorization: "Bearer s3cret" }), true);
  for (const wrong of [{ authorization: "s3cret" }, { authorization: "" }, { authorization: undefined }, {}, null, undefined]) {
    assert.equal(shows(wrong), false);
  }
});

test("a body is a JSON array, as text or as base64, and nothing else", () => {
  const body = JSON.stringify([ENHANCED]);
  const encoded = Buffer.from(body).toString("base64");
  assert.deepEqual(itemsOf({ body }), [ENHANCED]);
  assert.deepEqual(itemsOf({ body: encoded, isBase64Encoded: true }), [ENHANCED]);
  for (const body of [undefined, null, "", "{}", "[1", "null", encoded]) assert.equal(itemsOf({ body }), undefined);
});

test("a transaction is named by its signature, enhanced or raw, or by all that it is", () => {
  assert.equal(nameOf(ENHANCED), ENHANCED.signature);
  assert.equal(nameOf({ transaction: { signatures: ["raw", "second"] } }), "raw");
  const nameless = { slot: 1, transaction: null };
  assert.equal(nameOf(nameless), nameOf({ ...nameless }));
  assert.notEqual(nameOf(nameless), nameOf({ ...nameless, slot: 2 }));
});

test("updates of one transaction have ids of their own, which are the same in a repeat that reads another clock", () => {
  const prices = (timestamp) => [1, 2, 3].map((price) => ({ type: "PRICE_UPDATE", token: "SOL", price, timestamp }));
  assert.equal(new Set(ids(prices(1))).size, 3);
  assert.deepEqual(ids(prices(1)), ids(prices(2)));
  assert.notDeepEqual(ids(prices(1)), ids(prices(1), "another"));
  const others = [{ type: "VOLUME", token: "SOL" }, { type: "PRICE_UPDATE", token: "BONK" }];
  assert.equal(new Set(ids([...prices(1), ...others])).size, 5);
  // What is left out of a repeat does not change the ids of other tokens
  assert.deepEqual(ids([...others]), ids([...prices(1), ...others]).slice(3));
  assert.deepEqual(ids([{ token: "SOL", id: "mine" }]), ["mine"]);
});

test("the body has the id that the publisher made, and the text does not", () => {
  const [item] = items([{ token: "SOL", price: 1, note: "\uFFFF" }]).items;
  assert.equal(item.text, '{"token":"SOL","price":1,"note":"\\uffff"}');
  assert.equal(item.body, `{"token":"SOL","price":1,"note":"\\uffff","id":"${item.id}"}`);
  assert.match(item.id, /^[\w-]{22}$/);
});

test("what JSON would turn into null, or leave out, is left out whole and told", () => {
  const circle = {};
  circle.circle = circle;
  assert.deepEqual(
    whys([
      { token: "SOL", price: Number.NaN },
      { token: "SOL", deep: [{ price: -Infinity }] },
      { token: "SOL", price: undefined },
      { token: "SOL", list: [undefined] },
      { token: "SOL", price: 1n },
      { token: "SOL", at: new Date(Number.NaN) },
      { token: "SOL", slot: 1.5 },
      { token: "SOL", circle },
      { token: "a b" },
      { token: "" },
      { token: "x".repeat(97) },
      { token: "é" },
      { price: 1 },
      { token: "SOL", id: "a b" },
      { token: "SOL", id: 7 },
      { token: "SOL", text: "x".repeat(MAX_BYTES) },
      { token: "SOL", toJSON: () => "SOL" },
      { token: "SOL", toJSON: () => ({}) },
      null,
      [],
    ]),
    [
      "`price` is NaN",
      "`price` is -Infinity",
      "`price` is undefined",
      "`0` is undefined",
      "`price` is 1",
      "`at` is Invalid Date",
      "`slot` is no whole number",
      "it is no JSON: Converting circular structure to JSON",
      "`token` cannot be a token",
      "`token` cannot be a token",
      "`token` cannot be a token",
      "`token` cannot be a token",
      "`token` cannot be a token",
      "`id` is not 1 to 256 visible ASCII characters",
      "`id` is not 1 to 256 visible ASCII characters",
      "it has more than 16384 bytes",
      "it is no object",
      "it is no object",
      "it is no object",
      "it is no object",
    ],
  );
  const optional = { token: "a:b", slot: undefined, timestamp: undefined, type: undefined, price: null };
  assert.equal(items([optional]).items[0].text, '{"token":"a:b","price":null}');
});

test("a token's share is the one of the snippet before, so none changes its way", () => {
  const places = ["SOL", "BONK", "a:b", "So11111111111111111111111111111111111111112", "😀"].map(share);
  assert.deepEqual(places, [88, 18, 13, 2, 12]);
  assert.deepEqual(waysOf("SOL", "percent", 89), ["edge"]);
  assert.deepEqual(waysOf("SOL", "percent", 88), ["sqs"]);
  assert.deepEqual(waysOf("SOL", "percent", 0), ["sqs"]);
  assert.deepEqual(waysOf("SOL", "percent", 100), ["edge"]);
  assert.deepEqual(waysOf("SOL", "dual", 0), ["sqs", "edge"]);
});

test("Helius repeats where something arrived nowhere, unless a standard queue would deliver again", () => {
  const yes = { is: "accepted", notes: [] };
  const later = { is: "failed", why: "ECONNREFUSED" };
  const never = { is: "refused", why: "400 reserved_type" };
  const cases = [
    [[{ edge: yes }], 0, false, false],
    [[{ edge: later }], 0, true, true],
    [[{ edge: never }], 0, false, false],
    [[{ edge: yes }, { edge: later }], 0, true, true],
    [[{ edge: later, sqs: yes }], 0, false, false],
    [[{ edge: yes, sqs: later }], 0, false, false],
    [[{ edge: later, sqs: later }], 0, true, true],
    [[{ sqs: yes }, { sqs: later }], 0, true, false],
    [[{ sqs: yes }, { edge: later }], 0, true, false],
    [[], 1, true, true],
    [[{ sqs: yes }], 1, true, false],
    [[], 0, false, false],
  ];
  for (const [outcomes, underived, harmless, delivered] of cases) {
    assert.equal(shouldRepeat(outcomes, underived, "harmless"), harmless, JSON.stringify(outcomes));
    assert.equal(shouldRepeat(outcomes, underived, "delivered"), delivered, JSON.stringify(outcomes));
  }
  assert.equal(hasArrived({ edge: later, sqs: yes }), true);
  assert.equal(hasArrived({ edge: never }), false);
});

test("parts are as large as they may be, and keep the order", () => {
  const sizes = [3, 3, 3, 9, 1, 1, 1];
  assert.deepEqual(parts(sizes, { items: 3, bytes: 9 }, (size) => size), [[3, 3, 3], [9], [1, 1, 1]]);
  assert.deepEqual(parts([1, 1, 1, 1], { items: 3, bytes: 9 }, () => 1), [[1, 1, 1], [1]]);
  assert.deepEqual(parts([20], { items: 3, bytes: 9 }, () => 20), [[20]]);
  assert.deepEqual(parts([], { items: 3, bytes: 9 }, () => 1), []);
});

const MANIFEST = {
  ENVIRONMENT: "staging",
  URL_OF_GATEWAY: "https://broadcast.example",
  MODE: "dual",
  PERCENT: 0,
  CREDENTIALS: "bearer",
  MAX_MESSAGE_BYTES: MAX_BYTES,
};
const ON = { USE_EDGE_BROADCAST: "true", HELIUS_AUTH_HEADER: "s3cret" };

test("what is missing is an error at the start, in words", () => {
  const of = (options, environment, mode) => () => settingsOf(options, environment, { ...MANIFEST, MODE: mode });
  assert.throws(of({ queue: "q" }, {}, "dual"), /^Error: `HELIUS_AUTH_HEADER` is not set, so anybody could publish/);
  for (const mode of ["sqs", "percent", "dual"]) {
    assert.throws(
      of({}, ON, mode),
      new Error(`updates go to SQS (\`sst.migration\` is \`${mode}\`, the fallback \`nowhere\`), and there is no queue: set \`EDGE_BROADCAST_QUEUE_URL\`, or give \`handler\` a \`queue\``),
    );
  }
  assert.throws(of({ fallback: "sqs" }, ON, "edge"), /the fallback `sqs`\), and there is no queue/);
  assert.throws(
    of({ queue: "" }, { ...ON, USE_EDGE_BROADCAST: "false" }, "edge"),
    new Error("updates go to SQS while `USE_EDGE_BROADCAST` is not `true`, and there is no queue: set `EDGE_BROADCAST_QUEUE_URL`, or give `handler` a `queue`"),
  );
  assert.doesNotThrow(of({}, ON, "edge"));
  assert.doesNotThrow(of({}, { ...ON, EDGE_BROADCAST_QUEUE_URL: "q" }, "dual"));
});

test("the kill switch wins over the manifest, and the address is joined as text", () => {
  const of = (environment) => settingsOf({ queue: "q" }, { ...ON, ...environment }, MANIFEST);
  for (const off of [undefined, "", "false", "TRUE", "1"]) assert.equal(of({ USE_EDGE_BROADCAST: off }).mode, "sqs");
  assert.equal(of({}).mode, "dual");
  // What went to the queue before goes there when the edge is switched off
  assert.deepEqual([of({}).maxBytes, of({ USE_EDGE_BROADCAST: "" }).maxBytes], [MAX_BYTES, 1_048_576]);
  assert.equal(of({}).edge.url, "https://broadcast.example/broadcast");
  for (const url of ["http://x:1", "http://x:1/", "http://x:1//", " http://x:1/ \n"]) {
    assert.equal(of({ EDGE_BROADCAST_URL: url }).edge.url, "http://x:1/broadcast");
  }
  assert.equal(of({ EDGE_BROADCAST_URL: "" }).edge.url, "https://broadcast.example/broadcast");
});

/** A gateway that answers as it is told, one answer a request; what was asked. */
async function gateway(t, ...answers) {
  const asked = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    asked.push({ url: request.url, headers: request.headers, text, items: JSON.parse(text) });
    const answer = answers.shift();
    if (answer === "cut") return request.socket.destroy();
    if (answer === "wait") return;
    const { status, headers = {}, results, text: page } = answer;
    response.writeHead(status, headers).end(page ?? JSON.stringify({ results }));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { asked, url: `http://127.0.0.1:${server.address().port}/broadcast` };
}

const accepted = { status: 200, seq: 1, duplicate: false, stale: false, failed_shards: 0 };
const refused = (status, code, more) => ({ status, ...more, error: { code, message: "…" } });
const two = () => items([{ token: "SOL", price: 1 }, { token: "BONK", price: 2 }]).items;

async function sent(t, answers, { ms = 900, of = two(), ...edge } = {}) {
  const { asked, url } = await gateway(t, ...answers);
  const settings = { url, secret: SECRET, credentials: "bearer", maxBatchBytes: 1_048_576, ...edge };
  const delivery = await sendToEdge(of, settings, performance.now() + ms);
  const says = delivery.outcomes.map((one) => one.why ?? ["accepted", ...one.notes].join(" "));
  return { asked, says, attempts: delivery.attempts, outcomes: delivery.outcomes };
}

test("only what failed and may fare better is sent again, with the same ids", async (t) => {
  const { asked, says, attempts } = await sent(t, [
    { status: 207, results: [accepted, refused(503, "room_unavailable")] },
    { status: 200, results: [{ ...accepted, duplicate: true }] },
  ]);
  assert.deepEqual(says, ["accepted", "accepted duplicate"]);
  assert.equal(attempts, 2);
  assert.deepEqual(asked.map(({ items }) => items.map(({ token }) => token)), [["SOL", "BONK"], ["BONK"]]);
  assert.equal(asked[0].items[1].id, asked[1].items[0].id);
});

test("a lost connection, a page of what stands before the gateway and a stale signature are tried again", async (t) => {
  const good = { status: 200, results: [accepted, accepted] };
  for (const bad of [
    "cut",
    { status: 502, text: "<html>" },
    { status: 503, text: '{"error":{"code":"room_unavailable"}}' },
    { status: 401, results: [refused(401, "stale_signature"), refused(401, "stale_signature")] },
  ]) {
    const { says, attempts } = await sent(t, [bad, good]);
    assert.deepEqual([...says, attempts], ["accepted", "accepted", 2], JSON.stringify(bad));
  }
});

test("what is refused for good, or for longer than there is time, is not sent again", async (t) => {
  const all = (result) => ({ status: result.status, results: [result, result] });
  for (const [answer, why, is] of [
    [all(refused(400, "reserved_type")), "400 reserved_type", "refused"],
    [all(refused(413, "too_large")), "413 too_large", "refused"],
    [all(refused(429, "publish_rate", { retry_after: 1 })), "429 publish_rate", "failed"],
    [all(refused(429, "publish_rate")), "429 publish_rate", "failed"],
    [all(refused(503, "room_unavailable", { retry_after: 1 })), "503 room_unavailable", "failed"],
    [{ status: 403, text: '{"error":{"code":"wrong_credentials"}}' }, "403 wrong_credentials", "failed"],
    [{ status: 503, headers: { "retry-after": "60" }, text: "<html>" }, "503 without an answer of the gateway", "failed"],
    [{ status: 404, text: "not here" }, "404 without an answer of the gateway", "failed"],
    [{ status: 200, text: "[]" }, "200 without an answer of the gateway", "failed"],
    [{ status: 200, results: [accepted] }, "200 without an answer of the gateway", "failed"],
  ]) {
    const { says, attempts, outcomes } = await sent(t, [answer]);
    assert.deepEqual([...says, attempts, outcomes[0].is], [why, why, 1, is]);
  }
});

test("a receipt is looked at, and a repeat with another text is no second delivery", async (t) => {
  const results = [{ ...accepted, stale: true, failed_shards: 2 }, refused(422, "id_reused")];
  const { says } = await sent(t, [{ status: 207, results }]);
  assert.deepEqual(says, ["accepted stale failed_shards", "accepted changed"]);
});

test("more than a hundred updates are several requests", async (t) => {
  const many = items(Array.from({ length: 101 }, (_, n) => ({ token: "SOL", n }))).items;
  const results = (count) => Array.from({ length: count }, () => accepted);
  const answers = [{ status: 200, results: results(100) }, { status: 200, results: results(1) }];
  const { asked, says } = await sent(t, answers, { of: many });
  assert.deepEqual(asked.map(({ items }) => items.length), [100, 1]);
  assert.equal(says.length, 101);
});

test("an edge that does not answer costs no more than the time there is", async (t) => {
  const { says, attempts } = await sent(t, ["wait"], { ms: 150 });
  assert.match(says[0], /^no answer in \d+ ms$/);
  assert.equal(attempts, 1);
});

test("a secret that is missing or cannot be sent sends nothing and is never shown", async (t) => {
  for (const [secret, credentials, why] of [
    [undefined, "bearer", "`EDGE_BROADCAST_SECRET` is not set"],
    ["", "bearer", "`EDGE_BROADCAST_SECRET` is not set"],
    [undefined, "signature", "`EDGE_BROADCAST_SECRET` is not set"],
    ["two\nlines", "bearer", "`EDGE_BROADCAST_SECRET` is not printable ASCII"],
    ["whsec_!", "signature", "`EDGE_BROADCAST_SECRET` cannot sign: it is `whsec_` and base64"],
  ]) {
    const { asked, says } = await sent(t, [], { secret, credentials });
    assert.deepEqual([asked, says], [[], [why, why]]);
  }
});

test("a redirect is not followed: a secret goes to the host that was named", async (t) => {
  const other = await gateway(t);
  const { says } = await sent(t, [{ status: 307, headers: { location: other.url }, text: "" }]);
  assert.deepEqual([other.asked, says[0]], [[], "307 without an answer of the gateway"]);
});

test("a signature is one that Standard Webhooks' own library verifies, made anew for each try", async (t) => {
  const good = { status: 200, results: [accepted, accepted] };
  const { asked } = await sent(t, ["cut", good], { credentials: "signature", secret: `${SECRET}\n` });
  for (const { headers, text } of asked) {
    assert.ok(new Webhook(SECRET).verify(text, headers));
    assert.equal(headers.authorization, undefined);
  }
  assert.equal(asked[0].headers["webhook-id"], asked[1].headers["webhook-id"]);
});

/** A client of SQS that answers as it is told. */
function client(...answers) {
  const asked = [];
  const send = async ({ input }) => {
    asked.push(input.Entries);
    const answer = answers.shift() ?? (() => []);
    const failed = new Map(answer(input.Entries).map(([Id, Code, SenderFault]) => [Id, { Id, Code, SenderFault }]));
    const ok = input.Entries.filter(({ Id }) => !failed.has(Id));
    return { Successful: ok.map(({ Id }) => ({ Id })), Failed: [...failed.values()] };
  };
  return { asked, client: { send } };
}

test("messages of a batch that failed are sent again, those of the sender's fault are not", async () => {
  const { asked, client: mine } = client(() => [["1", "InternalError", false], ["2", "InvalidMessageContents", true]]);
  const send = senderTo({ url: "https://sqs.example/1/prices", client: mine });
  const three = items(["A", "B", "C"].map((token) => ({ token }))).items;
  const { outcomes, attempts } = await send(three, performance.now() + 900);
  assert.deepEqual(outcomes.map((one) => one.why ?? one.is), ["accepted", "accepted", "InvalidMessageContents"]);
  assert.deepEqual(asked.map((entries) => entries.map(({ MessageBody }) => MessageBody)), [
    ['{"token":"A"}', '{"token":"B"}', '{"token":"C"}'],
    ['{"token":"B"}'],
  ]);
  assert.equal(attempts, 2);
});

test("batches have ten messages, and those of a FIFO queue a group and an id", async () => {
  const { asked, client: mine } = client();
  const send = senderTo({ url: "https://sqs.example/1/prices.fifo", client: mine, bodyOf: ({ token }) => `for ${token}` });
  const eleven = items(Array.from({ length: 11 }, () => ({ token: "SOL" }))).items;
  await send(eleven, performance.now() + 900);
  assert.deepEqual(asked.map(({ length }) => length), [10, 1]);
  assert.deepEqual(asked[1], [
    { Id: "0", MessageBody: "for SOL", MessageGroupId: "SOL", MessageDeduplicationId: eleven[10].id },
  ]);
});

/** What a process of its own prints. */
function printed(script) {
  const options = { env: { ...process.env, ...ON, EDGE_BROADCAST_QUEUE_URL: "https://sqs.example/1/prices" } };
  return String(execFileSync(process.execPath, ["--input-type=module", "--no-warnings", "--eval", script], options));
}

test("whoever has left the queue behind does not load AWS's SDK", () => {
  const loads = (mode) =>
    printed(`
      import { createRequire } from "node:module";
      import { settingsOf, usesQueue } from "./dist/settings.js";
      import { senderTo } from "./dist/sqs.js";
      import "./dist/index.js";
      const settings = settingsOf({}, process.env, ${JSON.stringify({ ...MANIFEST, MODE: mode })});
      const client = { send: async () => ({}) };
      const item = { token: "SOL", id: "1", text: "{}" };
      if (usesQueue(settings)) await senderTo({ url: "q", client })([item], performance.now() + 10_000);
      const { cache } = createRequire(import.meta.url);
      console.log(Object.keys(cache).some((path) => path.includes("client-sqs")));
    `);
  assert.equal(loads("edge"), "false\n");
  assert.equal(loads("dual"), "true\n");
});

test("the line is one of JSON alone, as metric filters want it", () => {
  const line = printed(`
    import { handler } from "./dist/index.js";
    await handler({ derive: () => [] })({ headers: { authorization: "s3cret" }, body: "[]" });
  `);
  const { ms, ...report } = JSON.parse(line);
  assert.equal(typeof ms, "number");
  assert.deepEqual(report, {
    event: "edge-broadcast.publish",
    environment: "staging",
    mode: "percent",
    status: 200,
    transactions: 0,
    updates: 0,
    left_out: 0,
    underived: 0,
    lost: 0,
  });
});

test("what is no Helius is answered so, and what `derive` throws costs one transaction", async () => {
  Object.assign(process.env, ON, { USE_EDGE_BROADCAST: "false" });
  const { asked, client: mine } = client();
  const lines = [];
  const lambda = handler({
    derive: async (transaction) => {
      if (transaction.signature === "bad") throw new Error("no price");
      return transaction.prices?.map((price) => ({ token: "SOL", price }));
    },
    queue: { url: "https://sqs.example/1/prices", client: mine },
    log: (line) => lines.push(line),
  });
  const post = (body, authorization = "s3cret") => lambda({ headers: { authorization }, body: JSON.stringify(body) });
  assert.equal((await post([], "wrong")).statusCode, 401);
  assert.equal((await post({})).statusCode, 400);
  assert.equal(lines.length, 0);
  assert.deepEqual(await post([]), {
    statusCode: 200,
    headers: { "content-type": "application/json" },
    body: '{"updates":0,"left_out":0,"underived":0,"lost":0}',
  });
  const mixed = [{ signature: "bad" }, { signature: "good", prices: [1, 2] }, { signature: "none" }, 7];
  // The queue has two of it already, and would deliver them again
  assert.equal((await post(mixed)).body, '{"updates":2,"left_out":0,"underived":2,"lost":0}');
  assert.equal(asked.flat().length, 2);
  assert.equal((await post([{ signature: "bad" }])).statusCode, 503);
  assert.deepEqual(lines[1].problems, [
    { at: "derive", why: "Error: no price" },
    { at: "derive", why: "Error: an item of the body is no object" },
  ]);
});

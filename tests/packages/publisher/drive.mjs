// A team's file, in the place of Lambda: runs handlers as its input says, and prints what each answered and said.

import { handler } from "./bundle.mjs";

/** As many updates as the transaction has prices; what is no number becomes none, as a division by nothing does. */
function derive({ slot, timestamp, prices, clock }) {
  return prices.map(([token, n]) => ({
    type: "PRICE_UPDATE",
    token,
    n: n ?? Number.NaN,
    slot,
    timestamp: clock ? performance.now() : timestamp,
  }));
}

let input = "";
for await (const chunk of process.stdin) input += chunk;
const results = [];
for (const { environment, options, posts } of JSON.parse(input)) {
  for (const [name, value] of Object.entries(environment)) {
    if (value === null) delete process.env[name];
    else process.env[name] = value;
  }
  const reports = [];
  const lambda = handler({ derive, ...options, log: (report) => reports.push(report) });
  for (const transactions of posts) {
    const event = {
      headers: { authorization: process.env.HELIUS_AUTH_HEADER },
      body: Buffer.from(JSON.stringify(transactions)).toString("base64"),
      isBase64Encoded: true,
    };
    const { statusCode } = await lambda(event);
    results.push({ status: statusCode, ...reports.at(-1) });
  }
}
console.log(JSON.stringify(results));

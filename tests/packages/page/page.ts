// Shows the prices of the tokens that `<body data-tokens>` names, and how they come from the gateway at its `data-url`.

import { subscribe, type Gap, type Options } from "glow-broadcast-staging-client";
import { Row, set } from "./row.js";
import * as words from "./words.js";

/** Gaps that are listed; the rows count them all. */
const LISTED = 6;

const { tokens = "", url = "", aws } = document.body.dataset;
const rows = new Map(tokens.split(" ").map((token) => [token, new Row(token)]));
element("tokens").append(...[...rows.values()].map((row) => row.element));

const options: Options = {
  onUpdate(update, token) {
    rows.get(token)?.update(update);
    tell({ kind: "update", token, update });
  },
  onState(state, token) {
    const row = rows.get(token);
    if (row) row.state = state;
    tell({ kind: "state", token, state });
  },
  onGap(gap, token) {
    rows.get(token)?.gap(gap);
    list(token, gap);
    tell({ kind: "gap", token, gap });
  },
  url,
  ...(aws && { aws }),
};
const subscription = subscribe([...rows.keys()], options);
set(element("environment"), `from ${new URL(url).hostname}`);

/** Draws before the browser does, and once a second for what counts down. */
let asked = false;
function draw(): void {
  asked = false;
  const now = Date.now();
  for (const row of rows.values()) row.draw(now);
  const states = [...rows].map(([token, { state }]) => [token, state] as const);
  set(element("summary"), words.summary(states));
  set(element("spoken"), words.spoken(states));
  const { connected } = subscription.counters().migration;
  for (const via of ["ws", "poll", "aws"] as const) set(element(via), connected[via].toLocaleString("en-US"));
}

function soon(): void {
  if (!asked) requestAnimationFrame(draw);
  asked = true;
}

function list(token: string, gap: Gap): void {
  const item = document.createElement("li");
  const [time, name] = [document.createElement("time"), document.createElement("b")];
  const now = new Date();
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString("en-GB");
  name.textContent = token;
  item.append(time, name, words.gap(gap));
  const gaps = element("gaps");
  gaps.append(item);
  while (gaps.children.length > LISTED) gaps.firstElementChild?.remove();
  element("no-gaps").hidden = true;
}

/** What happens, for other scripts of the page. */
function tell(detail: object): void {
  soon();
  document.dispatchEvent(new CustomEvent("broadcast", { detail }));
}

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element \`${id}\``);
  return found;
}

setInterval(soon, 1000);
soon();

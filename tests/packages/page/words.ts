// What is told to a person: pure functions from what the client tells to text.

import type { Gap, State, Via } from "glow-broadcast-staging-client";

const VIA: Record<Via, string> = { ws: "Live", poll: "Live by polling", aws: "Live by the old system" };

/** Reasons of the server's that a person may meet; any other is shown as it is. */
const REASONS: Record<string, string> = {
  closed: "closed by this page",
  connect_rate: "too many connections in a short time",
  invalid_token: "there can be no such token",
  origin_not_allowed: "this site may not connect",
  origin_required: "this site may not connect",
  room_full: "the room is full",
  room_unavailable: "the room is restarting",
  too_many_connections: "too many connections from this address",
};

const GAPS: Record<Gap["reason"], string> = {
  missed: "away for longer than the room remembers: updates are missing",
  restarted: "the room began its numbering anew: updates may be missing",
  behind: "the room has lost updates that were shown here",
  stale: "an update came late, after a newer one, and was left out",
  poll: "from now on only the newest values come, by polling",
  aws: "from now on only the newest values come, from the old system",
};

/** What a state is called, in a word or two. */
export function title(state: State): string {
  switch (state.kind) {
    case "connecting":
      return "Connecting";
    case "open":
      return VIA[state.via];
    case "waiting":
      return "Waiting";
    case "ended":
      return "Ended";
  }
}

/** Why, and for how long: the line below the title; nothing where there is nothing to say. */
export function detail(state: State, now: number): string {
  switch (state.kind) {
    case "waiting":
      return [reason(state), `next try in ${seconds(state.retryAt - now)}`].filter(Boolean).join(", ");
    case "ended":
      return reason(state);
    default:
      return "";
  }
}

type Named = readonly (readonly [token: string, state: State])[];

export function summary(states: Named): string {
  const open = states.filter(([, { kind }]) => kind === "open").length;
  return open === states.length ? "All tokens live" : `${open} of ${states.length} tokens live`;
}

/** What is read aloud: the tokens of which nothing comes, and why; no count that changes every second, and nothing that is soon over. */
export function spoken(states: Named): string {
  const idle = states.flatMap(([token, state]) => (state.kind === "waiting" || state.kind === "ended" ? [{ token, state }] : []));
  return idle.map(({ token, state }) => [`${token}: ${title(state)}`, reason(state)].filter(Boolean).join(", ")).join(". ");
}

export function gap({ reason }: Gap): string {
  return GAPS[reason];
}

/** `connect_rate;retry=60` in words, with the close code for whoever asks for help. */
function reason({ code, reason = "" }: { code?: number; reason?: string }): string {
  const [name = ""] = reason.split(";");
  const words = REASONS[name] ?? name.replaceAll("_", " ");
  return [words, code && `(${code})`].filter(Boolean).join(" ");
}

function seconds(ms: number): string {
  return `${Math.max(0, Math.ceil(ms / 1000))} s`;
}

/** `$146.32`, and `$0.00002341`: as many digits as tell two prices apart. */
export function price(value: number): string {
  const digits = Math.abs(value) < 1 ? { maximumSignificantDigits: 4, minimumSignificantDigits: 4 } : { minimumFractionDigits: 2 };
  return value.toLocaleString("en-US", { style: "currency", currency: "USD", ...digits });
}

/** `+0.42 %`, against the first price that was shown. */
export function change(first: number, now: number): string {
  const percent = first === 0 ? 0 : (100 * (now - first)) / first;
  return `${percent.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "exceptZero" })} %`.replace("-", "−");
}

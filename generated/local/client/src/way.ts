// What all ways by which updates come have in common.

import type { Reply } from "./connection.ts";
import type { Host } from "./host.ts";
import type { Event, Position } from "./session.ts";
import type { State } from "./types.ts";

/** One token, as a way sees it. */
export interface Line {
  readonly token: string;
  readonly host: Host;
  /** The gateway's origin. */
  readonly url: string;
  /** What the session can resume from. */
  position(): Position | undefined;
  /** What came: the app is shown what it is to be shown. What is to be answered. */
  take(event: Event): Reply;
  /** What is happening to this way, and how many failures came before it. `open` is told by what it takes. */
  tell(state: State, failures: number): void;
}

/** Begins to bring a token's updates; what it returns ends that, and nothing is told after it. */
export type Way = (line: Line) => () => void;

// Generated from environments/production.toml: where this environment publishes, and how it shows who it is.

export type Mode = "sqs" | "percent" | "dual" | "edge";

/** The environment's name in its manifest. */
export const ENVIRONMENT: string = "production";

/** The origin of its gateway, `https://HOST`; the variable `EDGE_BROADCAST_URL` wins. */
export const URL_OF_GATEWAY: string = "https://broadcast.glow.trade";

/** Who gets updates while clients move over (`sst.migration.mode` of the manifest). */
export const MODE = "dual" as Mode;

/** The share of tokens, in hundredths, that go to the edge in the mode `percent`. */
export const PERCENT: number = 0;

/** How a publish shows who it is (`access.require_signature`). */
export const CREDENTIALS = "bearer" as "bearer" | "signature";

/** The largest update that the gateway takes, in bytes of JSON. */
export const MAX_MESSAGE_BYTES: number = 16384;

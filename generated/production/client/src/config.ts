// Generated from environments/production.toml: where this environment is, and what its room takes for one thing.

/** The environment's name in its manifest. */
export const ENVIRONMENT: string = "production";

/** The origin of its gateway, `https://HOST`. */
export const URL_OF_GATEWAY: string = "https://broadcast.glow.trade";

/** The members that make an update's key: updates whose values of these are equal are values of the same thing. */
export const KEY: readonly string[] = ["type"];

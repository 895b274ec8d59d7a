// Generated from environments/production.toml: the part of `sst.config.ts` that gives the webhook handler its secrets.
// Set them once: `sst secret set EdgeBroadcastUrl https://broadcast.glow.trade --stage production`, and
// `sst secret load FILE --stage production` with the line `EdgeBroadcastSecret=value` (others can read an argument list).

export const edgeBroadcastApp = "glow";
export const edgeBroadcastStage = "production";

export function edgeBroadcast() {
  const url = new sst.Secret("EdgeBroadcastUrl", "https://broadcast.glow.trade");
  const secret = new sst.Secret("EdgeBroadcastSecret");
  return {
    link: [url, secret],
    environment: {
      USE_EDGE_BROADCAST: "true",
      EDGE_BROADCAST_URL: url.value,
      EDGE_BROADCAST_SECRET: secret.value,
    },
  };
}

// Generated from environments/staging.toml: what the function that publishes is given in `sst.config.ts`, where
// `run` can import and the top of the file cannot:
//
//   const { edgeBroadcast } = await import("./generated/staging/sst/edge-broadcast");
//   new sst.aws.Function("HeliusPrice", edgeBroadcast({ handler: "source/webhooks/heliusPrice.handler", url: true }, { queue }));
//
// Its secrets are set from standard input, since others can read an argument list:
//
//   printf 'EdgeBroadcastSecret=%s\n' "$WEBHOOK_SECRET" | sst secret load /dev/stdin --stage staging
//   printf 'HeliusAuthHeader=%s\n' "$HELIUS_AUTH_HEADER" | sst secret load /dev/stdin --stage staging
//
// A sender "sst" in the manifest loads a new webhook secret the same way when it is rotated. Functions get it with `sst deploy`.

const APP: string = "glow";
const STAGE: string = "staging";

export interface Options {
  /** Where updates went before, and go while clients move over: the function may send to it, and learns its address. */
  readonly queue?: sst.aws.Queue;
}

let declared: ReturnType<typeof declare> | undefined;

function declare() {
  return {
    url: new sst.Secret("EdgeBroadcastUrl", "https://broadcast-staging.glow.trade"),
    secret: new sst.Secret("EdgeBroadcastSecret"),
    helius: new sst.Secret("HeliusAuthHeader"),
  };
}

/** The arguments of a function, and with them all that it needs to publish. A variable that they set themselves wins. */
export function edgeBroadcast(args: sst.aws.FunctionArgs, options: Options = {}): sst.aws.FunctionArgs {
  // What is published to another environment's rooms is shown to its clients
  if ($app.name !== APP || $app.stage !== STAGE) {
    throw new Error(`\`edgeBroadcast\` of ${APP} in the stage ${STAGE} is used by ${$app.name} in ${$app.stage}: import that stage's`);
  }
  // Several functions may publish, and an app has a secret of one name once
  const { url, secret, helius } = (declared ??= declare());
  const queues = options.queue === undefined ? [] : [options.queue];
  const variables: Record<string, $util.Input<string>> = {
    USE_EDGE_BROADCAST: "true",
    EDGE_BROADCAST_URL: url.value,
    EDGE_BROADCAST_SECRET: secret.value,
    HELIUS_AUTH_HEADER: helius.value,
  };
  for (const queue of queues) variables.EDGE_BROADCAST_QUEUE_URL = queue.url;
  return {
    ...args,
    link: $output(args.link ?? []).apply((own) => [...own, url, secret, helius, ...queues]),
    environment: $output(args.environment ?? {}).apply((own) => $output({ ...variables, ...own })),
  };
}

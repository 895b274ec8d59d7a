// The generated file with SST's own secrets and Pulumi's own outputs, and no engine behind them.
import * as pulumi from "@pulumi/pulumi";
import { Link } from "./.sst/platform/src/components/link.ts";
import { Secret } from "./.sst/platform/src/components/secret.ts";
import { edgeBroadcast } from "./generated/staging/sst/edge-broadcast.ts";

// As an engine would: a resource is made at once
pulumi.runtime.setMocks({ newResource: ({ name, inputs }) => ({ id: name, state: inputs }), call: () => ({}) }, "glow", "staging", false);
Object.assign(globalThis, { sst: { Secret }, $output: pulumi.output, $app: { name: "glow", stage: "staging" } });

/** What a function would be given. */
async function given(args, options) {
  const { link, environment, ...rest } = edgeBroadcast(args, options);
  const linked = await new Promise((done) => pulumi.output(link).apply((all) => done(all.map((one) => one.constructor.name + (one.__name ? ` ${one.__name}` : "")))));
  const variables = await new Promise((done) => pulumi.output(environment).apply(done));
  return { ...rest, link: linked, environment: variables };
}

async function run() {
  // Refuses two components of one name
  Link.reset();
  class Queue extends pulumi.ComponentResource { url = pulumi.output("https://sqs.example/prices"); }
  const [queue, other] = ["Prices", "Other"].map((name) => new Queue("sst:aws:Queue", name));
  const own = { USE_EDGE_BROADCAST: "false", REGION: pulumi.output("eu") };
  const answers = [
    await given({ handler: "a.handler" }),
    await given({ handler: "b.handler", memory: "1 GB", link: [other], environment: own }, { queue }),
  ];
  const refusal = (what) => {
    try {
      what();
    } catch (error) {
      answers.push(error.message);
    }
  };
  refusal(() => new Secret("EdgeBroadcastUrl"));
  $app.stage = "production";
  refusal(() => edgeBroadcast({ handler: "c.handler" }));
  console.log(JSON.stringify(answers));
}
pulumi.runtime.runInPulumiStack(run);

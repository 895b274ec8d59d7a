// Makes one module of React Native's own `WebSocket` and `URL`, from its npm package: what is native is left to the global
// `nativeSockets`. Arguments: the package's folder, and where the module goes.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const from = (folder) => createRequire(join(folder, "x.js"));
const { build } = from(process.env.NPM_MODULES)("esbuild");
const stripped = from(process.env.WORLD_MODULES)("flow-remove-types");
const [folder, outfile] = process.argv.slice(2);

const NATIVE = {
  NativeWebSocketModule: "export default globalThis.nativeSockets;",
  NativeEventEmitter: "export default class { addListener(type, heard) { return globalThis.nativeSockets.hear(type, heard); } }",
  NativeBlobModule: "export default null;",
  BlobManager: "export default { isAvailable: false };",
  Blob: "export default class Blob {}",
  Platform: "export default { OS: 'android' };",
};
/** Members that a class only declares, which React Native's Babel removes with their types. */
const DECLARED = /^  \w+: [^=()\n]*;$/gm;
const reactNative = {
  name: "react-native",
  setup(build) {
    const filter = new RegExp(`/(${Object.keys(NATIVE).join("|")})$`);
    build.onResolve({ filter }, ({ path }) => ({ path: path.split("/").pop(), namespace: "native" }));
    build.onLoad({ filter: /.*/, namespace: "native" }, ({ path }) => ({ contents: NATIVE[path] }));
    build.onLoad({ filter: /react-native-0.*\.js$/ }, ({ path }) => ({
      contents: stripped(readFileSync(path, "utf8").replace(DECLARED, ""), { all: true }).toString(),
    }));
  },
};
const contents = `
  import WebSocket from "./Libraries/WebSocket/WebSocket";
  import { URL } from "./Libraries/Blob/URL";
  globalThis.WebSocket = WebSocket.default ?? WebSocket;
  globalThis.URL = URL;
`;
await build({
  stdin: { contents, resolveDir: folder },
  bundle: true,
  format: "esm",
  platform: "neutral",
  mainFields: ["module", "main"],
  nodePaths: [process.env.WORLD_MODULES],
  plugins: [reactNative],
  outfile,
  logLevel: "warning",
});

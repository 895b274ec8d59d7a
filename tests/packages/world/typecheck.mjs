// Type-checks the programs of a fresh project under every way in which an app's compiler finds packages, and without the types of
// browsers. In one process, since each compiler of its own would read the libraries anew. Arguments: the project's folder, then for
// each setting its name and the compiler's options as JSON, with what else is declared. Prints what is wrong.
import { createRequire } from "node:module";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";

const ts = createRequire(join(process.env.NPM_MODULES, "x.js"))("typescript");
const [folder, settings] = process.argv.slice(2);
const files = readdirSync(folder).filter((name) => /\.tsx?$/.test(name)).map((name) => resolve(folder, name));
const libraries = new Map();

for (const [name, { declared, ...options }] of Object.entries(JSON.parse(settings))) {
  const { options: parsed, errors } = ts.convertCompilerOptionsFromJson({ strict: true, noEmit: true, skipLibCheck: false, ...options }, folder);
  const host = ts.createCompilerHost(parsed);
  const read = host.getSourceFile;
  host.getSourceFile = (file, version, ...more) => {
    if (!file.includes("/typescript/lib/")) return read(file, version, ...more);
    if (!libraries.has(file)) libraries.set(file, read(file, version, ...more));
    return libraries.get(file);
  };
  const program = ts.createProgram(declared ? [...files, declared] : files, parsed, host);
  for (const wrong of [...errors, ...ts.getPreEmitDiagnostics(program)]) {
    // What is declared elsewhere is not this project's
    if (declared && wrong.file?.fileName === declared) continue;
    const place = wrong.file ? `${wrong.file.fileName}: ` : "";
    console.log(`${name}: ${place}${ts.flattenDiagnosticMessageText(wrong.messageText, "\n")}`);
  }
}
console.log("checked");

// Prints what the compiler says of a project's own files, by its `tsconfig.json`: all that `tsc` says but of SST's own sources,
// which take it twice as long and are not ours.
const [, , typescript] = process.argv;
const ts = require(typescript);
const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (found) => { throw new Error(String(found.messageText)); } };
const config = ts.getParsedCommandLineOfConfigFile("tsconfig.json", {}, host);
const program = ts.createProgram({ rootNames: config.fileNames, options: config.options });
const own = program.getSourceFiles().filter(({ fileName }) => !/\/(\.sst|node_modules)\//.test(fileName));
const found = [
  ...config.errors,
  ...program.getOptionsDiagnostics(),
  ...program.getGlobalDiagnostics(),
  ...own.flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]),
];
const format = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => process.cwd(), getNewLine: () => "\n" };
process.stdout.write(ts.formatDiagnostics(found, format));

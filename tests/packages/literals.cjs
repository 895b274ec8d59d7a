// Of each TypeScript or JavaScript file that is named: what the compiler says of its syntax, the values of its texts, and all else of
// it as it stands, comments included. A text that reached into the rest would be seen there.
const [, , typescript, ...files] = process.argv;
const ts = require(typescript);
const read = files.map((file) => {
  const source = ts.sys.readFile(file);
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.ES2022, true);
  const values = [];
  let rest = "";
  let at = 0;
  const visit = (node) => {
    if (ts.isStringLiteral(node)) {
      values.push(node.text);
      rest += `${source.slice(at, node.getStart(tree))}TEXT`;
      at = node.end;
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  const wrong = tree.parseDiagnostics.map((found) => String(found.messageText));
  return [file, { wrong, values, rest: rest + source.slice(at) }];
});
process.stdout.write(JSON.stringify(Object.fromEntries(read)));

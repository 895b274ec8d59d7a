// Bindings by group: `objects/NAME` the namespaces, `1/NAME` those of the version with that number.
export default function (env) {
  const groups = { objects: {}, versions: {} };
  for (const [key, value] of Object.entries(env)) {
    const [group, name] = [key.slice(0, key.indexOf("/")), key.slice(key.indexOf("/") + 1)];
    if (group === "objects") groups.objects[name] = value;
    else (groups.versions[group] ??= {})[name] = value;
  }
  return groups;
}

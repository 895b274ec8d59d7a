// Durable Objects in jurisdictions, which this runtime refuses: a namespace within one has ids of its own for the same names. Apart from
// that it changes nothing, as there is no second place.
const KNOWN = ["eu", "us", "fedramp", "fedramp-high"];

function jurisdiction(where) {
  if (where === undefined || where === null) return this;
  if (!KNOWN.includes(where)) throw new TypeError(`Jurisdiction must be one of ${KNOWN.join(", ")}.`);
  const named = (name) => `${where}\0${name}`;
  return {
    get: (id, options) => this.get(id, options),
    getByName: (name, options) => this.getByName(named(name), options),
    idFromName: (name) => this.idFromName(named(name)),
    idFromString: (id) => this.idFromString(id),
    newUniqueId: () => this.newUniqueId(),
    jurisdiction() {
      throw new TypeError("This namespace is restricted to a jurisdiction already.");
    },
  };
}

export default function ({ namespace }) {
  Object.getPrototypeOf(namespace).jurisdiction = jurisdiction;
  return namespace;
}

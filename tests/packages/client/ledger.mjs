// What was published against what one client was shown: every update exactly once, in the order of its key, or a gap was told. Pure.

/**
 * What is wrong, in words; nothing where all is well.
 *
 * `published` are the updates of one room that were accepted, in order: `{ n, key }`, with numbers `n` that rise. `log` is what one
 * client was told, in order: `{ frame, show: n, key }`, or `{ frame, gap: reason }`, with the `n` that was left out where it is `stale`.
 * Entries of one `frame` came of one frame of the room's: a greeting is shown as a whole.
 */
export function violations(published, log) {
  return [...repeats(log), ...disorder(log), ...silentLosses(published, log)];
}

function repeats(log) {
  const seen = new Set();
  return log.flatMap(({ show }, at) => {
    if (show === undefined) return [];
    const again = seen.has(show);
    seen.add(show);
    return again ? [`entry ${at}: ${show} was shown again`] : [];
  });
}

function disorder(log) {
  const last = new Map();
  return log.flatMap(({ show, key }, at) => {
    if (show === undefined) return [];
    const before = last.get(key);
    last.set(key, show);
    return show < before ? [`entry ${at}: ${show} of ${key} was shown after ${before}`] : [];
  });
}

/** Of what was not shown, a gap is told before anything that came after it, and after all that came before it and was shown. */
function silentLosses(published, log) {
  const shown = new Set(log.map(({ show }) => show));
  const stale = new Set(log.filter(({ gap }) => gap === "stale").map(({ n }) => n));
  const lost = published.filter(({ n }) => !shown.has(n) && !stale.has(n));
  return lost.flatMap(({ n, key }) => {
    const later = log.findIndex(({ show }) => show > n);
    // What nothing came after yet may still come
    const fine = later === -1 || isTold(log, n, later);
    return fine ? [] : [`${n} of ${key} was neither shown nor told of, before entry ${later}`];
  });
}

function isTold(log, n, later) {
  /** The only frame with something older between here and `later`. */
  let older;
  for (let at = later - 1; at >= 0; at--) {
    const { frame, show, gap } = log[at];
    if (gap !== undefined && gap !== "stale" && (older ?? frame) === frame) return true;
    if (show < n && (older ?? frame) !== frame) return false;
    if (show < n) older = frame;
  }
  // A new client is told of no gap before its first frame
  return (older ?? log[0].frame) === log[0].frame;
}

// Rows keep their place while someone reads. While `holding`, rows known already are updated where they stand, vanished
// ones stay (marked gone), and unknown ones wait; the caller shows how many wait and lets them in.
export interface Steady<T> {
  rows: { key: string; row: T; gone: boolean }[];
  waiting: number;
}

export function steady<T>(shown: Steady<T>["rows"], latest: readonly T[], keyOf: (row: T) => string, holding: boolean): Steady<T> {
  const fresh = latest.map((row) => ({ key: keyOf(row), row, gone: false }));
  if (!holding || shown.length === 0) return { rows: fresh, waiting: 0 };
  // Another list altogether (a filter was chosen): nothing to hold on to.
  if (!fresh.some((entry) => shown.some((old) => old.key === entry.key))) return { rows: fresh, waiting: 0 };
  const byKey = new Map(fresh.map((entry) => [entry.key, entry]));
  const kept = shown.map((entry) => byKey.get(entry.key) ?? { ...entry, gone: true });
  const known = new Set(shown.map((entry) => entry.key));
  // Rows after the last one that is shown come from "load more": they may join at the end without moving anything.
  let lastKnown = -1;
  fresh.forEach((entry, index) => {
    if (known.has(entry.key)) lastKnown = index;
  });
  const tail = lastKnown >= 0 ? fresh.slice(lastKnown + 1) : [];
  const waiting = fresh.length - byKnown(fresh, known) - tail.length;
  return { rows: [...kept, ...tail], waiting };
}

function byKnown(rows: { key: string }[], known: Set<string>): number {
  return rows.filter((entry) => known.has(entry.key)).length;
}

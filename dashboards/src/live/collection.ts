// Joins hints and queries: a query names its topics in `meta.topics`; a hint fetches the shown ones again, at once, and each at most
// every `pause` ms; a query already under way is fetched once more after it, so that the last change is never missed. A costly query
// names in `meta.calmMs` how long it rests between two fetches.
import type { Query, QueryClient } from "@tanstack/react-query";
import type { LiveConnection } from "./connection";
import { TOPICS, type Topic } from "./topics";

export function topicsOf(query: Query): readonly Topic[] {
  return (query.meta?.["topics"] as readonly Topic[] | undefined) ?? [];
}

const BUSY_MS = 50;

export function followHints(live: LiveConnection, queries: QueryClient, site: () => string | null, pause = 400): () => void {
  const due = new Set<string>();
  const askedAt = new Map<string, number>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = () => {
    timer = undefined;
    let soonest = Infinity;
    for (const hash of [...due]) {
      const query = queries.getQueryCache().get(hash);
      if (!query) {
        due.delete(hash);
        askedAt.delete(hash);
        continue;
      }
      const calmMs = (query.meta?.["calmMs"] as number | undefined) ?? 0;
      const rests = Math.max((askedAt.get(hash) ?? 0) + pause, query.state.dataUpdatedAt + calmMs) - Date.now();
      const wait = query.state.fetchStatus === "fetching" ? Math.max(rests, BUSY_MS) : rests;
      if (wait > 0) {
        soonest = Math.min(soonest, wait);
        continue;
      }
      due.delete(hash);
      askedAt.set(hash, Date.now());
      void queries.invalidateQueries({ queryKey: query.queryKey, exact: true });
    }
    if (soonest < Infinity) timer = setTimeout(flush, soonest);
  };
  const ask = (hears: (query: Query) => boolean) => {
    const before = due.size;
    for (const query of queries.getQueryCache().getAll()) if (hears(query)) due.add(query.queryHash);
    if (due.size === before) return; // what was due already has its moment
    clearTimeout(timer);
    timer = setTimeout(flush, 0);
  };

  const unsubscribes = TOPICS.map((topic) =>
    live.subscribe(topic, (hint) => {
      const here = site();
      if (hint.site !== null && here !== null && hint.site !== here) return;
      ask((query) => topicsOf(query).includes(topic));
    }),
  );
  unsubscribes.push(live.subscribe("*", () => ask((query) => topicsOf(query).length > 0)));
  return () => {
    clearTimeout(timer);
    unsubscribes.forEach((stop) => stop());
  };
}

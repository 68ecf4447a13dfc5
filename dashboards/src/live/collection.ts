// Joins hints and queries: a query names its topics in `meta.topics`; a hint fetches the shown ones again, at most every
// `pause` ms, and a query already under way is fetched once more after it, so that the last change is never missed. A costly query names in `meta.calmMs` how long it rests between two fetches.
import type { Query, QueryClient } from "@tanstack/react-query";
import type { LiveConnection } from "./connection";
import { TOPICS, type Topic } from "./topics";

export function topicsOf(query: Query): readonly Topic[] {
  return (query.meta?.["topics"] as readonly Topic[] | undefined) ?? [];
}

export function followHints(live: LiveConnection, queries: QueryClient, site: () => string | null, pause = 400): () => void {
  const waiting = new Set<Topic>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let lastFlush = 0;

  const flush = () => {
    timer = undefined;
    lastFlush = Date.now();
    const due = new Set(waiting);
    waiting.clear();
    for (const query of queries.getQueryCache().getAll()) {
      const topics = topicsOf(query).filter((topic) => due.has(topic));
      if (topics.length === 0) continue;
      const calmMs = (query.meta?.["calmMs"] as number | undefined) ?? 0;
      if (query.state.fetchStatus === "fetching" || Date.now() - query.state.dataUpdatedAt < calmMs) topics.forEach((topic) => waiting.add(topic));
      else void queries.invalidateQueries({ queryKey: query.queryKey, exact: true });
    }
    if (waiting.size > 0) schedule();
  };
  const schedule = () => {
    timer ??= setTimeout(flush, Math.max(0, lastFlush + pause - Date.now()));
  };

  const unsubscribes = TOPICS.map((topic) =>
    live.subscribe(topic, (hint) => {
      const here = site();
      if (hint.site !== null && here !== null && hint.site !== here) return;
      waiting.add(topic);
      schedule();
    }),
  );
  unsubscribes.push(
    live.subscribe("*", () => {
      TOPICS.forEach((topic) => waiting.add(topic));
      schedule();
    }),
  );
  return () => {
    clearTimeout(timer);
    unsubscribes.forEach((stop) => stop());
  };
}

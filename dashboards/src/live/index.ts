// The application's one live connection and what a component may ask of it.
import { useEffect, useSyncExternalStore } from "react";
import { session } from "@/api/session";
import { chosenSite } from "@/api/site";
import { LiveConnection, type LiveState } from "./connection";
import { TOPICS, type Hint, type Topic } from "./topics";

const scheme = window.location.protocol === "https:" ? "wss" : "ws";
export const live = new LiveConnection({
  url: `${scheme}://${window.location.host}/api/v1/live`,
  topics: TOPICS,
  site: () => session.get()?.user.site_id ?? chosenSite.get(),
  onRefused: () => session.expire(),
});

export function useLiveState(): LiveState {
  return useSyncExternalStore(live.onState, () => live.state);
}

/** For the rare view that shows the event itself (a passage pulses); lists use `meta.topics` instead. */
export function useHints(topic: Topic, tell: (hint: Hint) => void): void {
  useEffect(() => live.subscribe(topic, tell), [topic, tell]);
}

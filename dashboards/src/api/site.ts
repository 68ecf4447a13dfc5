// Which site the screens show, for people who see several. Remembered on this browser.
import { useSyncExternalStore } from "react";

const KEY = "stowage.site";
const listeners = new Set<() => void>();
let current = localStorage.getItem(KEY);

export const chosenSite = {
  get: (): string | null => current,
  set(id: string | null): void {
    if (id === current) return;
    current = id;
    if (id) localStorage.setItem(KEY, id);
    else localStorage.removeItem(KEY);
    listeners.forEach((tell) => tell());
  },
  subscribe(tell: () => void): () => void {
    listeners.add(tell);
    return () => void listeners.delete(tell);
  },
};

export function useChosenSite(): string | null {
  return useSyncExternalStore(chosenSite.subscribe, chosenSite.get);
}

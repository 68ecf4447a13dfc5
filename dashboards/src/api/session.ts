// Who is logged in on this browser. The token lives in localStorage so that a reload keeps it; a 401 forgets it.
import { useSyncExternalStore } from "react";
import type { components } from "./schema";

export type SessionUser = components["schemas"]["User"];
export type Session = components["schemas"]["Session"];

const KEY = "stowage.session";
const listeners = new Set<() => void>();
let current: Session | null = read();
let ended = false;

function read(): Session | null {
  try {
    const text = localStorage.getItem(KEY);
    const stored = text ? (JSON.parse(text) as Session) : null;
    return stored && Date.parse(stored.expires_at) > Date.now() ? stored : null;
  } catch {
    return null;
  }
}

function change(next: Session | null): void {
  current = next;
  if (next) localStorage.setItem(KEY, JSON.stringify(next));
  else localStorage.removeItem(KEY);
  listeners.forEach((tell) => tell());
}

export const session = {
  get: (): Session | null => current,
  start(next: Session): void {
    ended = false;
    change(next);
  },
  /** The person asked to leave. */
  leave(): void {
    ended = false;
    change(null);
  },
  /** The backend no longer knows the token; the log-in page says so. */
  expire(): void {
    if (!current) return;
    ended = true;
    change(null);
  },
  wasExpired: (): boolean => ended,
  subscribe(tell: () => void): () => void {
    listeners.add(tell);
    return () => listeners.delete(tell);
  },
};

// Another tab logged in or out.
window.addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  current = read();
  listeners.forEach((tell) => tell());
});

export function useSession(): Session | null {
  return useSyncExternalStore(session.subscribe, session.get);
}

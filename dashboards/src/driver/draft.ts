// What is being made at a door, before it becomes an action: a phone that is locked, or a browser that is killed in the
// middle of a signature, comes back to it. Only what is small is kept; a photo is taken again.
import { useState } from "react";
import { NOTHING_YET, type HandOver } from "./handover";
import type { Signed } from "./Signature";

export interface Draft {
  screen: "goods" | "sign" | "refused" | "nobody_there";
  over: HandOver;
  name: string;
  signed: Signed | null;
}

const FRESH: Draft = { screen: "goods", over: NOTHING_YET, name: "", signed: null };
const keyOf = (stopId: string) => `stowage.driver.draft.${stopId}`;

function read(stopId: string): Draft {
  try {
    return { ...FRESH, ...(JSON.parse(localStorage.getItem(keyOf(stopId)) ?? "{}") as Partial<Draft>) };
  } catch {
    return FRESH;
  }
}

export function useDraft(stopId: string): [Draft, (change: Partial<Draft>) => void] {
  const [draft, setDraft] = useState(() => read(stopId));
  return [
    draft,
    (change) => setDraft((before) => {
      const next = { ...before, ...change };
      try {
        localStorage.setItem(keyOf(stopId), JSON.stringify(next));
      } catch {
        // A full phone keeps it for as long as the page lives.
      }
      return next;
    }),
  ];
}

export const forgetDraft = (stopId: string): void => localStorage.removeItem(keyOf(stopId));

// What the dispatcher has in hand: the selected route and job, what is under the pointer, what is being moved and where to.
// One small store: each component follows only the part it shows. Windows of the same browser follow each other's selection,
// so that map and timeline can stand on two monitors.
import { useSyncExternalStore } from "react";
import type { Job, Slots } from "@/data/dispatch";
import type { SlotTable, Target } from "./moves";

export interface Moving {
  job: Job;
  by: "pointer" | "keyboard";
  /** Where it comes from; null: a tray. */
  from: { routeId: string; stopId: string } | null;
  slots: { answer: Slots; table: SlotTable } | null;
  /** Why the slots could not be fetched. */
  problem: unknown;
  over: Target | "tray" | null;
}

export interface Stage {
  routeId: string | null;
  /** The route that the map moves to: the one somebody chose, not one that is only passed over. */
  fitId: string | null;
  jobId: string | null;
  /** Under the pointer, in any view. */
  nearJobId: string | null;
  moving: Moving | null;
  /** A job whose place is being pinned on the map, and where the pin stands. */
  pin: { job: Job; at: [number, number] | null } | null;
  /** Jobs chosen together, to come onto one van. */
  picked: readonly string[];
}

const EMPTY: Stage = { routeId: null, fitId: null, jobId: null, nearJobId: null, moving: null, pin: null, picked: [] };

let current: Stage = EMPTY;
const listeners = new Set<() => void>();
const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("stowage.dispatch");

function become(change: Partial<Stage>): void {
  const next = { ...current, ...change };
  if ((Object.keys(change) as (keyof Stage)[]).every((key) => current[key] === next[key])) return;
  current = next;
  listeners.forEach((tell) => tell());
}

export const stage = {
  get: (): Stage => current,
  become,
  select(routeId: string | null, jobId: string | null): void {
    become({ routeId, fitId: routeId, jobId });
    channel?.postMessage({ routeId, jobId });
  },
  /** Selected without the map going there: where something was dropped, one is looking already. */
  show(routeId: string | null, jobId: string | null): void {
    become({ routeId, jobId });
    channel?.postMessage({ routeId, jobId });
  },
  /** Under the pointer; while something is in hand, that is what counts. */
  near(jobId: string | null): void {
    if (!current.moving) become({ nearJobId: jobId });
  },
  pick(jobIds: readonly string[]): void {
    if (jobIds.length > 0 || current.picked.length > 0) become({ picked: jobIds });
  },
  /** One more, or one less. */
  pickAlso(jobId: string): void {
    const { picked } = current;
    become({ picked: picked.includes(jobId) ? picked.filter((one) => one !== jobId) : [...picked, jobId] });
  },
  reset(): void {
    become(EMPTY);
  },
  over(target: Target | "tray" | null): void {
    const { moving } = current;
    if (!moving || same(moving.over, target)) return;
    become({ moving: { ...moving, over: target }, ...(target && target !== "tray" ? { routeId: target.routeId } : {}) });
  },
  subscribe(tell: () => void): () => void {
    listeners.add(tell);
    return () => void listeners.delete(tell);
  },
};

function same(a: Moving["over"], b: Moving["over"]): boolean {
  if (a === b) return true;
  return a !== null && b !== null && a !== "tray" && b !== "tray" && a.routeId === b.routeId && a.position === b.position;
}

channel?.addEventListener("message", ({ data }: MessageEvent<{ routeId: string | null; jobId: string | null }>) => become({ routeId: data.routeId, jobId: data.jobId }));

/** A part of the stage. The selector must answer with something that stays the same while nothing it names changes. */
export function useStage<T>(select: (stage: Stage) => T): T {
  return useSyncExternalStore(stage.subscribe, () => select(current));
}

// What a customer reads out of a delivery's answer: which sentence, which times, how far. Pure.
import type { Tracking } from "@/data/tracking";

export const STEPS = ["planned", "on_the_way", "next", "over"] as const;
export type StepName = (typeof STEPS)[number];

/** How far along it is: the steps before this one are done. */
export function stepOf(state: Tracking["state"]): { at: StepName; ended: boolean } {
  switch (state) {
    case "planned":
      return { at: "planned", ended: false };
    case "on_the_way":
      return { at: "on_the_way", ended: false };
    case "next":
    case "arrived":
      return { at: "next", ended: false };
    case "delivered":
    case "partly_delivered":
      return { at: "over", ended: false };
    case "refused":
    case "nobody_there":
    case "cancelled":
      return { at: "over", ended: true };
  }
}

export interface Expected {
  from: string;
  until: string;
  /** Minutes from now to the middle of it, where that is soon enough to be said so. */
  minutes: number | null;
  /** The window that was agreed, where the arrival is not told yet. */
  isWindow: boolean;
}

const SOON_MIN = 90;

export function expected(tracking: Pick<Tracking, "eta_from" | "eta_until" | "window_from" | "window_until">, now: number): Expected {
  const { eta_from, eta_until, window_from, window_until } = tracking;
  if (!eta_from || !eta_until) return { from: window_from, until: window_until, minutes: null, isWindow: true };
  const minutes = Math.max(0, Math.round(((Date.parse(eta_from) + Date.parse(eta_until)) / 2 - now) / 60_000));
  // A span that has begun goes on from now: nobody waits for what is past.
  const from = Date.parse(eta_from) < now && now < Date.parse(eta_until) ? new Date(now).toISOString() : eta_from;
  return { from, until: eta_until, minutes: minutes <= SOON_MIN ? minutes : null, isWindow: false };
}

const EARTH_M = 6_371_000;

/** Metres between two places in a straight line. */
export function distance(a: { lat: number; lon: number }, b: { lat: number; lon: number }): number {
  const rad = Math.PI / 180;
  const x = (b.lon - a.lon) * rad * Math.cos(((a.lat + b.lat) / 2) * rad);
  const y = (b.lat - a.lat) * rad;
  return Math.hypot(x, y) * EARTH_M;
}

/** "800 m", "1.4 km": no more exact than it is. */
export function roughly(metres: number): string {
  return metres < 950 ? `${Math.max(50, Math.round(metres / 50) * 50)} m` : `${(metres / 1000).toFixed(metres < 10_000 ? 1 : 0)} km`;
}

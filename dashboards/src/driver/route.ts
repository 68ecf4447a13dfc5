// The driver's day as plain data: what the backend says, with what is pending on this phone laid over it, and what comes next.
// Pure; the screens draw it.
import type { DriverRoute, DriverStop, ManifestCarton } from "@/data/driver";
import type { Action } from "./outbox";

/** What is done before or after the stops, or at one of them. */
export type Step = "wait" | "load" | "drive" | "stop" | "home" | "unload" | "finished" | "broken_down";

export interface StopNow extends DriverStop {
  /** Done on this phone, on its way to the backend. */
  pending: boolean;
}

const AHEAD: ReadonlySet<DriverStop["state"]> = new Set(["planned", "arrived"]);

/** The stops in order, as they will be once everything pending has arrived. */
export function stopsNow(route: Pick<DriverRoute, "stops">, actions: readonly Action[]): StopNow[] {
  const byStop = new Map<string, Action[]>();
  for (const action of actions) if (action.stop_id) byStop.set(action.stop_id, [...(byStop.get(action.stop_id) ?? []), action]);
  return [...route.stops].sort((a, b) => a.position - b.position).map((stop) => {
    let state = stop.state;
    let pending = false;
    for (const action of byStop.get(stop.id) ?? []) {
      pending = true;
      if (action.kind === "arrive" && state === "planned") state = "arrived";
      if (action.kind === "deliver" || action.kind === "go_on") state = "done";
      if (action.kind === "fail") state = "failed";
    }
    return { ...stop, state, pending };
  });
}

/** Stops at which goods are taken over from the same vehicle: one visit, however many deliveries stand in it. */
export function takenOverWith<S extends Pick<DriverStop, "kind" | "lat" | "lon">>(stops: readonly S[], stop: S): S[] {
  return stop.kind === "take_over" ? stops.filter((one) => one.kind === "take_over" && one.lat === stop.lat && one.lon === stop.lon) : [];
}

export const isAhead = (stop: Pick<DriverStop, "state">): boolean => AHEAD.has(stop.state);

/** Where the driver is, else where the driver goes. */
export function nextStop(stops: readonly StopNow[]): StopNow | null {
  return stops.find((stop) => stop.state === "arrived") ?? stops.find(isAhead) ?? null;
}

export function stepOf(route: Pick<DriverRoute, "state">, stops: readonly StopNow[], actions: readonly Action[]): Step {
  const pending = (kind: Action["kind"]) => actions.some((action) => action.kind === kind);
  switch (route.state) {
    case "draft":
      return "wait";
    case "released":
    case "loading":
      if (!pending("depart")) return "load";
      break;
    case "under_way":
      if (pending("break_down")) return "broken_down";
      break;
    case "back":
      return pending("finish") ? "finished" : "unload";
    case "finished":
    case "cancelled":
      return "finished";
    case "broken_down":
      return "broken_down";
  }
  if (pending("finish")) return "finished";
  const next = nextStop(stops);
  if (!next) return "home";
  return next.state === "arrived" || isThere(stops, next) ? "stop" : "drive";
}

/** The vehicle that broke down was reached for another delivery in it. */
export const isThere = (stops: readonly StopNow[], stop: StopNow): boolean => takenOverWith(stops, stop).some((one) => one.state === "arrived" || one.state === "done");

export interface CartonNow extends ManifestCarton {
  pending: boolean;
}

/** The manifest in loading order, with the scans that are under way. */
export function cartonsNow(cartons: readonly ManifestCarton[], actions: readonly Action[], kind: "load" | "unload" | "take_over"): CartonNow[] {
  const codes = actions.filter((action) => action.kind === kind).map((action) => action.code ?? "");
  return cartons.map((carton) => ({ ...carton, pending: codes.some((code) => means(code, carton.sscc)) }));
}

/** Whether a scanned or typed code is this SSCC: with or without its application identifier, or its last digits. */
export function means(code: string, sscc: string): boolean {
  const plain = code.replace(/^\]C1/, "").replace(/[^0-9A-Za-z]/g, "");
  if (plain.length >= 18) return plain.endsWith(sscc);
  return plain.length >= 5 && sscc.endsWith(plain);
}

/** Typed digits as the whole code where exactly one carton ends so: nobody types eighteen of them. */
export function completed(typed: string, cartons: readonly Pick<ManifestCarton, "sscc">[]): string {
  const found = cartons.filter((carton) => means(typed, carton.sscc));
  return found.length === 1 && found[0] ? found[0].sscc : typed.trim();
}

/** What stands out to a driver who knew the route before: stops by their id, only those still ahead. */
export interface Change {
  added: StopNow[];
  /** Ids of stops that are no longer theirs. */
  removed: string[];
  moved: StopNow[];
}

export function changeOf(known: readonly string[], stops: readonly StopNow[]): Change | null {
  const ahead = stops.filter(isAhead);
  const now = new Set(stops.map((stop) => stop.id));
  const before = new Set(known);
  const added = ahead.filter((stop) => !before.has(stop.id));
  const removed = known.filter((id) => !now.has(id));
  // The order of those that stayed: what is not in the longest run that kept its order has moved.
  const stayed = ahead.filter((stop) => before.has(stop.id));
  const kept = new Set(longestRising(stayed.map((stop) => known.indexOf(stop.id))));
  const moved = stayed.filter((_, n) => !kept.has(n));
  return added.length + removed.length + moved.length > 0 ? { added, removed, moved } : null;
}

/** The places (indices) of a longest rising subsequence. */
function longestRising(values: readonly number[]): number[] {
  const best: number[][] = [];
  values.forEach((value, n) => {
    const before = best.filter((run) => (values[run[run.length - 1] ?? -1] ?? Infinity) < value);
    const longest = before.reduce<number[]>((a, b) => (b.length > a.length ? b : a), []);
    best.push([...longest, n]);
  });
  return best.reduce((a, b) => (b.length > a.length ? b : a), []);
}

/** Minutes past the window's end at the time now foreseen; 0 where it holds. */
export const lateMinutes = (stop: Pick<DriverStop, "late_s">): number => Math.max(0, Math.round((stop.late_s ?? 0) / 60));

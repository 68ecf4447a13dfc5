// What a move does to the board, before the backend has answered and after. Pure: the board is never changed, a new one is
// made, and routes that stay the same stay the same objects (so that nothing else is drawn again).
import type { Board, Job, Route, Slot, Stop } from "@/data/dispatch";

export interface Target {
  routeId: string;
  /** It becomes the stop at this position, from 1, counted without itself. */
  position: number;
}

export type Verdict = "best" | "good" | "late" | "forbidden";

/** What a slot means for the promises: forbidden ones cannot be taken, late ones only on purpose. */
export function verdictOf(slot: Slot): Verdict {
  if (slot.violations.some((broken) => !broken.allowed_anyway)) return "forbidden";
  if (slot.violations.length > 0 || slot.late.length > 0) return "late";
  return slot.best ? "best" : "good";
}

export type SlotTable = ReadonlyMap<string, ReadonlyMap<number, Slot>>;

export function tableOf(slots: readonly Slot[]): SlotTable {
  const table = new Map<string, Map<number, Slot>>();
  for (const slot of slots) {
    const route = table.get(slot.route_id) ?? new Map<number, Slot>();
    table.set(slot.route_id, route.set(slot.position, slot));
  }
  return table;
}

/** Where a job is now. */
export function placeOf(board: Board, jobId: string): { route: Route; stop: Stop } | null {
  for (const route of board.routes) {
    const stop = route.stops.find((one) => one.job?.id === jobId && one.kind !== "take_over") ?? route.stops.find((one) => one.job?.id === jobId);
    if (stop) return { route, stop };
  }
  return null;
}

export function jobOf(board: Board, jobId: string): Job | null {
  const { trays } = board;
  return placeOf(board, jobId)?.stop.job ?? [...trays.unplanned, ...trays.review, ...trays.unroutable].find((job) => job.id === jobId) ?? null;
}

/** The stops a position is counted among: all but the one that moves. */
export function others(route: Route, jobId: string): Stop[] {
  return route.stops.filter((stop) => stop.job?.id !== jobId);
}

/** A stop that has begun cannot move, and nothing can be put before it. */
export const isFixed = (stop: Stop): boolean => stop.state !== "planned";

export function canMove(route: Route, stop: Stop): boolean {
  if (stop.kind !== "delivery" || isFixed(stop)) return false;
  return route.state === "draft" || route.state === "released" || route.state === "under_way";
}

/** What a job needs and its vehicle does not list; once it is aboard, nobody asks any more. */
export function lackingFor(route: Route, job: Job): string[] {
  return job.state === "planned" || job.state === "released" ? job.skills.filter((skill) => !route.vehicle.skills.includes(skill)) : [];
}

const renumbered = (stops: Stop[]): Stop[] => stops.map((stop, index) => (stop.position === index + 1 ? stop : { ...stop, position: index + 1 }));

const withLoad = (route: Route, job: Job, sign: 1 | -1): Route["load"] => ({
  weight_g: route.load.weight_g + sign * job.weight_g,
  volume_ml: route.load.volume_ml + sign * job.volume_ml,
  cartons: route.load.cartons + sign * job.cartons,
});

function withoutJobInTrays(board: Board, jobId: string): Board["trays"] {
  const { unplanned, review, unroutable } = board.trays;
  const cut = (jobs: Job[]) => (jobs.some((job) => job.id === jobId) ? jobs.filter((job) => job.id !== jobId) : jobs);
  return { unplanned: cut(unplanned), review: cut(review), unroutable: cut(unroutable) };
}

/** The board as it will be, as far as one can tell: order and load are certain, times are the slot's or shifted by it. */
export function moved(board: Board, job: Job, { routeId, position }: Target, slot?: Slot): Board {
  const from = placeOf(board, job.id);
  const routes = board.routes.map((route) => {
    const leaves = from?.route.id === route.id;
    const arrives = route.id === routeId;
    if (!leaves && !arrives) return route;
    let stops = others(route, job.id);
    let load = leaves ? withLoad(route, job, -1) : route.load;
    if (arrives) {
      const before = stops[position - 2];
      const arrival = slot?.arrival_at ?? before?.planned_leave_at ?? route.starts_at;
      const leave = new Date(Math.max(Date.parse(arrival), Date.parse(job.window_from)) + job.service_s * 1000).toISOString();
      const later = Math.max(0, slot?.extra_s ?? job.service_s) * 1000;
      const stop: Stop = {
        id: from?.stop.id ?? `new:${job.id}`, kind: "delivery", state: "planned", locked: false, job, position,
        planned_arrival_at: arrival, planned_start_at: arrival, planned_leave_at: leave,
        eta_at: null, late_s: 0, arrived_at: null, left_at: null, done_at: null, leg_m: 0, leg_s: 0, lat: null, lon: null,
      };
      const push = (text: string) => new Date(Date.parse(text) + later).toISOString();
      const tail = leaves ? stops.slice(position - 1) : stops.slice(position - 1).map((one) => ({
        ...one, planned_arrival_at: push(one.planned_arrival_at), planned_start_at: push(one.planned_start_at), planned_leave_at: push(one.planned_leave_at),
      }));
      stops = [...stops.slice(0, position - 1), stop, ...tail];
      load = withLoad({ ...route, load }, job, 1);
    }
    return { ...route, stops: renumbered(stops), load };
  });
  return { ...board, routes, trays: withoutJobInTrays(board, job.id) };
}

/** The backend's answer on the board: its routes replace ours, and a job of theirs stands in no tray. */
export function settled(board: Board, changed: readonly Route[], job?: Job | null): Board {
  const by = new Map(changed.map((route) => [route.id, route]));
  const routes = [...board.routes.map((route) => by.get(route.id) ?? route), ...changed.filter((route) => route.day === board.day && !board.routes.some((known) => known.id === route.id))];
  let trays = board.trays;
  for (const route of changed) for (const stop of route.stops) if (stop.job) trays = withoutJobInTrays({ ...board, trays }, stop.job.id);
  if (job && job.route_id === null && (job.state === "ready" || job.state === "to_review")) {
    trays = withoutJobInTrays({ ...board, trays }, job.id);
    if (job.state === "to_review") trays = { ...trays, review: [job, ...trays.review] };
    else if (job.reason === "no_road" || job.reason === "too_far_from_road") trays = { ...trays, unroutable: [job, ...trays.unroutable] };
    else trays = { ...trays, unplanned: [job, ...trays.unplanned] };
  }
  return { ...board, routes, trays };
}

/** Back in the tray, before the answer. */
export function takenOff(board: Board, job: Job): Board {
  const routes = board.routes.map((route) => {
    const stops = others(route, job.id);
    return stops.length === route.stops.length ? route : { ...route, stops: renumbered(stops), load: withLoad(route, job, -1) };
  });
  return { ...board, routes, trays: { ...withoutJobInTrays(board, job.id), unplanned: [{ ...job, route_id: null, stop_id: null }, ...board.trays.unplanned.filter((one) => one.id !== job.id)] } };
}

/** Which position a point in time means on a route: before the first stop whose middle is later. */
export function positionAt(stops: readonly { from: number; until: number }[], at: number): number {
  let position = 1;
  for (const stop of stops) {
    if (at < (stop.from + stop.until) / 2) break;
    position += 1;
  }
  return position;
}

/** The slot nearest to a wished position on a route: not every position is open (a stop that is done, a break). */
export function nearest(slots: ReadonlyMap<number, Slot> | undefined, position: number): Slot | null {
  let found: Slot | null = null;
  for (const slot of slots?.values() ?? []) {
    if (!found || Math.abs(slot.position - position) < Math.abs(found.position - position)) found = slot;
  }
  return found;
}

/** Is the job already there? Then dropping changes nothing. */
export function isSamePlace(board: Board, jobId: string, { routeId, position }: Target): boolean {
  const place = placeOf(board, jobId);
  return place?.route.id === routeId && place.route.stops.indexOf(place.stop) === position - 1;
}

export interface Tally {
  routes: number;
  stops: number;
  done: number;
  late: number;
  waiting: number;
  km: number;
}

export const isLate = (stop: Stop): boolean => stop.late_s > 0 && stop.kind === "delivery";

export function tallyOf(board: Board): Tally {
  const tally: Tally = { routes: 0, stops: 0, done: 0, late: 0, waiting: board.trays.unplanned.length + board.trays.review.length + board.trays.unroutable.length, km: 0 };
  for (const route of board.routes) {
    if (route.state === "cancelled") continue;
    tally.routes += 1;
    tally.km += route.distance_m / 1000;
    for (const stop of route.stops) {
      if (stop.kind !== "delivery" && stop.kind !== "take_over") continue;
      tally.stops += 1;
      if (stop.state === "done" || stop.state === "failed") tally.done += 1;
      if (isLate(stop) && stop.state !== "done") tally.late += 1;
    }
  }
  return tally;
}

/** What somebody else changed, for the one who comes second: route by route in two lists. */
export interface Clash {
  route: string;
  gone: string[];
  come: string[];
  reordered: boolean;
}

export function clashesOf(before: Board, after: Board): Clash[] {
  const old = new Map(before.routes.map((route) => [route.id, route]));
  return after.routes.flatMap((route) => {
    const known = old.get(route.id);
    if (known?.version === route.version) return [];
    const name = (stop: Stop) => stop.job?.customer_name ?? "";
    const was = (known?.stops ?? []).filter((stop) => stop.job), is = route.stops.filter((stop) => stop.job);
    const wasIds = was.map((stop) => stop.job?.id), isIds = is.map((stop) => stop.job?.id);
    const gone = was.filter((stop) => !isIds.includes(stop.job?.id)).map(name);
    const come = is.filter((stop) => !wasIds.includes(stop.job?.id)).map(name);
    const reordered = gone.length === 0 && come.length === 0 && wasIds.join() !== isIds.join();
    return gone.length > 0 || come.length > 0 || reordered ? [{ route: route.vehicle.code, gone, come, reordered }] : [];
  });
}

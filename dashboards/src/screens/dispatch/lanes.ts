// The timeline's arithmetic: which hours a day shows, where a moment stands, and what a vehicle does when. A day of work may
// span midnight; hours are those of the site's zone. Pure.
import type { Board, Route, Stop } from "@/data/dispatch";

export const MINUTE = 60_000;
export const HOUR = 3_600_000;

export interface Span {
  from: number;
  until: number;
}

const ms = (text: string): number => Date.parse(text);

const offsets = new Map<string, number>();
const formats = new Map<string, Intl.DateTimeFormat>();

/** Minutes that the zone is ahead of UTC at a moment. Zones change at full quarters: that is how finely it is remembered. */
export function offsetMin(at: number, zone: string): number {
  const quarter = Math.floor(at / (15 * MINUTE));
  const key = `${zone}|${quarter}`;
  let found = offsets.get(key);
  if (found === undefined) {
    found = askOffset(quarter * 15 * MINUTE, zone);
    if (offsets.size > 5000) offsets.clear();
    offsets.set(key, found);
  }
  return found;
}

function askOffset(at: number, zone: string): number {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    formats.set(zone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(at).map((part) => [part.type, Number(part.value)]));
  const local = Date.UTC(parts["year"] ?? 1970, (parts["month"] ?? 1) - 1, parts["day"] ?? 1, parts["hour"] ?? 0, parts["minute"] ?? 0);
  return Math.round((local - at) / MINUTE);
}

/** The moment at which a calendar day has this hour in the zone. */
export function momentOf(day: string, hour: number, zone: string): number {
  const naive = Date.parse(`${day}T00:00:00Z`) + hour * HOUR;
  const guess = naive - offsetMin(naive, zone) * MINUTE;
  return naive - offsetMin(guess, zone) * MINUTE;
}

/** "14:05" in the zone. */
export function hourOf(at: number, zone: string): string {
  return new Date(at + offsetMin(at, zone) * MINUTE).toISOString().slice(11, 16);
}

/** The calendar day in the zone, as YYYY-MM-DD. */
export function dayIn(zone: string, at: number): string {
  return new Date(at + offsetMin(at, zone) * MINUTE).toISOString().slice(0, 10);
}

export function dayAfter(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * 24 * HOUR).toISOString().slice(0, 10);
}

/** When a stop happens, as far as is known now: what was, else what is foreseen, else the plan. */
export interface Times {
  arrive: number;
  start: number;
  leave: number;
}

export function timesOf(stop: Stop): Times {
  const planned = { arrive: ms(stop.planned_arrival_at), start: ms(stop.planned_start_at), leave: ms(stop.planned_leave_at) };
  if (!stop.arrived_at && !stop.eta_at && !stop.done_at) return planned;
  const arrive = stop.arrived_at ? ms(stop.arrived_at) : stop.eta_at ? ms(stop.eta_at) : planned.arrive;
  const start = Math.max(arrive, stop.job && !stop.arrived_at ? ms(stop.job.window_from) : arrive);
  const gone = stop.left_at ?? stop.done_at;
  const leave = gone ? ms(gone) : start + (planned.leave - planned.start);
  return { arrive, start: Math.min(start, leave), leave };
}

export function spanOf(board: Board, zone: string): Span {
  let from = Infinity, until = -Infinity;
  const see = (a: number, b: number) => {
    if (a < from) from = a;
    if (b > until) until = b;
  };
  for (const route of board.routes) {
    if (route.state === "cancelled") continue;
    see(ms(route.shift.starts_at), ms(route.shift.ends_at));
    see(ms(route.starts_at), ms(route.ends_at));
    const last = route.stops.at(-1);
    if (last) see(from, timesOf(last).leave);
  }
  for (const shift of board.free_shifts) see(ms(shift.starts_at), ms(shift.ends_at));
  if (from > until) return { from: momentOf(board.day, 6, zone), until: momentOf(board.day, 20, zone) };
  const pad = 15 * MINUTE;
  return { from: Math.floor((from - pad) / (30 * MINUTE)) * 30 * MINUTE, until: Math.ceil((until + pad) / (30 * MINUTE)) * 30 * MINUTE };
}

export interface Tick {
  at: number;
  /** The day that begins here, where one does. */
  day: string | null;
}

/** Full hours of the zone, as many as have room. */
export function ticksOf({ from, until }: Span, zone: string, everyHours: number): Tick[] {
  const ticks: Tick[] = [];
  const offset = offsetMin(from, zone) * MINUTE;
  for (let at = Math.ceil((from + offset) / HOUR) * HOUR - offset; at <= until; at += HOUR) {
    const hour = ((Math.round((at + offsetMin(at, zone) * MINUTE) / HOUR) % 24) + 24) % 24;
    if (hour % everyHours === 0) ticks.push({ at, day: hour === 0 ? dayIn(zone, at) : null });
  }
  return ticks;
}

export type Piece =
  | { kind: "drive" | "wait"; from: number; until: number; key: string }
  | { kind: "stop"; from: number; until: number; key: string; stop: Stop; number: number };

/** What the vehicle does from its start to its end, without gaps: drive, wait, stop, drive ... */
export function piecesOf(route: Route): Piece[] {
  const pieces: Piece[] = [];
  let free = route.departed_at ? ms(route.departed_at) : ms(route.starts_at);
  let number = 0;
  for (const stop of route.stops) {
    if (stop.state === "skipped") continue;
    if (stop.kind === "delivery" || stop.kind === "take_over") number += 1;
    const { arrive, start, leave } = timesOf(stop);
    if (arrive > free) pieces.push({ kind: "drive", from: free, until: arrive, key: `d${stop.id}` });
    if (start > arrive + 30_000) pieces.push({ kind: "wait", from: arrive, until: start, key: `w${stop.id}` });
    pieces.push({ kind: "stop", from: start, until: Math.max(leave, start), key: stop.id, stop, number });
    free = Math.max(leave, start);
  }
  const end = route.eta_back_at ? ms(route.eta_back_at) : ms(route.ends_at);
  if (route.stops.length > 0 && end > free) pieces.push({ kind: "drive", from: free, until: end, key: "home" });
  return pieces;
}

/** A stop's number among the deliveries of its route: breaks do not count. */
export function numbersOf(route: Route): Map<string, number> {
  let number = 0;
  return new Map(route.stops.map((stop) => [stop.id, stop.kind === "delivery" || stop.kind === "take_over" ? (number += 1) : 0]));
}

/** How late the live times make a stop against its window, in seconds; 0 where it is in time. */
export function latenessOf(stop: Stop): number {
  return stop.kind === "delivery" || stop.kind === "take_over" ? Math.max(0, stop.late_s) : 0;
}

// The way a van was seen to drive: in pieces where it was heard, and where it was at a moment. Pure.
import type { BoardVehicle, Route, Stop, TrackPoint } from "@/data/dispatch";

/** Silent for longer than this, nobody knows which way it took. As the backend's. */
export const GAP_MS = 2 * 60_000;

const ms = (point: { at: string }): number => Date.parse(point.at);

/** Split where nothing was heard: no line leads over a gap. */
export function piecesOf(driven: readonly TrackPoint[]): TrackPoint[][] {
  const pieces: TrackPoint[][] = [];
  for (const point of driven) {
    const last = pieces.at(-1);
    if (!last || point.after_gap) pieces.push([point]);
    else last.push(point);
  }
  return pieces;
}

/** What came live since the track was asked for goes on at its end. */
export function extended(driven: readonly TrackPoint[], came: readonly TrackPoint[]): readonly TrackPoint[] {
  const last = driven.at(-1);
  const newer = came.filter((point) => !last || ms(point) > ms(last));
  if (newer.length === 0) return driven;
  return [...driven, ...newer.map((point, index) => {
    const before = newer[index - 1] ?? last;
    return { ...point, after_gap: before !== undefined && ms(point) - ms(before) > GAP_MS };
  })];
}

export const pointOfVehicle = ({ at, lat, lon, speed_kmh }: BoardVehicle): TrackPoint => ({ at, lat, lon, speed_kmh, after_gap: false });

export interface Whereabouts {
  lon: number;
  lat: number;
  speed_kmh: number | null;
  /** Nothing was heard between these two moments: it stands where it was seen last. */
  silent: { from: string; until: string } | null;
}

export function whereAt(driven: readonly TrackPoint[], at: number): Whereabouts | null {
  const first = driven[0];
  if (!first) return null;
  const next = driven.findIndex((point) => ms(point) > at);
  const before = next < 0 ? driven.at(-1) : driven[next - 1];
  if (!before) return { lon: first.lon, lat: first.lat, speed_kmh: first.speed_kmh, silent: null };
  const after = next < 0 ? undefined : driven[next];
  const here = { lon: before.lon, lat: before.lat, speed_kmh: before.speed_kmh };
  if (!after) return { ...here, silent: null };
  if (after.after_gap) return { ...here, speed_kmh: null, silent: ms(before) === at ? null : { from: before.at, until: after.at } };
  const share = (at - ms(before)) / (ms(after) - ms(before));
  return { lon: before.lon + share * (after.lon - before.lon), lat: before.lat + share * (after.lat - before.lat), speed_kmh: before.speed_kmh, silent: null };
}

/** The stop it stood at then. */
export function stopAt(route: Route, at: number): Stop | null {
  return route.stops.find((stop) => {
    const until = stop.left_at ?? stop.done_at;
    return stop.job !== null && stop.arrived_at !== null && Date.parse(stop.arrived_at) <= at && (until === null || at <= Date.parse(until));
  }) ?? null;
}

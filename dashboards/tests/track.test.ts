import { expect, test } from "vitest";
import type { Route, TrackPoint } from "@/data/dispatch";
import { extended, piecesOf, stopAt, whereAt } from "@/screens/dispatch/track";

const at = (clock: string) => `2026-11-23T${clock}+02:00`;
const ms = (clock: string) => Date.parse(at(clock));
const seen = (clock: string, lon: number, more: Partial<TrackPoint> = {}): TrackPoint => ({ at: at(clock), lat: 60, lon, speed_kmh: 30, after_gap: false, ...more });
const drive = [seen("10:00:00", 24), seen("10:10:00", 24.1), seen("10:20:00", 24.4, { after_gap: true }), seen("10:30:00", 24.5)];

test("a gap is no line", () => {
  expect(piecesOf(drive).map((piece) => piece.map((point) => point.lon))).toEqual([[24, 24.1], [24.4, 24.5]]);
  expect(piecesOf([])).toEqual([]);
});

test("where it was between two points is as far as the time had come", () => {
  expect(whereAt(drive, ms("10:05:00"))?.lon).toBeCloseTo(24.05);
  expect(whereAt(drive, ms("10:05:00"))?.silent).toBeNull();
  expect(whereAt(drive, ms("10:10:00"))).toMatchObject({ lon: 24.1, silent: null });
  expect(whereAt(drive, ms("09:00:00"))).toMatchObject({ lon: 24, silent: null });
  expect(whereAt(drive, ms("11:00:00"))).toMatchObject({ lon: 24.5, silent: null });
  expect(whereAt([], ms("10:00:00"))).toBeNull();
});

test("in a gap it stands where it was seen last, and for how long nobody knew is said", () => {
  expect(whereAt(drive, ms("10:15:00"))).toEqual({ lon: 24.1, lat: 60, speed_kmh: null, silent: { from: at("10:10:00"), until: at("10:20:00") } });
});

test("what comes live goes on at the end, once, and after a silence it begins anew", () => {
  const more = extended(drive, [seen("10:29:00", 1), seen("10:30:00", 24.5), seen("10:31:00", 24.6), seen("10:40:00", 24.9)]);
  expect(more.map((point) => [point.lon, point.after_gap])).toEqual([[24, false], [24.1, false], [24.4, true], [24.5, false], [24.6, false], [24.9, true]]);
  expect(extended(drive, [seen("10:29:00", 1)])).toBe(drive);
  expect(extended([], [seen("10:31:00", 24.6)])).toEqual([seen("10:31:00", 24.6)]);
});

test("at a stop from its arrival until it left", () => {
  const stop = (id: string, arrived: string | null, left: string | null) => ({ id, job: { id }, arrived_at: arrived && at(arrived), left_at: left && at(left), done_at: null });
  const route = { stops: [stop("a", "10:05:00", "10:08:00"), stop("b", "10:20:00", null), stop("c", null, null)] } as unknown as Route;
  expect([ms("10:04:00"), ms("10:06:00"), ms("10:09:00"), ms("11:00:00")].map((moment) => stopAt(route, moment)?.id ?? null)).toEqual([null, "a", null, "b"]);
});

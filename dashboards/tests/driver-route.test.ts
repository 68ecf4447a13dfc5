import { expect, test } from "vitest";
import type { DriverCarton, DriverStop } from "@/data/driver";
import { aboard, cartonOf, complete, keep, linesOf, NOTHING_YET, scan, stateOf, toggle } from "@/driver/handover";
import { linkTo, usualApp } from "@/driver/navigate";
import type { Action } from "@/driver/outbox";
import { scaled } from "@/driver/photo";
import { changeOf, completed, means, nextStop, stepOf, stopsNow } from "@/driver/route";
import { addDays, momentAt, spanAt, weekOf } from "@/screens/settings/shiftTimes";
import { distance, expected, roughly, stepOf as trackStep } from "@/tracking/when";

const stop = (id: string, position: number, state: DriverStop["state"] = "planned", kind: DriverStop["kind"] = "delivery") =>
  ({ id, position, state, kind, late_s: 0, job: null }) as unknown as DriverStop;
const action = (kind: Action["kind"], stop_id?: string) => ({ id: kind, kind, user_id: "dan", route_id: "R", stop_id, made_at: 0, n: 1 }) as Action;
const carton = (sscc: string, contents: [sku: string, aboard: string][] = [["TEA", "12"]], where: DriverCarton["where"] = "aboard") =>
  ({ carton_id: sscc, sscc, weight_g: null, where, aboard_of: null, contents: contents.map(([sku, quantity]) => ({ item_id: sku, sku, name: sku, unit: "each", lot: null, serial: null, quantity, aboard: quantity, delivered: "0" })) }) as DriverCarton;

const A = "064123450000000012", B = "064123450000000029";

test("the next stop is where the van stands, else the first that is ahead, with what is pending laid over", () => {
  const route = { stops: [stop("b", 2), stop("a", 1), stop("c", 3)] };
  expect(nextStop(stopsNow(route, []))?.id).toBe("a");
  expect(nextStop(stopsNow(route, [action("deliver", "a")]))?.id).toBe("b");
  expect(nextStop(stopsNow({ stops: [stop("a", 1), stop("b", 2, "arrived")] }, []))?.id).toBe("b");
  expect(stopsNow(route, [action("arrive", "a"), action("fail", "a")])[0]).toMatchObject({ state: "failed", pending: true });
});

test("a break that the driver ended is over on this phone", () => {
  const route = { stops: [stop("rest", 1, "arrived", "break"), stop("a", 2)] };
  expect(nextStop(stopsNow(route, []))?.id).toBe("rest");
  expect(nextStop(stopsNow(route, [action("go_on", "rest")]))?.id).toBe("a");
});

test.each([
  ["released", [stop("a", 1)], [], "load"],
  ["loading", [stop("a", 1)], [action("depart")], "drive"],
  ["under_way", [stop("a", 1)], [], "drive"],
  ["under_way", [stop("a", 1)], [action("arrive", "a")], "stop"],
  ["under_way", [stop("a", 1)], [action("deliver", "a")], "home"],
  ["back", [stop("a", 1, "done")], [], "unload"],
  ["back", [stop("a", 1, "done")], [action("finish")], "finished"],
  ["broken_down", [stop("a", 1)], [], "broken_down"],
] as const)("a route that is %s comes to its step", (state, stops, actions, step) => {
  expect(stepOf({ state }, stopsNow({ stops: [...stops] }, actions), actions)).toBe(step);
});

test("a changed route names what is new, gone and moved, and as few as explain it", () => {
  const now = (...ids: string[]) => stopsNow({ stops: ids.map((id, n) => stop(id, n + 1)) }, []);
  expect(changeOf(["a", "b", "c"], now("a", "b", "c"))).toBeNull();
  const moved = changeOf(["a", "b", "c", "d"], now("d", "a", "b", "c"));
  expect(moved?.moved.map((one) => one.id)).toEqual(["d"]);
  const mixed = changeOf(["a", "b", "c"], now("a", "x", "c"));
  expect([mixed?.added.map((one) => one.id), mixed?.removed, mixed?.moved]).toEqual([["x"], ["b"], []]);
  // What is behind does not concern the driver any more.
  expect(changeOf(["a", "b"], stopsNow({ stops: [stop("b", 1, "done"), stop("a", 2)] }, []))).toBeNull();
});

test("a code means a carton with its identifiers or by its last digits, never by a few", () => {
  expect(means(`]C100${A}`, A)).toBe(true);
  expect(means(`(00)${A}`, A)).toBe(true);
  expect(means("000012", A)).toBe(true);
  expect(means("0012", A)).toBe(false);
  expect(means(B, A)).toBe(false);
  expect(completed("000029", [{ sscc: A }, { sscc: B }])).toBe(B);
  expect(completed("00000", [{ sscc: `${A}` }, { sscc: B }])).toBe("00000");
});

test("everything is handed over, some pieces kept, or a whole carton, and the lines say so", () => {
  const cartons = [carton(A), carton(B, [["TEA", "12"], ["MILK", "1.5"]])];
  let over = scan(NOTHING_YET, A);
  expect(complete(cartons, over)).toBe(false);
  over = keep(over, cartons[1] as DriverCarton, "damaged", { 0: "5" });
  expect(complete(cartons, over)).toBe(true);
  expect(stateOf(cartons[1] as DriverCarton, over)).toBe("partly");
  expect(linesOf(cartons, over)).toEqual([
    { sscc: A, delivered: "all", reason: "" },
    { sscc: B, delivered: [{ item_id: "TEA", lot: null, serial: null, quantity: "7" }, { item_id: "MILK", lot: null, serial: null, quantity: "1.5" }], reason: "damaged" },
  ]);
  over = keep(over, cartons[1] as DriverCarton, "not_wanted", { 0: "12", 1: "1.5" });
  expect(linesOf(cartons, over)[1]).toEqual({ sscc: B, delivered: "none", reason: "not_wanted" });
  over = toggle(over, B);
  expect(stateOf(cartons[1] as DriverCarton, over)).toBe("todo");
  expect(keep(over, cartons[0] as DriverCarton, "damaged", { 0: "0" }).kept).toEqual({});
});

test("only what is aboard can be handed over, and another stop's carton is none of it", () => {
  const all = [carton(A), carton(B, [["TEA", "1"]], "at_depot")];
  expect(aboard(all).map((one) => one.sscc)).toEqual([A]);
  expect(cartonOf(`00${B}`, aboard(all))).toBeNull();
});

test("navigation apps get an address each of them understands", () => {
  const there = { lat: 60.1686, lon: 24.9428, label: "Anna & Co" };
  expect(linkTo("geo", there)).toBe("geo:60.168600,24.942800?q=60.168600,24.942800(Anna%20%26%20Co)");
  expect(linkTo("apple", there)).toContain("daddr=60.168600,24.942800");
  expect(linkTo("osm", there)).toContain("route=%3B60.168600,24.942800");
  expect([usualApp("Mozilla/5.0 (Linux; Android 14)"), usualApp("Mozilla/5.0 (iPhone; CPU)"), usualApp("X11; Linux")]).toEqual(["geo", "apple", "osm"]);
});

test("a photo keeps its shape and becomes no larger than needed", () => {
  expect(scaled(4000, 3000)).toEqual({ width: 1280, height: 960 });
  expect(scaled(600, 800)).toEqual({ width: 600, height: 800 });
});

test("a customer reads the arrival while it is told, else what was agreed", () => {
  const window = { window_from: "2026-11-22T10:00:00Z", window_until: "2026-11-22T14:00:00Z" };
  const now = Date.parse("2026-11-22T11:00:00Z");
  expect(expected({ ...window, eta_from: null, eta_until: null }, now)).toMatchObject({ from: window.window_from, isWindow: true, minutes: null });
  expect(expected({ ...window, eta_from: "2026-11-22T11:10:00Z", eta_until: "2026-11-22T11:30:00Z" }, now)).toMatchObject({ isWindow: false, minutes: 20 });
  expect(expected({ ...window, eta_from: "2026-11-22T10:55:00Z", eta_until: "2026-11-22T11:25:00Z" }, now)).toMatchObject({ from: "2026-11-22T11:00:00.000Z", minutes: 10 });
  expect(expected({ ...window, eta_from: "2026-11-22T13:10:00Z", eta_until: "2026-11-22T13:30:00Z" }, now).minutes).toBeNull();
  expect([trackStep("arrived").at, trackStep("refused")]).toEqual(["next", { at: "over", ended: true }]);
});

test("a distance is told no more exactly than it is", () => {
  const metres = distance({ lat: 60.1686, lon: 24.9428 }, { lat: 60.1876, lon: 24.958 });
  expect(metres).toBeGreaterThan(2200);
  expect(metres).toBeLessThan(2300);
  expect([roughly(12), roughly(430), roughly(metres), roughly(23_400)]).toEqual(["50 m", "450 m", "2.3 km", "23 km"]);
});

test("shifts are told by the wall clock of the site, also over the change of the clocks", () => {
  expect(momentAt("2026-11-22", "08:00", "Europe/Helsinki")).toBe("2026-11-22T06:00:00.000Z");
  expect(momentAt("2026-07-01", "08:00", "Europe/Helsinki")).toBe("2026-07-01T05:00:00.000Z");
  expect(momentAt("2026-03-29", "06:00", "Europe/Helsinki")).toBe("2026-03-29T03:00:00.000Z"); // the day summer time begins
  expect(spanAt("2026-11-22", "20:00", "04:00", "Asia/Shanghai")).toEqual(["2026-11-22T12:00:00.000Z", "2026-11-22T20:00:00.000Z"]);
  expect(weekOf("2026-11-22")).toEqual(["2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21", "2026-11-22"]);
  expect(addDays("2026-12-31", 1)).toBe("2027-01-01");
});

import { expect, test } from "vitest";
import type { Board, Job, Route, Slot, Stop } from "@/data/dispatch";
import { boundsOf } from "@/map/fit";
import { lookOf, looksOf, markOf, nameOf } from "@/map/marks";
import { dayAfter, dayIn, hourOf, latenessOf, momentOf, numbersOf, offsetMin, piecesOf, spanOf, ticksOf, timesOf } from "@/screens/dispatch/lanes";
import { canMove, clashesOf, isSamePlace, lackingFor, moved, nearest, placeOf, positionAt, settled, tableOf, takenOff, tallyOf, verdictOf } from "@/screens/dispatch/moves";

const ZONE = "Europe/Helsinki";
const clock = (text: string) => `2026-11-23T${text}:00+02:00`;

function job(id: string, more: Partial<Job> = {}): Job {
  return {
    id, number: `DJ-${id}`, order_id: `o${id}`, order_number: `WEB-${id}`, attempt: 1, previous_id: null, state: "planned", customer_name: `Customer ${id}`,
    phone: "", address: "", note: "", lat: 60.17, lon: 24.94, located_by: "map", located_as: "", window_from: clock("08:00"), window_until: clock("12:00"),
    service_s: 600, weight_g: 1000, volume_ml: 5000, cartons: 2, skills: [], priority: 5, reason: null, detail: "", goods_on_route_id: null,
    promised_from: null, promised_until: null, route_id: null, route_number: null, stop_id: null, created_at: clock("07:00"), finished_at: null, version: 1, ...more,
  } as Job;
}

function stop(of: Job | null, at: string, more: Partial<Stop> = {}): Stop {
  const start = Date.parse(clock(at));
  return {
    id: `s${of?.id ?? at}`, position: 1, kind: of ? "delivery" : "break", state: "planned", locked: false, job: of,
    planned_arrival_at: clock(at), planned_start_at: clock(at), planned_leave_at: new Date(start + 600_000).toISOString(),
    eta_at: null, late_s: 0, arrived_at: null, left_at: null, done_at: null, leg_m: 100, leg_s: 60, lat: null, lon: null, ...more,
  };
}

function route(id: string, stops: Stop[], more: Partial<Route> = {}): Route {
  return {
    id, number: `RT-${id}`, state: "draft", day: "2026-11-23", locked: false, version: 1, depot_id: "d", shipment_id: null,
    vehicle: { id: `v${id}`, code: `VAN-${id}`, plate: "", max_weight_g: 10_000, max_volume_ml: 50_000, max_cartons: 10, skills: [] }, driver: null,
    shift: { id: `h${id}`, vehicle_id: `v${id}`, vehicle_code: `VAN-${id}`, driver_id: null, driver_name: null, starts_at: clock("08:00"), ends_at: clock("16:00"), break_s: 0, break_from: null, break_until: null, cancelled_at: null, version: 1 },
    starts_at: clock("08:30"), ends_at: clock("11:00"), distance_m: 5000, drive_s: 900, geometry: null, estimated: false,
    load: { weight_g: stops.length * 1000, volume_ml: stops.length * 5000, cartons: stops.length * 2 }, late_s: 0, eta_back_at: null, released_at: null, departed_at: null,
    stops: stops.map((one, index) => ({ ...one, position: index + 1 })), ...more,
  } as Route;
}

function board(routes: Route[], trays: Partial<Board["trays"]> = {}): Board {
  return { day: "2026-11-23", now: clock("08:00"), depots: [], routes, trays: { unplanned: [], review: [], unroutable: [], ...trays }, vehicles: [], free_shifts: [] };
}

const slot = (route_id: string, position: number, more: Partial<Slot> = {}): Slot => ({
  route_id, position, arrival_at: clock("09:00"), extra_m: 1200, extra_s: 360, extra_cents: 100, late: [], violations: [], best: false, ...more,
});

const [a, b, c, d] = [job("a"), job("b"), job("c"), job("d")];
const two = () => board([route("1", [stop(a, "09:00"), stop(b, "09:30"), stop(c, "10:00")]), route("2", [stop(d, "09:00")])]);
const order = (of: Board, id: string) => of.routes.find((one) => one.id === id)?.stops.map((one) => one.job?.id);

test("a stop moved to another vehicle leaves one list and joins the other at the place", () => {
  const after = moved(two(), b, { routeId: "2", position: 1 }, slot("2", 1));
  expect(order(after, "1")).toEqual(["a", "c"]);
  expect(order(after, "2")).toEqual(["b", "d"]);
  expect(after.routes.map((one) => one.load.cartons)).toEqual([4, 4]);
  expect(after.routes.flatMap((one) => one.stops.map((at) => at.position))).toEqual([1, 2, 1, 2]);
});

test("a stop moved within its route is counted without itself", () => {
  const after = moved(two(), a, { routeId: "1", position: 3 });
  expect(order(after, "1")).toEqual(["b", "c", "a"]);
  expect(after.routes[0]?.load).toEqual(two().routes[0]?.load);
});

test("routes that a move does not touch stay the same objects", () => {
  const before = two();
  const after = moved(before, b, { routeId: "1", position: 1 });
  expect(after.routes[1]).toBe(before.routes[1]);
  expect(before).toEqual(two());
});

test("a job from the tray leaves it, and a job taken off comes back to it", () => {
  const waiting = job("w", { state: "ready" });
  const on = moved(board([route("1", [])], { unplanned: [waiting] }), waiting, { routeId: "1", position: 1 });
  expect(on.trays.unplanned).toEqual([]);
  expect(order(on, "1")).toEqual(["w"]);
  const off = takenOff(two(), b);
  expect(off.trays.unplanned.map((one) => one.id)).toEqual(["b"]);
  expect(order(off, "1")).toEqual(["a", "c"]);
});

test("the backend's routes replace ours, and what they carry stands in no tray", () => {
  const waiting = job("w", { state: "ready" });
  const truth = route("1", [stop(waiting, "09:10")], { version: 2 });
  const after = settled(board([route("1", []), route("2", [])], { unplanned: [waiting, c] }), [truth]);
  expect(after.routes[0]).toBe(truth);
  expect(after.trays.unplanned.map((one) => one.id)).toEqual(["c"]);
});

test("a job that nobody can drive to comes back into the tray it belongs to", () => {
  const far = job("f", { state: "ready", reason: "too_far_from_road", route_id: null });
  expect(settled(board([]), [], far).trays.unroutable.map((one) => one.id)).toEqual(["f"]);
});

test("a slot is forbidden where a vehicle cannot, late where a promise breaks, else good", () => {
  expect(verdictOf(slot("1", 1, { best: true }))).toBe("best");
  expect(verdictOf(slot("1", 1))).toBe("good");
  expect(verdictOf(slot("1", 1, { violations: [{ kind: "outside_window", detail: "", allowed_anyway: true }] }))).toBe("late");
  expect(verdictOf(slot("1", 1, { violations: [{ kind: "outside_window", detail: "", allowed_anyway: true }, { kind: "over_capacity", detail: "", allowed_anyway: false }] }))).toBe("forbidden");
});

test("what a vehicle does not list is missing until the goods are aboard", () => {
  const milk = job("m", { state: "planned", skills: ["chilled", "lift"] });
  const cool = { ...route("1", []), vehicle: { ...route("1", []).vehicle, skills: ["chilled"] } };
  expect(lackingFor(cool, milk)).toEqual(["lift"]);
  expect(lackingFor(cool, { ...milk, state: "aboard" })).toEqual([]);
});

test("a wish for a place that is not open finds the nearest that is", () => {
  const table = tableOf([slot("1", 2), slot("1", 4), slot("2", 1)]);
  expect(nearest(table.get("1"), 1)?.position).toBe(2);
  expect(nearest(table.get("1"), 9)?.position).toBe(4);
  expect(nearest(table.get("9"), 1)).toBeNull();
});

test("a moment on the axis is the place before the first stop whose middle is later", () => {
  const spans = [{ from: 10, until: 20 }, { from: 30, until: 40 }];
  expect([0, 14, 16, 34, 36, 99].map((at) => positionAt(spans, at))).toEqual([1, 1, 2, 2, 3, 3]);
});

test("dropping a stop where it stands changes nothing", () => {
  expect(isSamePlace(two(), "b", { routeId: "1", position: 2 })).toBe(true);
  expect(isSamePlace(two(), "b", { routeId: "1", position: 3 })).toBe(false);
  expect(placeOf(two(), "d")?.route.id).toBe("2");
});

test("what is done stays where it is", () => {
  const done = route("1", [stop(a, "09:00", { state: "done" }), stop(b, "09:30")], { state: "under_way" });
  expect(done.stops.map((one) => canMove(done, one))).toEqual([false, true]);
  expect(canMove({ ...done, state: "finished" }, done.stops[1] ?? stop(b, "09:30"))).toBe(false);
});

test("who comes second reads what the first changed, route by route", () => {
  const before = two();
  const after = settled(before, [route("1", [stop(a, "09:00"), stop(c, "10:00")], { version: 2 }), route("2", [stop(d, "09:00"), stop(b, "09:30")], { version: 2 })]);
  expect(clashesOf(before, after)).toEqual([
    { route: "VAN-1", gone: ["Customer b"], come: [], reordered: false },
    { route: "VAN-2", gone: [], come: ["Customer b"], reordered: false },
  ]);
});

test("the figures count what is late and not done, and leave out what is cancelled", () => {
  const some = board([route("1", [stop(a, "09:00", { late_s: 60 }), stop(b, "09:30", { late_s: 60, state: "done" })]), route("2", [stop(c, "10:00")], { state: "cancelled" })], { review: [d] });
  expect(tallyOf(some)).toMatchObject({ routes: 1, stops: 2, done: 1, late: 1, waiting: 1 });
});

test("hours are those of the zone, also where it changes its clocks", () => {
  expect(offsetMin(Date.parse("2026-11-23T10:00:00Z"), ZONE)).toBe(120);
  expect(offsetMin(Date.parse("2026-07-01T10:00:00Z"), ZONE)).toBe(180);
  expect(hourOf(Date.parse("2026-11-23T10:05:00Z"), ZONE)).toBe("12:05");
  expect(hourOf(Date.parse("2026-11-23T10:05:00Z"), "Asia/Kathmandu")).toBe("15:50");
  expect(dayIn(ZONE, Date.parse("2026-11-22T22:30:00Z"))).toBe("2026-11-23");
  expect(dayAfter("2026-02-28", 1)).toBe("2026-03-01");
  // The night of 25 October 2026: the clock goes back at 4 in the morning.
  expect(momentOf("2026-10-25", 12, ZONE)).toBe(Date.parse("2026-10-25T10:00:00Z"));
});

test("a day of work that goes past midnight shows the day that begins", () => {
  const night = route("1", [stop(a, "22:00"), stop(b, "22:30", { planned_leave_at: "2026-11-24T00:40:00+02:00" })], {
    shift: { ...route("1", []).shift, starts_at: clock("20:00"), ends_at: "2026-11-24T04:00:00+02:00" }, starts_at: clock("21:00"), ends_at: "2026-11-24T01:00:00+02:00",
  });
  const span = spanOf(board([night]), ZONE);
  expect(span.from).toBe(Date.parse(clock("19:30")));
  expect(span.until).toBe(Date.parse("2026-11-24T04:30:00+02:00"));
  const ticks = ticksOf(span, ZONE, 1);
  expect(ticks).toHaveLength(9);
  expect(ticks.filter((tick) => tick.day)).toEqual([{ at: Date.parse("2026-11-24T00:00:00+02:00"), day: "2026-11-24" }]);
});

test("hours of a zone with a half hour are its own full hours", () => {
  const span = { from: Date.parse("2026-11-23T02:00:00Z"), until: Date.parse("2026-11-23T05:00:00Z") };
  expect(ticksOf(span, "Asia/Kolkata", 1).map((tick) => hourOf(tick.at, "Asia/Kolkata"))).toEqual(["08:00", "09:00", "10:00"]);
});

test("a vehicle drives, waits and stands without gaps", () => {
  const waits = stop(b, "09:30", { planned_start_at: clock("09:40"), planned_leave_at: clock("09:50") });
  const pieces = piecesOf(route("1", [stop(a, "09:00"), waits]));
  expect(pieces.map((piece) => piece.kind)).toEqual(["drive", "stop", "drive", "wait", "stop", "drive"]);
  pieces.slice(1).forEach((piece, index) => expect(piece.from).toBe(pieces[index]?.until));
});

test("what is foreseen moves the block, what was done stands where it was", () => {
  expect(timesOf(stop(a, "09:00", { eta_at: clock("09:20") })).leave).toBe(Date.parse(clock("09:30")));
  expect(timesOf(stop(a, "07:00", { eta_at: clock("07:00") })).start).toBe(Date.parse(clock("08:00")));
  expect(timesOf(stop(a, "09:00", { state: "done", arrived_at: clock("09:05"), left_at: clock("09:08") }))).toEqual({ arrive: Date.parse(clock("09:05")), start: Date.parse(clock("09:05")), leave: Date.parse(clock("09:08")) });
});

test("breaks are not counted among the deliveries and are never late", () => {
  const rest = stop(null, "09:30", { late_s: 500 });
  expect([...numbersOf(route("1", [stop(a, "09:00"), rest, stop(b, "10:00")])).values()]).toEqual([1, 0, 2]);
  expect(latenessOf(rest)).toBe(0);
});

test("forty vehicles look different, and each looks the same tomorrow", () => {
  expect(new Set(Array.from({ length: 40 }, (_, n) => JSON.stringify(lookOf(n)))).size).toBe(40);
  expect(looksOf(["VAN-10", "VAN-2", "VAN-1"]).get("VAN-2")).toEqual(lookOf(1));
  const mark = { kind: "stop", shape: "hexagon", colour: "--route-3", state: "late" } as const;
  expect(markOf(nameOf(mark))).toEqual(mark);
  expect(markOf("something else")).toBeNull();
});

test("a box around one point still shows a few streets", () => {
  const [w, s, e, n] = boundsOf([[24.94, 60.17], null]) ?? [0, 0, 0, 0];
  expect(e - w).toBeGreaterThan(0.003);
  expect(n - s).toBeGreaterThan(0.001);
  expect(boundsOf([null, undefined])).toBeNull();
});

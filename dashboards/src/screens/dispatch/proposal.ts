// A proposed plan drawn as if it were the board, so that map, timeline and lists show it before it is accepted. Pure.
import type { Board, Plan, Route, Stop } from "@/data/dispatch";
import { jobOf } from "./moves";

export function proposed(board: Board, plan: Plan): Board {
  const { proposal } = plan;
  if (!proposal) return board;
  const replaced = new Set(proposal.routes.map((route) => route.route_id));
  const shifts = new Map([...board.routes.map((route) => route.shift), ...board.free_shifts].map((shift) => [shift.id, shift]));
  const vehicles = new Map(board.routes.map((route) => [route.vehicle.id, route.vehicle]));
  const used = new Set<string>();
  const routes = proposal.routes.flatMap((one): Route[] => {
    const known = board.routes.find((route) => route.id === one.route_id);
    const shift = known?.shift ?? shifts.get(one.shift_id);
    if (!shift) return [];
    used.add(shift.id);
    const stops = one.stops.map((stop, index): Stop => ({
      id: `proposed:${one.vehicle_id}:${index}`, position: index + 1, kind: stop.kind, state: "planned", locked: false,
      job: stop.job_id ? jobOf(board, stop.job_id) : null,
      planned_arrival_at: stop.arrival_at, planned_start_at: stop.start_at, planned_leave_at: stop.leave_at,
      eta_at: null, late_s: stop.late_s, arrived_at: null, left_at: null, done_at: null, leg_m: stop.leg_m, leg_s: stop.leg_s, lat: stop.lat, lon: stop.lon,
    }));
    const jobs = stops.flatMap((stop) => (stop.job ? [stop.job] : []));
    const sum = (of: "weight_g" | "volume_ml" | "cartons") => jobs.reduce((all, job) => all + job[of], 0);
    return [{
      ...(known ?? {
        locked: false, version: 0, state: "draft" as const, day: board.day, depot_id: board.depots[0]?.id ?? "", shipment_id: null, eta_back_at: null,
        late_s: 0, released_at: null, departed_at: null, driver: shift.driver_id ? { id: shift.driver_id, name: shift.driver_name ?? "" } : null,
      }),
      id: one.route_id ?? `proposed:${one.vehicle_id}:${one.shift_id}`,
      number: one.route_number ?? known?.number ?? "",
      vehicle: vehicles.get(one.vehicle_id) ?? { id: one.vehicle_id, code: one.code, plate: "", max_weight_g: Infinity, max_volume_ml: Infinity, max_cartons: Infinity, skills: [...new Set(jobs.flatMap((job) => job.skills))] },
      shift, starts_at: one.starts_at, ends_at: one.ends_at, distance_m: one.distance_m, drive_s: one.drive_s,
      geometry: one.geometry, estimated: one.estimated, stops,
      load: { weight_g: sum("weight_g"), volume_ml: sum("volume_ml"), cartons: sum("cartons") },
    }];
  });
  const planned = new Set(routes.flatMap((route) => route.stops.map((stop) => stop.job?.id)));
  const left = new Map(proposal.unserved.map((one) => [one.job_id, one]));
  const unplanned = [...board.trays.unplanned, ...board.routes.flatMap((route) => route.stops.flatMap((stop) => (stop.job ? [stop.job] : [])))]
    .filter((job, index, all) => !planned.has(job.id) && (left.has(job.id) || index < board.trays.unplanned.length) && all.findIndex((other) => other.id === job.id) === index)
    .map((job) => ({ ...job, reason: left.get(job.id)?.reason ?? job.reason, detail: left.get(job.id)?.detail ?? job.detail }));
  return {
    ...board,
    routes: [...board.routes.filter((route) => !replaced.has(route.id)), ...routes],
    trays: { ...board.trays, unplanned },
    free_shifts: board.free_shifts.filter((shift) => !used.has(shift.id)),
  };
}

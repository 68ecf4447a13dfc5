// The dispatcher's day: the board, its trays, plans, and every way of changing a route. A change answers with the routes as
// they are now; `settle` puts them on the board at once, the live hint brings the rest.
import type { QueryClient } from "@tanstack/react-query";
import { api, ask } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { live } from "./queries";

type Schemas = components["schemas"];
export type Board = Schemas["DeliveryBoard"];
export type Route = Schemas["DeliveryRoute"];
export type RouteState = Route["state"];
export type Stop = Schemas["RouteStop"];
export type Job = Schemas["DeliveryJob"];
export type JobDetail = Schemas["DeliveryJobDetail"];
export type BoardVehicle = Schemas["BoardVehicle"];
export type Slot = Schemas["JobSlot"];
export type Slots = Schemas["JobSlots"];
export type Plan = Schemas["DeliveryPlan"];
export type PlanProposal = Schemas["PlanProposal"];
export type ProposedRoute = Schemas["ProposedRoute"];
export type Changed = Schemas["ChangedRoutes"];
export type Shift = Schemas["VehicleShift"];
export type TrackPoint = Schemas["TrackPoint"];

const key = (day: string) => ["delivery-board", day] as const;

export const boardQuery = (day: string) => ({
  ...live(["deliveries"], key(day), () => ask(api.GET("/api/v1/delivery-board", { params: { query: { day } } }))),
  meta: { topics: ["deliveries"], calmMs: 800 },
  staleTime: 2_000,
});

/** Only where the vehicles are: asked for with every position, the board is not. */
export const vehiclesQuery = {
  ...live(["positions"], ["delivery-positions"], () => ask(api.GET("/api/v1/delivery-positions"))),
  meta: { topics: ["positions"], calmMs: 1_000 },
};

export const jobQuery = (id: string) =>
  live(["deliveries"], ["delivery-job", id], () => ask(api.GET("/api/v1/delivery-jobs/{delivery_job_id}", { params: { path: { delivery_job_id: id } } })));

export const routeQuery = (id: string) =>
  live(["deliveries"], ["delivery-route", id], () => ask(api.GET("/api/v1/delivery-routes/{route_id}", { params: { path: { route_id: id } } })));

/** As planned and as driven. What comes in between is prolonged from the positions, not asked for with each of them. */
export const trackQuery = (route_id: string, state: RouteState) => ({
  ...live([], ["vehicle-track", route_id, state], () => ask(api.GET("/api/v1/vehicle-tracks", { params: { query: { route_id } } }))),
  staleTime: 30_000,
  refetchInterval: state === "under_way" ? 60_000 : (false as const),
});

export const slotsOf = (jobId: string, day: string, signal?: AbortSignal) =>
  ask(api.GET("/api/v1/delivery-jobs/{delivery_job_id}/slots", { params: { path: { delivery_job_id: jobId }, query: { day } }, signal }));
export const slotsQuery = (jobId: string, day: string) => live(["deliveries"], ["delivery-slots", jobId, day], () => slotsOf(jobId, day));

export interface Move {
  job_id: string;
  route_id: string;
  position: number;
  version: number;
  from_version: number | null;
  anyway: boolean;
}

export const moveStop = ({ route_id, ...body }: Move, header: Key) =>
  ask(api.POST("/api/v1/delivery-routes/{route_id}/stops", { params: { path: { route_id }, header }, body }));
export const assignStops = ({ id, ...body }: Schemas["AssignStops"] & { id: string }, header: Key) =>
  ask(api.POST("/api/v1/delivery-routes/{route_id}/assign", { params: { path: { route_id: id }, header }, body }));
export const takeOff = ({ route_id, stop_id, version }: { route_id: string; stop_id: string; version: number }, header: Key) =>
  ask(api.DELETE("/api/v1/delivery-routes/{route_id}/stops/{stop_id}", { params: { path: { route_id, stop_id }, query: { version }, header } }));
export const lockRoute = ({ id, ...body }: { id: string; locked: boolean; version: number }, header: Key) =>
  ask(api.POST("/api/v1/delivery-routes/{route_id}/lock", { params: { path: { route_id: id }, header }, body }));
export const lockStop = ({ id, locked }: { id: string; locked: boolean }, header: Key) =>
  ask(api.POST("/api/v1/delivery-stops/{stop_id}/lock", { params: { path: { stop_id: id }, header }, body: { locked } }));
export const release = ({ id, version }: { id: string; version: number }, header: Key) =>
  ask(api.POST("/api/v1/delivery-routes/{route_id}/release", { params: { path: { route_id: id }, header }, body: { version } }));
export const withdraw = ({ id, version }: { id: string; version: number }, header: Key) =>
  ask(api.POST("/api/v1/delivery-routes/{route_id}/withdraw", { params: { path: { route_id: id }, header }, body: { version } }));
export const cancelRoute = ({ id, version }: { id: string; version: number }, header: Key) =>
  ask(api.POST("/api/v1/delivery-routes/{route_id}/cancel", { params: { path: { route_id: id }, header }, body: { version } }));
export const breakDown = ({ id, note }: { id: string; note: string }, header: Key) =>
  ask(api.POST("/api/v1/delivery-routes/{route_id}/breakdown", { params: { path: { route_id: id }, header }, body: { note } }));
export const newRoute = (body: { shift_id: string }, header: Key) => ask(api.POST("/api/v1/delivery-routes", { params: { header }, body }));

export const changeJob = ({ id, ...body }: Schemas["DeliveryJobChange"] & { id: string }, header: Key) =>
  ask(api.PATCH("/api/v1/delivery-jobs/{delivery_job_id}", { params: { path: { delivery_job_id: id }, header }, body }));
export const pinJob = ({ id, ...body }: Schemas["Pin"] & { id: string }, header: Key) =>
  ask(api.POST("/api/v1/delivery-jobs/{delivery_job_id}/pin", { params: { path: { delivery_job_id: id }, header }, body }));

/** The newest plan of the day that is not settled yet, if there is one. */
export const openPlanQuery = (day: string) => ({
  ...live(["deliveries"], ["delivery-plan", day], async (): Promise<Plan | null> => {
    const { items } = await ask(api.GET("/api/v1/delivery-plans", { params: { query: { day, limit: 1 } } }));
    const newest = items[0];
    if (!newest || newest.state === "accepted" || newest.state === "discarded") return null;
    return ask(api.GET("/api/v1/delivery-plans/{plan_id}", { params: { path: { plan_id: newest.id } } }));
  }),
  refetchInterval: (query: { state: { data?: Plan | null } }) => (query.state.data?.state === "computing" ? 700 : false) as number | false,
});
export const startPlan = (body: { day: string; limit_s?: number; route_ids?: string[] }, header: Key) =>
  ask(api.POST("/api/v1/delivery-plans", { params: { header }, body: { limit_s: 10, ...body } }));
export const acceptPlan = ({ id, version }: { id: string; version: number }, header: Key) =>
  ask(api.POST("/api/v1/delivery-plans/{plan_id}/accept", { params: { path: { plan_id: id }, header }, body: { version } }));
export const discardPlan = ({ id, version }: { id: string; version: number }, header: Key) =>
  ask(api.POST("/api/v1/delivery-plans/{plan_id}/discard", { params: { path: { plan_id: id }, header }, body: { version } }));

export const proofsQuery = (job_id: string) =>
  live(["deliveries"], ["delivery-proofs", job_id], () => ask(api.GET("/api/v1/delivery-proofs", { params: { query: { job_id } } })));
export const trackingLink = (id: string, header: Key) =>
  ask(api.POST("/api/v1/delivery-jobs/{delivery_job_id}/tracking-link", { params: { path: { delivery_job_id: id }, header } }));

/** The board of the day becomes what `change` makes of it; answers the board before. */
export async function redraw(queries: QueryClient, day: string, change: (board: Board) => Board): Promise<Board | undefined> {
  const asked = queries.cancelQueries({ queryKey: key(day) });
  const before = queries.getQueryData<Board>(key(day));
  if (before) queries.setQueryData<Board>(key(day), change(before));
  await asked;
  return before;
}
export const askAgain = (queries: QueryClient, day: string) => queries.invalidateQueries({ queryKey: key(day) });

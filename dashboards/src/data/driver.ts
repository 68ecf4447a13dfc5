// The driver's day: routes with their stops and goods, loading, and what happened at each door.
import { api, ask } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { live } from "./queries";

type Schemas = components["schemas"];
/** Without the line on the map: a phone shows the next stop. */
export type DriverRoute = Omit<Schemas["DriverRoute"], "geometry">;
export type DriverStop = Schemas["DriverStop"];
export type DriverJob = Schemas["DriverJob"];
export type DriverCarton = Schemas["DriverCarton"];
export type BackCarton = Schemas["BackCarton"];
export type Manifest = Schemas["Manifest"];
export type ManifestCarton = Schemas["ManifestCarton"];
export type Unloaded = Schemas["Unloaded"];
export type HandOver = Schemas["HandOver"];
export type DeliveredCarton = Schemas["DeliveredCarton"];
export type Failure = Schemas["Failure"];
export type Arrival = Schemas["Arrival"];
export type Moment = Schemas["Moment"];
export type RouteDeparture = Schemas["RouteDeparture"];
export type RouteEnd = Schemas["RouteEnd"];
export type Breakdown = Schemas["Breakdown"];

// A question that hangs is given up and asked again; a photo over a weak network may take its time.
const within = (ms: number) => ({ signal: AbortSignal.timeout(ms) });
const SOON_MS = 10_000;
const WITH_A_PHOTO_MS = 60_000;

export const myRoutesQuery = {
  ...live(["deliveries"], ["driver", "routes"], async () => (await ask(api.GET("/api/v1/driver/routes", within(SOON_MS)))).items),
  // A phone that was asleep heard no hint.
  refetchInterval: 30_000,
};
export const driverRouteQuery = (id: string) => ({
  ...live(["deliveries"], ["driver", "route", id], () => ask(api.GET("/api/v1/driver/routes/{route_id}", { params: { path: { route_id: id } }, ...within(SOON_MS) }))),
  refetchInterval: 20_000,
});
export const manifestQuery = (id: string) =>
  live(["deliveries", "orders"], ["driver", "manifest", id], () => ask(api.GET("/api/v1/delivery-routes/{route_id}/manifest", { params: { path: { route_id: id } }, ...within(SOON_MS) })));

const route = (route_id: string, header: Key) => ({ params: { path: { route_id }, header } });
const stop = (stop_id: string, header: Key) => ({ params: { path: { stop_id }, header } });

export const loadParcel = (route_id: string, code: string, header: Key) =>
  ask(api.POST("/api/v1/delivery-routes/{route_id}/load", { ...route(route_id, header), body: { code }, ...within(SOON_MS) }));
export const departRoute = (route_id: string, body: RouteDeparture, header: Key) =>
  ask(api.POST("/api/v1/delivery-routes/{route_id}/depart", { ...route(route_id, header), body, ...within(SOON_MS) }));
export const breakDownRoute = (route_id: string, body: Breakdown, header: Key) =>
  ask(api.POST("/api/v1/delivery-routes/{route_id}/breakdown", { ...route(route_id, header), body, ...within(SOON_MS) }));
export const arriveAt = (stop_id: string, body: Arrival, header: Key) =>
  ask(api.POST("/api/v1/delivery-stops/{stop_id}/arrive", { ...stop(stop_id, header), body, ...within(SOON_MS) }));
export const goOn = (stop_id: string, body: Moment, header: Key) =>
  ask(api.POST("/api/v1/delivery-stops/{stop_id}/go-on", { ...stop(stop_id, header), body, ...within(SOON_MS) }));
export const deliverAt = (stop_id: string, body: HandOver, header: Key) =>
  ask(api.POST("/api/v1/delivery-stops/{stop_id}/deliver", { ...stop(stop_id, header), body, ...within(WITH_A_PHOTO_MS) }));
export const failAt = (stop_id: string, body: Failure, header: Key) =>
  ask(api.POST("/api/v1/delivery-stops/{stop_id}/fail", { ...stop(stop_id, header), body, ...within(WITH_A_PHOTO_MS) }));
export const takeOver = (stop_id: string, code: string, header: Key) =>
  ask(api.POST("/api/v1/delivery-stops/{stop_id}/take-over", { ...stop(stop_id, header), body: { code }, ...within(SOON_MS) }));
export const unloadParcel = (route_id: string, code: string, header: Key) =>
  ask(api.POST("/api/v1/delivery-routes/{route_id}/unload", { ...route(route_id, header), body: { code }, ...within(SOON_MS) }));
export const finishRoute = (route_id: string, body: RouteEnd, header: Key) =>
  ask(api.POST("/api/v1/delivery-routes/{route_id}/finish", { ...route(route_id, header), body, ...within(SOON_MS) }));

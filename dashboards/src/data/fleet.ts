// What drives: depots, vehicles with what they can carry and cost, and the shifts in which they do.
import { api, ask, chosen } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { live } from "./queries";

type Schemas = components["schemas"];
export type Depot = Schemas["Depot"];
export type NewDepot = Schemas["NewDepot"];
export type DepotChange = Schemas["DepotChange"];
export type FleetVehicle = Schemas["DeliveryVehicle"];
export type NewFleetVehicle = Schemas["NewDeliveryVehicle"];
export type FleetVehicleChange = Schemas["DeliveryVehicleChange"];
export type Shift = Schemas["VehicleShift"];
export type NewShift = Schemas["NewVehicleShift"];
export type ShiftChange = Schemas["VehicleShiftChange"];

export const depotsQuery = live(["deliveries"], ["depots"], async () => (await ask(api.GET("/api/v1/depots"))).items);
export const createDepot = (body: NewDepot, header: Key) => ask(api.POST("/api/v1/depots", { params: { header }, body }));
export const changeDepot = ({ id, ...body }: DepotChange & { id: string }, header: Key) =>
  ask(api.PATCH("/api/v1/depots/{depot_id}", { params: { path: { depot_id: id }, header }, body }));

export const fleetQuery = live(["deliveries"], ["delivery-vehicles"], async () => (await ask(api.GET("/api/v1/delivery-vehicles"))).items);
export const createVehicle = (body: NewFleetVehicle, header: Key) => ask(api.POST("/api/v1/delivery-vehicles", { params: { header }, body }));
export const changeVehicle = ({ id, ...body }: FleetVehicleChange & { id: string }, header: Key) =>
  ask(api.PATCH("/api/v1/delivery-vehicles/{vehicle_id}", { params: { path: { vehicle_id: id }, header }, body }));

/** Shifts that begin on one of these days. */
export const shiftsQuery = (days: readonly string[]) =>
  live(["deliveries"], ["vehicle-shifts", days[0]], async () => {
    const found = await Promise.all(days.map((day) => ask(api.GET("/api/v1/vehicle-shifts", { params: { query: { ...chosen({ day }) } } }))));
    return found.flatMap((page) => page.items);
  });
export const createShift = (body: NewShift, header: Key) => ask(api.POST("/api/v1/vehicle-shifts", { params: { header }, body }));
export const changeShift = ({ id, ...body }: ShiftChange & { id: string }, header: Key) =>
  ask(api.PATCH("/api/v1/vehicle-shifts/{shift_id}", { params: { path: { shift_id: id }, header }, body }));

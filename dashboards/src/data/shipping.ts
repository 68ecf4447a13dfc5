// Cartons, and the vehicles that take them away.
import { api, ask, chosen } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { live, pages } from "./queries";

type Schemas = components["schemas"];
export type Shipment = Schemas["Shipment"];
export type ShipmentEvent = Schemas["ShipmentEvent"];
export type Carton = Schemas["Carton"];
export type Content = Carton["contents"][number];

export const shipmentsQuery = (filter: { order_id?: string }) =>
  pages(["orders"], ["shipments", filter], (cursor) => ask(api.GET("/api/v1/shipments", { params: { query: { ...chosen(filter), cursor, limit: 50 } } })));
export const shipmentQuery = (id: string) =>
  live(["orders"], ["shipment", id], () => ask(api.GET("/api/v1/shipments/{shipment_id}", { params: { path: { shipment_id: id } } })));
export const newShipment = (body: Schemas["NewShipment"], header: Key) => ask(api.POST("/api/v1/shipments", { params: { header }, body }));
export const changeShipment = ({ id, ...body }: Schemas["ShipmentChange"] & { id: string }, header: Key) =>
  ask(api.PATCH("/api/v1/shipments/{shipment_id}", { params: { path: { shipment_id: id }, header }, body }));
export const unload = ({ id, code }: { id: string; code: string }, header: Key) =>
  ask(api.POST("/api/v1/shipments/{shipment_id}/unload", { params: { path: { shipment_id: id }, header }, body: { code } }));
export const shipmentEventsQuery = (shipment_id: string) =>
  pages(["orders", "tasks"], ["shipment-events", shipment_id], (cursor) => ask(api.GET("/api/v1/shipment-events", { params: { query: { shipment_id, cursor, limit: 30 } } })));
export const depart = ({ id, anyway }: { id: string; anyway: boolean }, header: Key) =>
  ask(api.POST("/api/v1/shipments/{shipment_id}/depart", { params: { path: { shipment_id: id }, header }, body: { anyway } }));
/** A page for the customer, to print. */
export const packingList = (carton_id: string, language: "en" | "zh") =>
  ask(api.GET("/api/v1/cartons/{carton_id}/packing-list", { params: { path: { carton_id }, query: { language } }, parseAs: "text" }));
export const unpack = ({ id, ...body }: Schemas["Unpack"] & { id: string }, header: Key) =>
  ask(api.POST("/api/v1/cartons/{carton_id}/contents/remove", { params: { path: { carton_id: id }, header }, body }));
export const cartonsQuery = (order_id: string) => live(["orders", "tasks"], ["cartons", order_id], () => ask(api.GET("/api/v1/cartons", { params: { query: { order_id, limit: 100 } } })));

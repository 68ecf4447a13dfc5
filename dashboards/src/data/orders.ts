// Customer orders on their way out: orders, waves, pick tasks, and what can be promised.
import { api, ask, chosen } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { live, pages } from "./queries";

type Schemas = components["schemas"];
export type Order = Schemas["SalesOrder"];
export type OrderLine = Schemas["SalesOrderLine"];
export type NewOrder = Schemas["NewSalesOrder"];
export type OrderState = Order["state"];
export type Wave = Schemas["Wave"];
export type PickTask = Schemas["PickTask"];

export const ORDER_STATES: OrderState[] = ["open", "allocated", "picking", "packed", "loaded", "shipped", "cancelled"];
const UNFINISHED: OrderState[] = ["open", "allocated", "picking", "packed", "loaded"];

export interface OrderFilter {
  state?: OrderState | "unfinished" | "all";
  backordered?: boolean;
  q?: string;
  item_id?: string;
  wave_id?: string;
}

export const ordersQuery = ({ state = "unfinished", backordered, ...filter }: OrderFilter) =>
  pages(["orders"], ["orders", state, backordered ?? null, filter], (cursor) =>
    ask(
      api.GET("/api/v1/sales-orders", {
        params: {
          query: {
            ...chosen({ ...filter }), backordered: backordered || undefined, cursor, limit: 50,
            state: state === "all" ? undefined : state === "unfinished" ? UNFINISHED : [state],
          },
        },
      }),
    ),
  );
export const orderQuery = (id: string) =>
  live(["orders"], ["order", id], () => ask(api.GET("/api/v1/sales-orders/{order_id}", { params: { path: { order_id: id } } })));
export const createOrder = (body: NewOrder, header: Key) => ask(api.POST("/api/v1/sales-orders", { params: { header }, body }));
export const cancelOrder = ({ id, reason }: { id: string; reason: string }, header: Key) =>
  ask(api.POST("/api/v1/sales-orders/{order_id}/cancel", { params: { path: { order_id: id }, header }, body: { reason } }));
export const changeLine = ({ orderId, lineId, version, quantity }: { orderId: string; lineId: string; version: number; quantity: string }, header: Key) =>
  ask(
    api.PATCH("/api/v1/sales-orders/{order_id}/lines/{line_id}", {
      params: { path: { order_id: orderId, line_id: lineId }, header }, body: { version, quantity },
    }),
  );

export const wavesQuery = pages(["orders", "tasks"], ["waves"], (cursor) => ask(api.GET("/api/v1/waves", { params: { query: { cursor, limit: 50 } } })));
export const releaseWave = (order_ids: string[], header: Key) => ask(api.POST("/api/v1/waves", { params: { header }, body: { order_ids, max_orders: Math.max(1, order_ids.length) } }));

export const pickTasksQuery = (filter: { order_id?: string; wave_id?: string; state?: PickTask["state"][] }) =>
  pages(["tasks"], ["pick-tasks", filter], (cursor) => ask(api.GET("/api/v1/pick-tasks", { params: { query: { ...filter, cursor, limit: 100 } } })));

export const availabilityQuery = (item_id: string) =>
  live(["stock", "orders", "receipts"], ["availability", item_id], () => ask(api.GET("/api/v1/availability", { params: { query: { item_id } } })));

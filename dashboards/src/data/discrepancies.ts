// Where reality and books differ, and the counts that settle it.
import { api, ask, chosen } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { live, pages } from "./queries";

type Schemas = components["schemas"];
export type Discrepancy = Schemas["DiscrepancyOut"];
export type PickMismatch = Schemas["PickMismatch"];
export type CountTask = Schemas["CountTaskOut"];
export type CountState = "open" | "recount" | "to_approve" | "done" | "cancelled";
export type NewCount = Schemas["NewCount"];

export const discrepanciesQuery = (filter: { state?: "open" | "resolved"; item_id?: string; kind?: string }) =>
  pages(["discrepancies"], ["discrepancies", filter], (cursor) => ask(api.GET("/api/v1/discrepancies", { params: { query: { ...chosen(filter), cursor, limit: 50 } } })));
export const discrepancyQuery = (id: string) =>
  live(["discrepancies", "tasks"], ["discrepancy", id], () => ask(api.GET("/api/v1/discrepancies/{discrepancy_id}", { params: { path: { discrepancy_id: id } } })));
export const resolveDiscrepancy = ({ id, resolution }: { id: string; resolution: string }, header: Key) =>
  ask(api.POST("/api/v1/discrepancies/{discrepancy_id}/resolve", { params: { path: { discrepancy_id: id }, header }, body: { resolution } }));
export const recountDiscrepancy = (id: string, header: Key) =>
  ask(api.POST("/api/v1/discrepancies/{discrepancy_id}/recount", { params: { path: { discrepancy_id: id }, header } }));

export const pickMismatchesQuery = (filter: { actor?: string }) =>
  pages(["discrepancies"], ["pick-mismatches", filter], (cursor) => ask(api.GET("/api/v1/pick-mismatches", { params: { query: { ...chosen(filter), cursor, limit: 50 } } })));

export const countTasksQuery = (filter: { state?: CountState; place_id?: string }) =>
  pages(["tasks", "discrepancies"], ["count-tasks", filter], (cursor) => ask(api.GET("/api/v1/count-tasks", { params: { query: { ...chosen(filter), cursor, limit: 50 } } })));
export const differencesQuery = (id: string) =>
  live(["tasks"], ["count-differences", id], () => ask(api.GET("/api/v1/count-tasks/{task_id}/differences", { params: { path: { task_id: id } } })));
export const newCount = (body: NewCount, header: Key) => ask(api.POST("/api/v1/count-tasks", { params: { header }, body }));

type CountAction = "approve" | "recount" | "cancel";
export function actOnCount({ id, action }: { id: string; action: CountAction }, header: Key) {
  const params = { path: { task_id: id }, header };
  switch (action) {
    case "approve":
      return ask(api.POST("/api/v1/count-tasks/{task_id}/approve", { params }));
    case "recount":
      return ask(api.POST("/api/v1/count-tasks/{task_id}/recount", { params }));
    case "cancel":
      return ask(api.POST("/api/v1/count-tasks/{task_id}/cancel", { params }));
  }
}

// What goes to the ERP: each posting in its own words, the documents that group them, drift, and reading from the ERP.
import { Problem } from "@/api/problem";
import { api, ask, chosen } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { live, pages } from "./queries";

type Schemas = components["schemas"];
export type Posting = Schemas["PostingOut"];
export type PostingGroup = Schemas["PostingGroupOut"];
export type ErpStatus = Schemas["ErpStatus"];
export type ErpOrder = Schemas["ErpOrderOut"];
export type Reconciliation = Schemas["ReconciliationOut"];
export type ErpImport = Schemas["ErpImportOut"];

export const erpStatusQuery = live(["postings"], ["erp-status"], () => ask(api.GET("/api/v1/erp/status")));

export const postingsQuery = (filter: { state?: Posting["state"]; item_id?: string; group_id?: string; document?: string }) =>
  pages(["postings"], ["postings", filter], (cursor) => ask(api.GET("/api/v1/postings", { params: { query: { ...chosen(filter), cursor, limit: 50 } } })));
export const postingQuery = (id: string) =>
  live(["postings"], ["posting", id], () => ask(api.GET("/api/v1/postings/{posting_id}", { params: { path: { posting_id: id } } })));
/** A posting has the id of its movement; a movement without one has nothing to post. */
export const postingOfMovementQuery = (id: string) =>
  live(["postings"], ["posting", "of", id], () =>
    ask(api.GET("/api/v1/postings/{posting_id}", { params: { path: { posting_id: id } } })).catch((error: unknown) => {
      if (error instanceof Problem && error.status === 404) return null;
      throw error;
    }),
  );
export const retryPosting = ({ id, erp_date }: { id: string; erp_date: string | null }, header: Key) =>
  ask(api.POST("/api/v1/postings/{posting_id}/retry", { params: { path: { posting_id: id }, header }, body: { erp_date } }));

export const groupsQuery = (state?: PostingGroup["state"]) =>
  pages(["postings"], ["posting-groups", state ?? "all"], (cursor) => ask(api.GET("/api/v1/posting-groups", { params: { query: { ...chosen({ state }), cursor, limit: 50 } } })));

export const erpOrdersQuery = (state?: ErpOrder["state"]) =>
  pages(["postings", "orders", "replenishment"], ["erp-orders", state ?? "all"], (cursor) => ask(api.GET("/api/v1/erp/orders", { params: { query: { ...chosen({ state }), cursor, limit: 50 } } })));
export const retryErpOrder = (id: string, header: Key) => ask(api.POST("/api/v1/erp/orders/{request_id}/retry", { params: { path: { request_id: id }, header } }));

export const reconciliationsQuery = live(["postings"], ["reconciliations"], () => ask(api.GET("/api/v1/erp/reconciliations", { params: { query: { limit: 20 } } })));
export const reconcile = (_: null, header: Key) => ask(api.POST("/api/v1/erp/reconciliations", { params: { header } }));

export const ERP_IMPORTS = ["items", "partners", "locations", "sales_orders", "purchase_orders", "opening_stock"] as const;
export const erpImportsQuery = live(["postings"], ["erp-imports"], () => ask(api.GET("/api/v1/erp/imports", { params: { query: { limit: 20 } } })));
export const importFromErp = (kind: (typeof ERP_IMPORTS)[number], header: Key) => ask(api.POST("/api/v1/erp/imports", { params: { header }, body: { kind } }));

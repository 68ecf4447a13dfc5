// What runs out, what is suggested, from whom and why; what is on order.
import { api, ask, chosen } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { pages } from "./queries";

type Schemas = components["schemas"];
export type ReorderRule = Schemas["ReorderRuleOut"];
export type RuleChange = Schemas["ReorderRuleChange"];
export type Suggestion = Schemas["Suggestion"];
export type OnOrder = Schemas["PurchaseOrderLine"];
export type SuggestionState = "proposed" | "approved" | "ordered" | "refused" | "received" | "rejected";

export const rulesQuery = pages(["replenishment", "stock", "orders"], ["reorder-rules"], (cursor) => ask(api.GET("/api/v1/reorder-rules", { params: { query: { cursor, limit: 100 } } })));
export const putRule = (body: RuleChange, header: Key) => ask(api.PUT("/api/v1/reorder-rules", { params: { header }, body }));

export const suggestionsQuery = (state?: SuggestionState) =>
  pages(["replenishment"], ["suggestions", state ?? "all"], (cursor) => ask(api.GET("/api/v1/purchase-suggestions", { params: { query: { ...chosen({ state }), cursor, limit: 100 } } })));
export const approveSuggestion = ({ id, quantity }: { id: string; quantity: string | null }, header: Key) =>
  ask(api.POST("/api/v1/purchase-suggestions/{suggestion_id}/approve", { params: { path: { suggestion_id: id }, header }, body: { quantity } }));
export const rejectSuggestion = ({ id, reason }: { id: string; reason: string }, header: Key) =>
  ask(api.POST("/api/v1/purchase-suggestions/{suggestion_id}/reject", { params: { path: { suggestion_id: id }, header }, body: { reason } }));

export const expectDelivery = (number: string, header: Key) => ask(api.POST("/api/v1/purchase-orders/{number}/asn", { params: { path: { number }, header } }));
export const onOrderQuery = pages(["replenishment", "receipts"], ["purchase-orders"], (cursor) => ask(api.GET("/api/v1/purchase-orders", { params: { query: { cursor, limit: 100, only_open: true } } })));

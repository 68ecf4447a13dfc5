// Goods on their way in: delivery notices, receipts with over and short, and putaway.
import { api, ask, chosen } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { live, pages } from "./queries";

type Schemas = components["schemas"];
export type AsnSummary = Schemas["AsnSummary"];
export type Asn = Schemas["AsnOut"];
export type ReceiptSummary = Schemas["ReceiptSummary"];
export type Receipt = Schemas["ReceiptOut"];
export type ReceiptLine = Schemas["ReceiptLineOut"];
export type Return = Schemas["ReturnOut"];
export type ReturnLine = Schemas["ReturnLineOut"];
export type PutawayTask = Schemas["PutawayTask"];
export type UnknownTag = Schemas["UnknownTagOut"];

export const asnsQuery = (filter: { state?: "open" | "received" | "cancelled"; q?: string }) =>
  pages(["receipts"], ["asns", filter], (cursor) => ask(api.GET("/api/v1/asns", { params: { query: { ...chosen(filter), cursor, limit: 50 } } })));
export const asnQuery = (id: string) => live(["receipts"], ["asn", id], () => ask(api.GET("/api/v1/asns/{asn_id}", { params: { path: { asn_id: id } } })));
export const cancelAsn = (id: string, header: Key) => ask(api.POST("/api/v1/asns/{asn_id}/cancel", { params: { path: { asn_id: id }, header } }));

export const receiptsQuery = (filter: { state?: "open" | "closed"; asn_id?: string }) =>
  pages(["receipts"], ["receipts", filter], (cursor) => ask(api.GET("/api/v1/receipts", { params: { query: { ...chosen(filter), cursor, limit: 50 } } })));
export const receiptQuery = (id: string) =>
  live(["receipts"], ["receipt", id], () => ask(api.GET("/api/v1/receipts/{receipt_id}", { params: { path: { receipt_id: id } } })));
export const openReceipt = (body: Schemas["NewReceiptIn"], header: Key) => ask(api.POST("/api/v1/receipts", { params: { header }, body }));
export const closeReceipt = ({ id, ...body }: Schemas["CloseIn"] & { id: string }, header: Key) =>
  ask(api.POST("/api/v1/receipts/{receipt_id}/close", { params: { path: { receipt_id: id }, header }, body }));

export const putawayQuery = (state: "todo" | "open" | "claimed" | "done" | "cancelled") =>
  pages(["tasks", "receipts"], ["putaway", state], (cursor) => ask(api.GET("/api/v1/putaway-tasks", { params: { query: { state, cursor, limit: 100 } } })));

export const returnsQuery = pages(["receipts", "stock"], ["returns"], (cursor) => ask(api.GET("/api/v1/returns", { params: { query: { cursor, limit: 50 } } })));
export const takeBackLine = ({ id, line_id, reason }: { id: string; line_id: string; reason: string }, header: Key) =>
  ask(api.POST("/api/v1/returns/{return_id}/lines/{line_id}/take-back", { params: { path: { return_id: id, line_id }, header }, body: { reason } }));
export const returnQuery = (id: string) =>
  live(["receipts", "stock"], ["return", id], () => ask(api.GET("/api/v1/returns/{return_id}", { params: { path: { return_id: id } } })));

export const unknownTagsQuery = (state: UnknownTag["state"]) =>
  pages(["receipts"], ["unknown-tags", state], (cursor) => ask(api.GET("/api/v1/unknown-tags", { params: { query: { state, cursor, limit: 50 } } })));
export const claimTag = ({ epc, ...body }: Schemas["ClaimIn"] & { epc: string }, header: Key) =>
  ask(api.POST("/api/v1/unknown-tags/{epc}/claim", { params: { path: { epc }, header }, body }));

// Stock on its way between sites.
import { api, ask } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { pages } from "./queries";

type Schemas = components["schemas"];
export type Transfer = Schemas["TransferOut"];
export type NewTransfer = Schemas["NewTransfer"];

export const transfersQuery = pages(["stock", "movements", "tasks"], ["transfers"], (cursor) => ask(api.GET("/api/v1/transfers", { params: { query: { cursor, limit: 50 } } })));
export const createTransfer = (body: NewTransfer, header: Key) => ask(api.POST("/api/v1/transfers", { params: { header }, body }));
export const dispatchTransfer = (id: string, header: Key) => ask(api.POST("/api/v1/transfers/{transfer_id}/dispatch", { params: { path: { transfer_id: id }, header } }));
export const receiveTransfer = ({ id, ...body }: Schemas["TransferReceipt"] & { id: string }, header: Key) =>
  ask(api.POST("/api/v1/transfers/{transfer_id}/receive", { params: { path: { transfer_id: id }, header }, body }));

// Labels as ZPL: what was printed, printing another, the printers; and tags, which labels make readable from afar.
import { api, ask, chosen } from "@/api/client";
import type { Key } from "@/api/command";
import { Problem } from "@/api/problem";
import type { components } from "@/api/schema";
import { live, pages } from "./queries";
import { lookUp } from "./search";

type Schemas = components["schemas"];
export type Label = Schemas["LabelOut"];
export type LabelKind = Label["kind"];
export type Printer = Schemas["Printer"];
export type Tag = Schemas["TagOut"];
export type NewTag = Schemas["NewTagIn"];

export const labelsQuery = (state?: Label["state"]) =>
  pages(["stock"], ["labels", state ?? "all"], (cursor) => ask(api.GET("/api/v1/labels", { params: { query: { ...chosen({ state }), cursor, limit: 50 } } })));
export const zplQuery = (id: string) =>
  live([], ["label-zpl", id], () => ask(api.GET("/api/v1/labels/{label_id}/zpl", { params: { path: { label_id: id } }, parseAs: "text" })));
export const reprint = (id: string, header: Key) => ask(api.POST("/api/v1/labels/{label_id}/reprint", { params: { path: { label_id: id }, header }, body: { printer: null } }));

export interface PrintRequest {
  kind: LabelKind;
  /** What a person scans or types: SKU, bin, SSCC. */
  code: string;
  copies: number;
  lot: string | null;
  printer: string | null;
}

export async function printLabel({ kind, code, ...more }: PrintRequest, header: Key): Promise<Label> {
  const meaning = await lookUp(code);
  const ref = kind === "item" ? meaning.item_id : kind === "location" ? meaning.place_id : meaning.license_plate_id;
  if (!ref) throw new Problem({ type: "/problems/invalid-input", title: meaning.label, status: 422, field: "code", detail: `${code}: ${meaning.kind}` });
  return ask(api.POST("/api/v1/labels", { params: { header }, body: { kind, ref, ...more } }));
}

export const printersQuery = live([], ["printers"], () => ask(api.GET("/api/v1/printers", { params: { query: { limit: 100 } } })));
export const putPrinter = (body: Printer, header: Key) => ask(api.PUT("/api/v1/printers", { params: { header }, body }));

export const tagsQuery = (filter: { epc?: string; state?: Tag["state"] }) =>
  pages(["stock"], ["tags", filter], (cursor) => ask(api.GET("/api/v1/tags", { params: { query: { ...chosen(filter), cursor, limit: 50 } } })));
export const commission = (body: NewTag, header: Key) => ask(api.POST("/api/v1/tags", { params: { header }, body }));
export const retag = ({ epc, new_epc }: { epc: string; new_epc: string }, header: Key) =>
  ask(api.POST("/api/v1/tags/{epc}/retag", { params: { path: { epc }, header }, body: { new_epc } }));
export const decommission = (epc: string, header: Key) => ask(api.POST("/api/v1/tags/{epc}/decommission", { params: { path: { epc }, header } }));

// Files in: what can be imported and how, trying a file, importing it.
import { api, ask } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { live, pages } from "./queries";

type Schemas = components["schemas"];
export type ImportKind = Schemas["ImportKindOut"];
export type ImportReport = Schemas["ImportReport"];
export type ImportError = Schemas["ImportErrorOut"];
export type ImportRun = Schemas["ImportRun"];

export const importKindsQuery = { ...live([], ["import-kinds"], () => ask(api.GET("/api/v1/imports/kinds"))), staleTime: Infinity };
export const importRunsQuery = pages(["stock", "receipts"], ["import-runs"], (cursor) => ask(api.GET("/api/v1/imports", { params: { query: { cursor, limit: 20 } } })));

export interface ImportRequest {
  kind: string;
  file: File;
  dryRun: boolean;
  /** Tells two files of one name apart: the key of the action depends on it. */
  stamp: string;
}

export function importFile({ kind, file, dryRun }: ImportRequest, header: Key) {
  const form = new FormData();
  form.set("kind", kind);
  form.set("file", file);
  form.set("dry_run", String(dryRun));
  return ask(api.POST("/api/v1/imports", { params: { header }, body: { kind, file: file.name, dry_run: dryRun }, bodySerializer: () => form }));
}

export const stampOf = (file: File) => `${file.name}|${file.size}|${file.lastModified}`;

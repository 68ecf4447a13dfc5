// Totes, pallets and other license plates: which there are, where they stand, making more, their labels.
import { api, ask, chosen } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import type { Label } from "./labels";
import { pages } from "./queries";

type Schemas = components["schemas"];
export type Plate = Schemas["LicensePlateOut"];
export type PlateKind = Plate["kind"];
export type NewPlates = Schemas["NewLicensePlates"];
export type PlatesMade = Schemas["LicensePlatesMade"];

export const PLATE_KINDS: PlateKind[] = ["tote", "pallet", "case", "carton"];
const HERE: Plate["state"][] = ["open", "closed"];

export const platesQuery = ({ q, kind, show }: { q?: string; kind?: PlateKind; show: "here" | "empty" | "all" }) =>
  pages(["stock"], ["license-plates", q ?? "", kind ?? "", show], (cursor) =>
    ask(api.GET("/api/v1/license-plates", { params: { query: { ...chosen({ q, kind }), state: show === "all" ? undefined : HERE, empty: show === "empty" || undefined, cursor, limit: 50 } } })),
  );
export const createPlates = (body: NewPlates, header: Key) => ask(api.POST("/api/v1/license-plates/series", { params: { header }, body }));
export const printPlate = (id: string, header: Key): Promise<Label> => ask(api.POST("/api/v1/labels", { params: { header }, body: { kind: "sscc", ref: id, copies: 1 } }));

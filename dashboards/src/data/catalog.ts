// Master data: sites, places, items with packs, partners, supplier prices, lots, outside keys.
import { useTranslation } from "react-i18next";
import { api, ask, chosen } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { live, pages } from "./queries";

type Schemas = components["schemas"];
export type Item = Schemas["ItemOut"];
export type NewItem = Schemas["NewItem"];
export type ItemChange = Schemas["ItemChange"];
export type Pack = Schemas["PackOut"];
export type NewPack = Schemas["NewPack"];
export type Place = Schemas["PlaceOut"];
export type NewPlace = Schemas["NewPlace"];
export type PlaceChange = Schemas["PlaceChange"];
export type Partner = Schemas["PartnerOut"];
export type NewPartner = Schemas["NewPartner"];
export type SupplierItem = Schemas["SupplierItem-Output"];
export type NewSupplierItem = Schemas["SupplierItem-Input"];
export type ExternalKey = Schemas["ExternalKey"];
export type NewSite = Schemas["NewSite"];

/** An item's name in the language of the screen. */
export function useItemName(): (item: { name: string; name_i18n?: Record<string, string> }) => string {
  const { i18n } = useTranslation();
  return (item) => item.name_i18n?.[i18n.language] ?? item.name;
}

export const itemsQuery = (q: string) =>
  pages([], ["items", q], (cursor) => ask(api.GET("/api/v1/items", { params: { query: { ...chosen({ q }), cursor, limit: 50 } } })));
export const itemQuery = (id: string) => live([], ["item", id], () => ask(api.GET("/api/v1/items/{item_id}", { params: { path: { item_id: id } } })));
export const createItem = (body: NewItem, header: Key) => ask(api.POST("/api/v1/items", { params: { header }, body }));
export const changeItem = ({ id, ...body }: ItemChange & { id: string }, header: Key) =>
  ask(api.PATCH("/api/v1/items/{item_id}", { params: { path: { item_id: id }, header }, body }));
export const createPack = ({ id, ...body }: NewPack & { id: string }, header: Key) =>
  ask(api.POST("/api/v1/items/{item_id}/packs", { params: { path: { item_id: id }, header }, body }));

export const placesQuery = (filter: { q?: string; kind?: string } = {}) =>
  pages(["floor"], ["places", filter], (cursor) => ask(api.GET("/api/v1/places", { params: { query: { ...chosen(filter), cursor, limit: 200 } } })));
export const placeQuery = (id: string) =>
  live(["floor"], ["place", id], () => ask(api.GET("/api/v1/places/{place_id}", { params: { path: { place_id: id } } })));
export const createPlace = (body: NewPlace, header: Key) => ask(api.POST("/api/v1/places", { params: { header }, body }));
export const changePlace = ({ id, ...body }: PlaceChange & { id: string }, header: Key) =>
  ask(api.PATCH("/api/v1/places/{place_id}", { params: { path: { place_id: id }, header }, body }));

export const partnersQuery = (filter: { q?: string; role?: "supplier" | "customer" } = {}) =>
  pages([], ["partners", filter], (cursor) => ask(api.GET("/api/v1/partners", { params: { query: { ...chosen(filter), cursor } } })));
export const createPartner = (body: NewPartner, header: Key) => ask(api.POST("/api/v1/partners", { params: { header }, body }));

export const supplierItemsQuery = (filter: { item_id?: string; supplier_id?: string }) =>
  live([], ["supplier-items", filter], () => ask(api.GET("/api/v1/supplier-items", { params: { query: filter } })));
export const putSupplierItem = (body: NewSupplierItem, header: Key) => ask(api.PUT("/api/v1/supplier-items", { params: { header }, body }));

export const KEY_KINDS = ["item", "partner", "place", "site"] as const;
export type KeyKind = (typeof KEY_KINDS)[number];
export const externalKeysQuery = (filter: { system?: string; kind?: KeyKind }) =>
  pages(["postings"], ["external-keys", filter], (cursor) => ask(api.GET("/api/v1/external-keys", { params: { query: { ...chosen(filter), cursor, limit: 100 } } })));
export const setExternalKey = (body: Schemas["NewExternalKey"], header: Key) => ask(api.PUT("/api/v1/external-keys", { params: { header }, body }));

export const createSite = (body: NewSite, header: Key) => ask(api.POST("/api/v1/sites", { params: { header }, body }));

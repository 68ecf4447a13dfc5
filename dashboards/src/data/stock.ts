// The ledger as people read it: what lies where, every movement, an item's stock, a unit's way.
import { api, ask, chosen } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { live, pages } from "./queries";

type Schemas = components["schemas"];
export type Balance = Schemas["Balance"];
export type Movement = Schemas["MovementOut"];
export type ItemStock = Schemas["ItemStock"];
export type StockRow = Schemas["StockRow"];
export type Unit = Schemas["Unit"];
export type Adjustment = Schemas["Adjustment"];

export interface MovementFilter {
  item_id?: string;
  place_id?: string;
  lot_id?: string;
  cause_kind?: string;
  cause_id?: string;
  correlation_id?: string;
  serial?: string;
  license_plate_id?: string;
}

export const balancesQuery = (filter: { item_id?: string; place_id?: string; lot_id?: string; license_plate_id?: string }) =>
  pages(["stock"], ["balances", filter], (cursor) => ask(api.GET("/api/v1/balances", { params: { query: { ...filter, cursor, limit: 100 } } })));

export const movementsQuery = (filter: MovementFilter, limit = 50) =>
  pages(["movements", "stock"], ["movements", filter, limit], (cursor) =>
    ask(api.GET("/api/v1/movements", { params: { query: { ...chosen({ ...filter }), cursor, limit } } })),
  );
export const movementQuery = (id: string) =>
  live(["movements"], ["movement", id], () => ask(api.GET("/api/v1/movements/{movement_id}", { params: { path: { movement_id: id } } })));
export const reverseMovement = ({ id, reason }: { id: string; reason: string }, header: Key) =>
  ask(api.POST("/api/v1/movements/{movement_id}/reverse", { params: { path: { movement_id: id }, header }, body: { reason } }));

/** Every item with its figures. */
export const stockQuery = (q: string) => ({
  ...pages(["stock"], ["stock", q], (cursor) => ask(api.GET("/api/v1/stock", { params: { query: { ...chosen({ q }), cursor, limit: 50 } } }))),
  meta: { topics: ["stock"] as const, calmMs: 2_000 },
});
export const itemStockQuery = (id: string) =>
  live(["stock"], ["item-stock", id], () => ask(api.GET("/api/v1/items/{item_id}/stock", { params: { path: { item_id: id } } })));
export const itemHistoryQuery = (id: string, days = 90) =>
  live(["stock"], ["item-history", id, days], () =>
    ask(api.GET("/api/v1/items/{item_id}/history", { params: { path: { item_id: id }, query: { days } } })),
  );
export const unitQuery = (code: string) =>
  live(["stock", "movements"], ["unit", code], () => ask(api.GET("/api/v1/units/{code}", { params: { path: { code } } })));

export const adjustStock = (body: Adjustment, header: Key) => ask(api.POST("/api/v1/adjustments", { params: { header }, body }));
export const verificationQuery = { ...live([], ["verification"], () => ask(api.GET("/api/v1/ledger/verification"))), enabled: false };

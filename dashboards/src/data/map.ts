// The ground that maps are drawn on, and the addresses that the map knows.
import { api, ask } from "@/api/client";
import type { components } from "@/api/schema";
import { live } from "./queries";

export type MapInfo = components["schemas"]["MapDescription"];
export type AddressMatch = components["schemas"]["AddressMatch"];

export const mapQuery = {
  ...live([], ["map"], () => ask(api.GET("/api/v1/map"))),
  staleTime: 300_000,
  // A map that is still being made appears by itself.
  refetchInterval: (query: { state: { data?: MapInfo } }) => (query.state.data?.available === false ? 15_000 : false) as number | false,
};
export const addressesQuery = (q: string) => live([], ["addresses", q], () => ask(api.GET("/api/v1/addresses", { params: { query: { q } } })));

// What is wrong now, and who has seen it.
import { useQuery } from "@tanstack/react-query";
import { api, ask, chosen } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { live, pages } from "./queries";
import { useSite } from "./site";

export type Alert = components["schemas"]["Alert"];

const openAlertsQuery = live(["alerts"], ["alerts", "count"], () => ask(api.GET("/api/v1/alerts", { params: { query: { state: "open", limit: 100 } } })));

export function useOpenAlerts(): number {
  // Alerts belong to a site: before there is one there is nothing to ask.
  const site = useSite();
  return useQuery({ ...openAlertsQuery, enabled: site !== null }).data?.items.length ?? 0;
}

export const alertsQuery = (filter: { state?: Alert["state"]; device_id?: string }) =>
  pages(["alerts"], ["alerts", filter], (cursor) => ask(api.GET("/api/v1/alerts", { params: { query: { ...chosen(filter), cursor, limit: 50 } } })));
export const acknowledge = (id: string, header: Key) => ask(api.POST("/api/v1/alerts/{alert_id}/acknowledge", { params: { path: { alert_id: id }, header } }));

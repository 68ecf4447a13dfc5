// Open alerts and their acknowledgement.
import { useQuery } from "@tanstack/react-query";
import { api, ask } from "@/api/client";
import { live } from "./queries";

const openAlertsQuery = live(["alerts"], ["alerts", "count"], () => ask(api.GET("/api/v1/alerts", { params: { query: { state: "open", limit: 100 } } })));

export function useOpenAlerts(): number {
  return useQuery(openAlertsQuery).data?.items.length ?? 0;
}

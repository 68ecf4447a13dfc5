// Sites the person may see, the one on the screen, and its time zone.
import { useQuery } from "@tanstack/react-query";
import { api, ask } from "@/api/client";
import { useSession } from "@/api/session";
import { chosenSite, useChosenSite } from "@/api/site";
import type { components } from "@/api/schema";

export type Site = components["schemas"]["SiteOut"];

export const sitesQuery = {
  queryKey: ["sites"],
  queryFn: async (): Promise<Site[]> => (await ask(api.GET("/api/v1/sites"))).items,
  staleTime: 60_000,
};

export function useSites(): Site[] {
  const session = useSession();
  return useQuery({ ...sitesQuery, enabled: session !== null }).data ?? [];
}

export function useSite(): Site | null {
  const session = useSession();
  const chosen = useChosenSite();
  const sites = useSites();
  const wanted = session?.user.site_id ?? chosen;
  return sites.find((site) => site.id === wanted) ?? sites[0] ?? null;
}

export function useZone(): string {
  return useSite()?.time_zone ?? "UTC";
}

export { chosenSite };

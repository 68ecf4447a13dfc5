// What a customer's link shows. Nobody is logged in: the request carries no one's name, only the link's own token.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, ask } from "@/api/client";
import { asProblem } from "@/api/problem";
import type { components } from "@/api/schema";

export type Tracking = components["schemas"]["Tracking"];

const EVERY_MS = 15_000;

/** Nothing changes any more after these. */
export const OVER: ReadonlySet<Tracking["state"]> = new Set(["delivered", "partly_delivered", "refused", "nobody_there", "cancelled"]);

export const trackingQuery = (token: string) =>
  queryOptions({
    queryKey: ["tracking", token],
    queryFn: () => ask(api.GET("/api/v1/tracking/{token}", { params: { path: { token } }, signal: AbortSignal.timeout(10_000) })),
    placeholderData: keepPreviousData,
    retry: (count, error) => asProblem(error).worthRetrying && count < 2,
    refetchInterval: ({ state }) => {
      const status = state.error ? asProblem(state.error).status : 0;
      return status === 404 || status === 410 || (state.data && OVER.has(state.data.state)) ? false : EVERY_MS;
    },
  });

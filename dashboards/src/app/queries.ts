// The one query client. A refusal is an answer and is not asked again; an unreachable backend is.
import { QueryClient } from "@tanstack/react-query";
import { asProblem } from "@/api/problem";
import { live } from "@/live";
import { topicsOf } from "@/live/collection";

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      gcTime: 5 * 60_000,
      retry: (count, error) => asProblem(error).worthRetrying && count < 2,
      retryDelay: (count) => Math.min(4_000, 500 * 2 ** count),
      // While the live connection is lost, what follows topics is asked from time to time instead.
      refetchInterval: (query) => (topicsOf(query).length > 0 && live.state.status !== "open" ? 10_000 : false),
      refetchOnWindowFocus: true,
    },
  },
});

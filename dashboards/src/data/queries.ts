// How the data layer asks: one query is a key, its live topics and a function. Lists page by cursor.
import {
  infiniteQueryOptions, queryOptions, useInfiniteQuery, type QueryKey, type UseInfiniteQueryResult,
} from "@tanstack/react-query";
import { useMemo } from "react";
import type { Topic } from "@/live/topics";
import type { Params } from "@/api/client";
import type { Answered } from "@/components/views";

export interface PageOf<T> {
  items: T[];
  next_cursor?: string | null;
}

/** A single answer that follows its topics. */
export function live<T>(topics: readonly Topic[], key: QueryKey, ask: () => Promise<T>) {
  return queryOptions({ queryKey: key, queryFn: ask, meta: { topics } });
}

/** A list by pages. */
export function pages<T>(topics: readonly Topic[], key: QueryKey, ask: (cursor: string | undefined) => Promise<PageOf<T>>) {
  return infiniteQueryOptions({
    queryKey: key,
    queryFn: ({ pageParam }) => ask(pageParam || undefined),
    initialPageParam: "",
    getNextPageParam: (last: PageOf<T>) => last.next_cursor ?? undefined,
    meta: { topics },
  });
}

export interface Listed<T> extends Answered<T[]> {
  more: { available: boolean; loading: boolean; load: () => void };
}

type PagesOptions<T> = ReturnType<typeof pages<T>>;

/** All pages fetched so far as one list, with the way to the next. */
export function useList<T>(options: PagesOptions<T>): Listed<T> {
  const query = useInfiniteQuery(options) as UseInfiniteQueryResult<{ pages: PageOf<T>[] }>;
  const { data, error, isPending, dataUpdatedAt, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const rows = useMemo(() => data?.pages.flatMap((page) => page.items), [data]);
  return {
    data: rows, error, isPending, dataUpdatedAt, refetch,
    more: { available: hasNextPage, loading: isFetchingNextPage, load: () => void fetchNextPage() },
  };
}

export type { Params };

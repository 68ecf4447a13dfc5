// The one place that speaks HTTP. `api` is typed from the backend's OpenAPI; `ask` turns an answer into data or a Problem.
// Only src/data/* imports this file (eslint holds it).
import createClient from "openapi-fetch";
import { asProblem, problemOf } from "./problem";
import type { paths } from "./schema";
import { session } from "./session";
import { chosenSite } from "./site";

export const api = createClient<paths>({ baseUrl: "" });

api.use({
  onRequest({ request }) {
    const token = session.get()?.token;
    if (token) request.headers.set("Authorization", `Bearer ${token}`);
    request.headers.set("Accept-Language", document.documentElement.lang || "en");
    const site = chosenSite.get();
    const url = new URL(request.url);
    if (!site || url.searchParams.has("site_id")) return request;
    // People of all sites look at one at a time; the backend ignores it where it does not matter.
    url.searchParams.set("site_id", site);
    return new Request(url, request);
  },
  onResponse({ response, request }) {
    if (response.status === 401 && request.headers.has("Authorization")) session.expire();
  },
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

export async function ask<T>(answer: Promise<Answer<T>>): Promise<T> {
  let got: Answer<T>;
  try {
    got = await answer;
  } catch (error) {
    throw asProblem(error);
  }
  if (!got.response.ok) throw problemOf(got.response.status, got.error);
  return got.data as T;
}

export type Params = Record<string, string | number | boolean | null | undefined>;

/** Query parameters without the ones that were not chosen. */
export function chosen<T extends Params>(params: T): { [K in keyof T]?: Exclude<T[K], null | undefined | ""> } {
  return Object.fromEntries(
    Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== ""),
  ) as { [K in keyof T]?: Exclude<T[K], null | undefined | ""> };
}

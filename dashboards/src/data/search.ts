// Search everything, and what a scanned code means.
import { api, ask } from "@/api/client";
import { live } from "./queries";

export const searchQuery = (q: string) => live([], ["search", q], () => ask(api.GET("/api/v1/search", { params: { query: { q } } })));
export const lookUp = (code: string) => ask(api.GET("/api/v1/lookup", { params: { query: { code } } }));

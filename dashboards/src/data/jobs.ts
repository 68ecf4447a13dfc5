// What the system does in the background: what waits, what failed and why, and trying it again.
import { api, ask, chosen } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { pages } from "./queries";

export type Job = components["schemas"]["Job"];
export type JobChoice = "failing" | "todo" | "all";

export const jobsQuery = (which: JobChoice) => ({
  ...pages(["alerts"], ["jobs", which], (cursor) =>
    ask(api.GET("/api/v1/jobs", { params: { query: { ...chosen({ failing: which === "failing" || undefined, state: which === "todo" ? which : undefined }), cursor, limit: 50 } } })),
  ),
  // Only a job that failed for good is announced.
  refetchInterval: 10_000,
});
export const retryJob = (id: number, header: Key) => ask(api.POST("/api/v1/jobs/{job_id}/retry", { params: { path: { job_id: id }, header } }));

import { api, ask } from "@/api/client";
import { live } from "./queries";

export const postingsOfMovementQuery = (movement_id: string) =>
  live(["postings"], ["postings", "of", movement_id], () => ask(api.GET("/api/v1/postings", { params: { query: { movement_id } } })));

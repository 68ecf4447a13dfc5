// What the backend announces. A hint says "something of this topic changed": fetch again, the list endpoint is the truth.
export const TOPICS = [
  "stock", "movements", "receipts", "orders", "tasks", "postings", "discrepancies", "alerts", "devices", "sensors", "floor",
  "replenishment", "deliveries", "positions",
] as const;
export type Topic = (typeof TOPICS)[number];

/** `*` says that anything may have changed: after connecting, or when the backend itself was deaf for a moment. */
export interface Hint {
  topic: Topic | "*";
  site: string | null;
  id: string | null;
}

// How far an order is, as a share of what was ordered: units are compared as numbers only to draw a bar.
import type { Order } from "@/data/orders";

export function share(order: Pick<Order, "lines">, of: "allocated" | "picked" | "packed" | "shipped" | "waiting"): { part: number; whole: number } {
  const sum = (name: "quantity" | typeof of) => order.lines.reduce((total, line) => total + Number(line[name]), 0);
  return { part: sum(of), whole: sum("quantity") };
}

export function isLate(order: Pick<Order, "state" | "due_at">, now: number): boolean {
  return order.state !== "shipped" && order.state !== "cancelled" && Date.parse(order.due_at) < now;
}

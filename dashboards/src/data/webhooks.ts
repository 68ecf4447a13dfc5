// Who is told what by webhook, and each delivery.
import { api, ask, chosen } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { live, pages } from "./queries";

type Schemas = components["schemas"];
export type Subscription = Schemas["Subscription"];
export type NewSubscription = Schemas["NewSubscription"];
export type Delivery = Schemas["Delivery"];

export const subscriptionsQuery = live(["deliveries"], ["webhook-subscriptions"], () => ask(api.GET("/api/v1/webhook-subscriptions")));
export const subscribe = (body: NewSubscription, header: Key) => ask(api.POST("/api/v1/webhook-subscriptions", { params: { header }, body }));
export const changeSubscription = ({ id, ...body }: Schemas["SubscriptionChange"] & { id: string }, header: Key) =>
  ask(api.PATCH("/api/v1/webhook-subscriptions/{subscription_id}", { params: { path: { subscription_id: id }, header }, body }));
export const removeSubscription = (id: string, header: Key) =>
  ask(api.DELETE("/api/v1/webhook-subscriptions/{subscription_id}", { params: { path: { subscription_id: id }, header } }));

export const deliveriesQuery = (state?: "waiting" | "delivered" | "parked") =>
  pages(["deliveries"], ["deliveries", state ?? "all"], (cursor) => ask(api.GET("/api/v1/webhook-deliveries", { params: { query: { ...chosen({ state }), cursor, limit: 50 } } })));
export const retryDelivery = (id: string, header: Key) =>
  ask(api.POST("/api/v1/webhook-deliveries/{delivery_id}/retry", { params: { path: { delivery_id: id }, header } }));

// The building at a glance: places with what is in them, passages, people, sensors, alerts, and the day's flow.
import { api, ask } from "@/api/client";
import type { components } from "@/api/schema";
import { live } from "./queries";

type Schemas = components["schemas"];
export type Floor = Schemas["Floor"];
export type FloorPlace = Schemas["FloorPlace"];
export type Passage = Schemas["Passage"];
export type Person = Schemas["PersonAtWork"];
export type SensorNow = Schemas["SensorNow"];
export type OpenAlert = Schemas["OpenAlert"];
export type DayFlow = Schemas["DayFlow"];
export type Kpi = Schemas["Kpi"];

const floorTopics = ["floor", "stock", "receipts", "orders", "tasks", "alerts", "sensors", "devices", "discrepancies", "postings"] as const;

export const floorQuery = { ...live(floorTopics, ["floor"], () => ask(api.GET("/api/v1/floor"))), meta: { topics: floorTopics, calmMs: 700 } };
export const overviewQuery = { ...live([], ["overview"], () => ask(api.GET("/api/v1/overview"))), staleTime: 60_000, refetchInterval: 60_000 };

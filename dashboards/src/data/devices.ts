// The devices as a tree (agent by agent), their health, what they measured, and what could not be understood.
import { api, ask, chosen } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { live, pages } from "./queries";

type Schemas = components["schemas"];
export type Agent = Schemas["Agent"];
export type AgentWithCode = Schemas["AgentWithCode"];
export type AgentSecret = Schemas["AgentSecret"];
export type Device = Schemas["Device"];
export type DeviceDetail = Schemas["DeviceDetail"];
export type CommandName = DeviceDetail["knows"][number];
export type DeviceChange = Schemas["DeviceChange"];
export type NewDevice = Schemas["NewDevice"];
export type DeadLetter = Schemas["DeadLetter"];
export type SensorSeries = Schemas["SensorSeries"];
export type Observation = Schemas["TagObservation"];

export const agentsQuery = live(["devices"], ["agents"], () => ask(api.GET("/api/v1/agents", { params: { query: { limit: 200 } } })));
export const devicesQuery = live(["devices", "sensors", "alerts"], ["devices"], () => ask(api.GET("/api/v1/devices", { params: { query: { limit: 500 } } })));
export const deviceQuery = (id: string) =>
  live(["devices", "sensors", "alerts"], ["device", id], () => ask(api.GET("/api/v1/devices/{device_id}", { params: { path: { device_id: id } } })));
export const changeDevice = ({ id, ...body }: DeviceChange & { id: string }, header: Key) =>
  ask(api.PATCH("/api/v1/devices/{device_id}", { params: { path: { device_id: id }, header }, body }));
export const commandDevice = ({ id, command }: { id: string; command: CommandName }, header: Key) =>
  ask(api.POST("/api/v1/devices/{device_id}/commands", { params: { path: { device_id: id }, header }, body: { command } }));
export const newDevice = (body: NewDevice, header: Key) => ask(api.POST("/api/v1/devices", { params: { header }, body }));

export const newAgent = (body: Schemas["NewAgent"], header: Key) => ask(api.POST("/api/v1/agents", { params: { header }, body }));
export const newEnrolCode = (id: string, header: Key) => ask(api.POST("/api/v1/agents/{agent_id}/enrol-code", { params: { path: { agent_id: id }, header } }));
export const rotateSecret = (id: string, header: Key) => ask(api.POST("/api/v1/agents/{agent_id}/rotate-secret", { params: { path: { agent_id: id }, header } }));
export const revokeAgent = (id: string, header: Key) => ask(api.POST("/api/v1/agents/{agent_id}/revoke", { params: { path: { agent_id: id }, header } }));

export const deadLettersQuery = (state?: DeadLetter["state"]) =>
  pages(["devices"], ["dead-letters", state ?? "all"], (cursor) => ask(api.GET("/api/v1/dead-letters", { params: { query: { ...chosen({ state }), cursor, limit: 50 } } })));
/** With all its bytes. */
export const deadLetterQuery = (id: string) =>
  live(["devices"], ["dead-letter", id], () => ask(api.GET("/api/v1/dead-letters/{letter_id}", { params: { path: { letter_id: id } } })));
export const retryLetter = (id: string, header: Key) => ask(api.POST("/api/v1/dead-letters/{letter_id}/retry", { params: { path: { letter_id: id }, header } }));
export const discardLetter = (id: string, header: Key) => ask(api.POST("/api/v1/dead-letters/{letter_id}/discard", { params: { path: { letter_id: id }, header } }));

export const seriesQuery = (device_id: string, channel: string, from: string, to?: string) => ({
  ...live(["sensors"], ["sensor-series", device_id, channel, from, to ?? "now"], () =>
    ask(api.GET("/api/v1/sensor-series", { params: { query: { device_id, channel, from, ...chosen({ to }) } } })),
  ),
  meta: { topics: to ? [] : ["sensors"], calmMs: 5_000 },
});
export const observationsQuery = (filter: { device_id?: string; epc?: string }) =>
  pages(["devices"], ["observations", filter], (cursor) => ask(api.GET("/api/v1/observations", { params: { query: { ...chosen(filter), cursor, limit: 30 } } })));

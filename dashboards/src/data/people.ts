// Log-in, the person's own settings, users, tokens, and who changed what.
import { api, ask } from "@/api/client";
import type { Key } from "@/api/command";
import { session } from "@/api/session";
import type { components } from "@/api/schema";
import { live, pages } from "./queries";

export type User = components["schemas"]["User"];
export type Role = components["schemas"]["NewUser"]["roles"][number];
export type ApiToken = components["schemas"]["ApiToken"];
export type AuditEntry = components["schemas"]["AuditEntry"];
export type NewUser = components["schemas"]["NewUser"];
export type UserChange = components["schemas"]["UserChange"];
export type NewApiToken = components["schemas"]["NewApiToken"];

export const ROLES: Role[] = ["worker", "lead", "dispatcher", "driver", "integrator", "admin"];

export function logIn(username: string, password: string) {
  return ask(api.POST("/api/v1/auth/login", { body: { username, password } }));
}

const SHIFT_MS = 12 * 3600_000;

/** A badge is an API token as a barcode; it is taken for a shift. */
export async function logInByBadge(token: string) {
  const user = await ask(api.GET("/api/v1/auth/me", { headers: { Authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(8_000) }));
  return { token, expires_at: new Date(Date.now() + SHIFT_MS).toISOString(), user };
}

export async function logOut(header: Key): Promise<void> {
  await ask(api.POST("/api/v1/auth/logout", { params: { header } })).catch(() => undefined);
  session.leave();
}

export const usersQuery = pages([], ["users"], (cursor) => ask(api.GET("/api/v1/users", { params: { query: { cursor } } })));
export const createUser = (body: NewUser, header: Key) => ask(api.POST("/api/v1/users", { params: { header }, body }));
export const changeUser = ({ id, ...body }: UserChange & { id: string }, header: Key) =>
  ask(api.PATCH("/api/v1/users/{user_id}", { params: { path: { user_id: id }, header }, body }));

export const apiTokensQuery = live([], ["api-tokens"], () => ask(api.GET("/api/v1/api-tokens")));
export const createApiToken = (body: NewApiToken, header: Key) => ask(api.POST("/api/v1/api-tokens", { params: { header }, body }));
export const revokeApiToken = (id: string, header: Key) =>
  ask(api.DELETE("/api/v1/api-tokens/{token_id}", { params: { path: { token_id: id }, header } }));

export const auditQuery = (filter: { table_name?: string; subject?: string }) =>
  pages([], ["audit", filter], (cursor) => ask(api.GET("/api/v1/audit-entries", { params: { query: { ...filter, cursor, limit: 50 } } })));

export const changeMySettings = (body: components["schemas"]["OwnSettings"], header: Key) => ask(api.PATCH("/api/v1/auth/me", { params: { header }, body }));

// What a code does not say is asked once: lot, expiry, serial. The answer is scanned or typed.
import { asProblem, type Problem } from "@/api/problem";
import type { Io, T } from "../runtime";
import type { KeypadKind, View } from "../view";
import { lookUp } from "../work";

export type Field = "lot" | "expires_on" | "serial";

export interface Asking {
  code: string;
  label: string;
  fields: Field[];
  got: { lot?: string; expires_on?: string; serial?: string };
  /** How often the same code was scanned while its lot was asked: each is one more. */
  times: number;
}

const FIELDS: Field[] = ["lot", "expires_on", "serial"];

/** The fields that the backend misses, or null where the refusal is about something else. */
export function missing(error: unknown): { fields: Field[]; problem: Problem } | null {
  const problem = asProblem(error);
  if (problem.status !== 422) return null;
  const asked = Array.isArray(problem.body["ask"]) ? (problem.body["ask"] as string[]) : problem.field ? [problem.field] : [];
  const fields = FIELDS.filter((field) => asked.includes(field));
  return fields.length > 0 ? { fields, problem } : null;
}

export type Taken = { kind: "taken"; asking: Asking } | { kind: "again"; asking: Asking } | { kind: "refused"; title: string };

/** A scan or an entry while something is asked. Another item is no lot: the question stays. */
export async function take(asking: Asking, text: string, io: Io): Promise<Taken> {
  const field = asking.fields[0];
  if (!field) return { kind: "taken", asking };
  if (text === asking.code) return { kind: "again", asking: { ...asking, times: asking.times + 1 } };
  if (field === "expires_on") {
    const day = dateOf(text);
    if (!day) return { kind: "refused", title: io.t("handheld:ask.bad_date") };
    return { kind: "taken", asking: { ...asking, got: { ...asking.got, expires_on: day }, fields: asking.fields.slice(1) } };
  }
  const meaning = await io.read(() => lookUp(text)).catch(() => null);
  const value = field === "lot" ? (meaning?.lot_code ?? text) : (meaning?.serial ?? text);
  const isOther = meaning !== null && !["lot", "serial", "tag"].includes(meaning.kind) && value === text;
  if (isOther) return { kind: "refused", title: io.t("handheld:ask.first", { item: asking.label }) };
  const got = { ...asking.got, [field]: value };
  if (field === "lot" && meaning?.expires_on) got.expires_on = meaning.expires_on;
  const fields = asking.fields.slice(1).filter((next) => !(next in got));
  return { kind: "taken", asking: { ...asking, got, fields } };
}

/** YYMMDD or YYYYMMDD, with or without dashes; day 00 is the last of the month (GS1). */
export function dateOf(text: string): string | null {
  const digits = text.replace(/\D/g, "");
  const full = digits.length === 6 ? `20${digits}` : digits;
  if (full.length !== 8) return null;
  const [year, month, day] = [Number(full.slice(0, 4)), Number(full.slice(4, 6)), Number(full.slice(6))];
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
  const on = day === 0 ? last : day;
  if (month < 1 || month > 12 || on > last) return null;
  return `${full.slice(0, 4)}-${full.slice(4, 6)}-${String(on).padStart(2, "0")}`;
}

export function askView<S>(asking: Asking, t: T): View<S> {
  const field = asking.fields[0] ?? "lot";
  const keypad: KeypadKind = field === "expires_on" ? "date" : "text";
  return {
    instruction: t(`handheld:ask.${field}`),
    expect: field === "expires_on" ? "number" : "anything",
    target: { text: asking.label, sub: asking.times > 1 ? t("handheld:ask.times", { n: asking.times }) : undefined },
    keypad,
  };
}

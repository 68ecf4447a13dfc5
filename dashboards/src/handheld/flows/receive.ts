// Receiving: the notice or the door, then item (+1), case (its units) or SSCC (all on it).
import { asProblem } from "@/api/problem";
import { compareDecimal, groupDigits, isZero } from "@/components/numbers";
import { bad, good, refusal, warn, type Flow, type Io, type Outcome } from "../runtime";
import type { Choice } from "../view";
import { asn, closeReceipt, lookUp, openAsns, openReceipt, openReceipts, receipt, scanIntoReceipt, type Asn, type Receipt } from "../work";
import { askView, missing, take, type Asking } from "./ask";

interface Extra {
  quantity?: string;
  status?: "available" | "damaged";
  reason?: string;
  lot?: string;
  expires_on?: string;
  serial?: string;
}

export interface State {
  step: "choose" | "door" | "scan" | "ask" | "override" | "damage" | "close";
  asns: Asn[];
  asnId: string | null;
  receipt: Receipt | null;
  onto: string | null;
  times: string | null;
  damage: string | null;
  asking: Asking | null;
  extra: Extra;
  override: { code: string; extra: Extra; title: string; detail?: string } | null;
  last: { name: string; count: string } | null;
}

const DAMAGES = ["crushed", "wet", "broken", "other"] as const;
const OVERS = ["over_delivered", "substitute", "sample", "other"] as const;
const SHORTS = ["not_delivered", "refused", "miscounted"] as const;

export const receive: Flow<State> = {
  async start(io, code) {
    const asns = await io.read(openAsns);
    const state: State = {
      step: "choose", asns, asnId: null, receipt: null, onto: null, times: null, damage: null, asking: null, extra: {}, override: null, last: null,
    };
    return code ? choose(state, code, io) : { state };
  },

  async scan(state, code, io) {
    if (state.step === "choose") return choose(state, code, io);
    if (state.step === "door") return atDoor(state, code, io);
    if (state.step === "ask" && state.asking) return answerAsked(state, state.asking, code, io);
    return count({ ...state, step: "scan", override: null }, code, state.damage ? { status: "damaged", reason: state.damage } : {}, io);
  },

  async refresh(state, io) {
    const { receipt: open } = state;
    if (!open) return { ...state, asns: await io.read(openAsns) };
    return { ...state, receipt: await io.read(() => receipt(open.id)), last: null };
  },

  view(state, t) {
    const { receipt: open } = state;
    if (state.step === "choose" || !open) {
      if (state.step === "door") return { instruction: t("handheld:receive.scan_door"), expect: "door" };
      return {
        instruction: t("handheld:receive.scan_notice"),
        expect: "order",
        choices: state.asns.slice(0, 4).map((notice) => ({
          id: notice.id,
          label: notice.number,
          sub: [notice.supplier?.code, notice.dock_door?.code, t("handheld:receive.lines", { count: notice.lines_count })].filter(Boolean).join(" · "),
          run: (now: State, io: Io) => openFor(now, notice.id, io),
        })),
        facts: state.asns.length === 0 ? [{ label: t("handheld:receive.no_notices"), value: "" }] : undefined,
      };
    }
    if (state.step === "ask" && state.asking) return { ...askView<State>(state.asking, t), actions: [back(t("handheld:action.leave_it"))] };
    if (state.step === "override" && state.override) {
      return {
        instruction: t("handheld:receive.take_anyway"),
        expect: "nothing",
        choices: OVERS.map((reason) => ({ id: reason, label: t(`handheld:over.${reason}`), run: (now, io) => takeAnyway(now, reason, io) })),
        actions: [back(t("handheld:action.leave_it"))],
      };
    }
    if (state.step === "damage") {
      return {
        instruction: t("handheld:receive.what_damage"),
        expect: "nothing",
        choices: DAMAGES.map((reason) => ({ id: reason, label: t(`handheld:damage.${reason}`), run: async (now) => ({ state: { ...now, step: "scan", damage: reason } }) })),
        actions: [back(t("handheld:action.back"))],
      };
    }
    const short = open.lines.filter((line) => !isZero(line.short));
    if (state.step === "close") {
      return {
        instruction: short.length > 0 ? t("handheld:receive.why_short") : t("handheld:receive.close_all"),
        expect: "nothing",
        facts: short.slice(0, 3).map((line) => ({ label: line.sku, value: `−${groupDigits(line.short)}`, tone: "warn" })),
        choices: short.length > 0
          ? [
              ...SHORTS.map((reason): Choice<State> => ({ id: reason, label: t(`handheld:short_receipt.${reason}`), run: (now, io) => close(now, reason, io) })),
              { id: "unknown", label: t("handheld:short_receipt.unknown"), sub: t("handheld:short_receipt.unknown_next"), run: (now, io) => close(now, null, io) },
            ]
          : [{ id: "close", label: t("handheld:receive.close"), strong: true, run: (now, io) => close(now, null, io) }],
        actions: [back(t("handheld:action.back"))],
      };
    }
    const actions: Choice<State>[] = [
      { id: "times", label: state.times ? `× ${state.times}` : t("handheld:action.quantity"), keypad: { kind: "number", title: t("handheld:receive.how_many") }, run: async (now, _, input) => ({ state: { ...now, times: input ?? null } }) },
      state.damage
        ? { id: "whole", label: t("handheld:receive.whole"), strong: true, run: async (now) => ({ state: { ...now, damage: null } }) }
        : { id: "damage", label: t("handheld:receive.damaged"), run: async (now) => ({ state: { ...now, step: "damage" } }) },
      ...(state.onto ? [{ id: "plate", label: t("handheld:receive.plate_full"), run: async (now: State) => ({ state: { ...now, onto: null } }) }] : []),
      { id: "close", label: t("handheld:receive.close"), run: async (now) => ({ state: { ...now, step: "close" } }) },
    ];
    return {
      instruction: state.damage ? t("handheld:receive.scan_damaged") : state.times ? t("handheld:receive.scan_times", { n: state.times }) : t("handheld:receive.scan_goods"),
      expect: "item",
      target: { text: open.asn?.code ?? open.number, sub: state.onto ? t("handheld:receive.onto", { plate: state.onto }) : open.dock_door.code, tone: state.damage ? "warn" : undefined },
      amount: { now: open.received, of: open.asn ? open.expected : undefined, unit: "each" },
      facts: [
        ...(state.last ? [{ label: state.last.name, value: state.last.count }] : []),
        ...(isZero(open.over) ? [] : [{ label: t("handheld:receive.over"), value: `+${groupDigits(open.over)}`, tone: "warn" as const }]),
        ...(isZero(open.damaged) ? [] : [{ label: t("handheld:receive.damaged"), value: groupDigits(open.damaged), tone: "bad" as const }]),
        ...(open.asn && short[0] && !state.last ? [{ label: t("handheld:receive.still", { sku: short[0].sku }), value: groupDigits(short[0].short) }] : []),
      ],
      actions,
    };
  },
};

function back(label: string): Choice<State> {
  return { id: "back", label, run: async (state) => ({ state: { ...state, step: "scan", asking: null, override: null } }) };
}

async function openFor(state: State, asnId: string, io: Io, door?: string): Promise<Outcome<State>> {
  try {
    const opened = await io.send((key) => openReceipt({ asn_id: asnId, dock_door_id: door }, key));
    return good({ ...state, step: "scan", receipt: opened }, opened.asn?.code ?? opened.number, opened.dock_door.code);
  } catch (error) {
    if (asProblem(error).field === "dock_door_id" && !door) return { state: { ...state, step: "door", asnId } };
    throw error;
  }
}

async function choose(state: State, code: string, io: Io): Promise<Outcome<State>> {
  const meaning = await io.read(() => lookUp(code)).catch((error: unknown) => {
    if (asProblem(error).status === 404) return null;
    throw error;
  });
  if (meaning?.kind === "asn") return openFor(state, meaning.id, io);
  if (meaning?.place_kind === "dock_door" && meaning.place_id) return atDoor(state, code, io, meaning.place_id);
  const named = await noticeOf(state, meaning?.license_plate_id ? meaning.code : code, io);
  if (named) {
    const opened = await openFor(state, named, io);
    if (opened.state.step !== "scan") return opened;
    return count(opened.state, code, {}, io);
  }
  return bad(state, io.t("handheld:receive.not_notice"), { expected: io.t("handheld:expect.order"), seen: meaning?.label ?? code });
}

/** The notice that names a scanned license plate. */
async function noticeOf(state: State, code: string, io: Io): Promise<string | null> {
  for (const notice of state.asns.filter((each) => each.plates_count > 0).slice(0, 12)) {
    const full = await io.read(() => asn(notice.id));
    if (full.plates.some((plate) => code.endsWith(plate.code))) return notice.id;
  }
  return null;
}

async function atDoor(state: State, code: string, io: Io, known?: string): Promise<Outcome<State>> {
  const doorId = known ?? (await io.read(() => lookUp(code)).then((meaning) => (meaning.place_kind === "dock_door" ? meaning.place_id : null)));
  if (!doorId) return bad(state, io.t("handheld:wrong.door"), { expected: io.t("handheld:expect.door"), seen: code });
  if (state.asnId) return openFor(state, state.asnId, io, doorId);
  const running = (await io.read(openReceipts)).find((each) => each.dock_door.id === doorId);
  if (running) {
    const opened = await io.read(() => receipt(running.id));
    return good({ ...state, step: "scan", receipt: opened }, opened.asn?.code ?? opened.number, opened.dock_door.code);
  }
  const coming = state.asns.filter((notice) => notice.dock_door?.id === doorId);
  if (coming.length === 1 && coming[0]) return openFor(state, coming[0].id, io, doorId);
  const opened = await io.send((key) => openReceipt({ dock_door_id: doorId }, key));
  return good({ ...state, step: "scan", receipt: opened }, io.t("handheld:receive.without_notice"), opened.dock_door.code);
}

async function count(state: State, code: string, extra: Extra, io: Io): Promise<Outcome<State>> {
  const { receipt: open } = state;
  if (!open) return { state };
  const full: Extra = { ...(state.times ? { quantity: state.times } : {}), ...extra };
  try {
    const done = await io.send((key) => scanIntoReceipt(open.id, { code, ...full, onto: state.onto ?? undefined }, key));
    const next: State = { ...state, step: "scan", receipt: done.receipt, times: null, asking: null, override: null, damage: null, extra: {} };
    if (done.outcome === "plate_opened") {
      const plate = code.replace(/\D/g, "").slice(-18) || code;
      return warn({ ...next, onto: plate, last: null }, io.t("handheld:receive.plate_opened"), { detail: plate });
    }
    const line = done.receipt.lines.find((each) => each.id === done.receipt_line_id);
    const total = line ? counted(line.received, line.expected) : groupDigits(done.units);
    const last = { name: line ? `${line.sku}${done.lot ? ` · ${done.lot}` : ""}` : code.slice(-18), count: total };
    const tone = line && open.asn && compareDecimal(line.received, line.expected) > 0 ? "warn" : "good";
    const single = done.to_scan_singly > 0 ? io.t("handheld:receive.scan_singly", { count: done.to_scan_singly }) : last.name;
    return { state: { ...next, last }, answer: { tone, title: `+${groupDigits(done.units)}`, detail: single } };
  } catch (error) {
    const problem = asProblem(error);
    const lacks = missing(error);
    if (lacks) {
      const meaning = await io.read(() => lookUp(code)).catch(() => null);
      const asking: Asking = { code, label: meaning?.sku ?? code, fields: lacks.fields, got: {}, times: 1 };
      return warn({ ...state, step: "ask", asking, extra: full }, io.t(`handheld:ask.${lacks.fields[0] ?? "lot"}`), { detail: asking.label });
    }
    if (problem.body["override_possible"] === true) {
      const refused = refusal(problem, io.t, code);
      return { state: { ...state, step: "override", override: { code, extra: full, title: refused.title, detail: refused.detail } }, answer: { ...refused, tone: "warn" } };
    }
    throw error;
  }
}

function counted(received: string, expected: string): string {
  return isZero(expected) ? groupDigits(received) : `${groupDigits(received)} / ${groupDigits(expected)}`;
}

async function answerAsked(state: State, asking: Asking, text: string, io: Io): Promise<Outcome<State>> {
  const taken = await take(asking, text, io);
  if (taken.kind === "refused") return warn(state, taken.title, { seen: text });
  if (taken.kind === "again") return warn({ ...state, asking: taken.asking }, io.t("handheld:ask.times", { n: taken.asking.times }), { detail: asking.label });
  if (taken.asking.fields.length > 0) return { state: { ...state, asking: taken.asking } };
  const { times, got } = taken.asking;
  const quantity = times > 1 ? String(times) : state.extra.quantity;
  return count({ ...state, times: null }, asking.code, { ...state.extra, ...got, ...(quantity ? { quantity } : {}) }, io);
}

async function takeAnyway(state: State, reason: string, io: Io): Promise<Outcome<State>> {
  const { override } = state;
  if (!override) return { state: { ...state, step: "scan" } };
  return count({ ...state, times: null }, override.code, { ...override.extra, reason }, io);
}

async function close(state: State, reason: string | null, io: Io): Promise<Outcome<State>> {
  const { receipt: open } = state;
  if (!open) return { state };
  const reasons = reason ? open.lines.filter((line) => !isZero(line.short)).map((line) => ({ line_id: line.id, reason })) : [];
  const closed = await io.send((key) => closeReceipt(open.id, reasons, key));
  const started = await receive.start(io);
  return good(started.state, io.t("handheld:receive.closed"), closed.asn?.code ?? closed.number);
}

// Packing: the bench once, order or tote, every item into the carton, the weight, closed. The scale at the bench weighs by itself.
import { asProblem } from "@/api/problem";
import { groupDigits, isZero, minus, plus } from "@/components/numbers";
import { bad, good, warn, type Flow, type Io, type Outcome, type T } from "../runtime";
import type { View } from "../view";
import {
  carton, closeCarton, labelsOf, lookUp, openCarton, packBenches, packItem, packOrders, reprint, weighCarton, type Carton, type PackBench, type PackOrder,
} from "../work";
import { askView, missing, take, type Asking } from "./ask";

export interface State {
  step: "bench" | "order" | "items" | "ask" | "closed";
  benches: PackBench[];
  bench: { id: string; code: string } | null;
  orders: PackOrder[];
  carton: Carton | null;
  order: PackOrder | null;
  times: string | null;
  asking: Asking | null;
  label: { id: string; state: string } | null;
}

const BENCH = "stowage.handheld.bench";

export const pack: Flow<State> = {
  async start(io, code) {
    const benches = await io.read(packBenches);
    const orders = await io.read(packOrders);
    const known = benches.find((each) => each.code === localStorage.getItem(BENCH)) ?? (benches.length === 1 ? benches[0] : undefined);
    const state: State = { step: "order", benches, bench: known ? { id: known.id, code: known.code } : null, orders, carton: null, order: null, times: null, asking: null, label: null };
    if (!state.bench) return { state: { ...state, step: "bench" } };
    if (known?.carton) return { state: await opened(state, known.carton, io) };
    return code ? start(state, code, io) : { state };
  },

  async scan(state, code, io) {
    if (state.step === "bench") return benchScanned(state, code, io);
    if (state.step === "ask" && state.asking && state.carton) return asked(state, state.carton, state.asking, code, io);
    if (state.step === "items" && state.carton) return item(state, state.carton, code, {}, io);
    return start(state, code, io);
  },

  async refresh(state, io) {
    const orders = await io.read(packOrders);
    const { carton: open } = state;
    if (!open || state.step === "closed") return { ...state, orders };
    const now = await io.read(() => carton(open.id));
    if (now.state !== "open") return { ...state, orders, carton: null, step: "order" };
    return { ...state, orders, carton: now, order: orders.find((each) => each.order_id === now.order_id) ?? state.order };
  },

  view(state, t) {
    if (state.step === "bench") {
      return {
        instruction: t("handheld:pack.scan_bench"), expect: "place",
        choices: state.benches.slice(0, 4).map((each) => ({ id: each.id, label: each.code, sub: each.name, run: (now: State, io: Io) => at(now, each, io) })),
      };
    }
    const { carton: open } = state;
    if (state.step === "ask" && state.asking) {
      return { ...askView<State>(state.asking, t), actions: [{ id: "back", label: t("handheld:action.back"), run: async (now) => ({ state: { ...now, step: "items", asking: null } }) }] };
    }
    if (state.step === "closed" && open) return closedView(state, open, t);
    if (state.step === "items" && open) return itemsView(state, open, t);
    return {
      instruction: t("handheld:pack.scan_order"), expect: "tote",
      choices: state.orders.slice(0, 4).map((each) => ({
        id: each.order_id, label: each.order_number, sub: [each.customer_name, each.where.join(", ")].filter(Boolean).join(" · "),
        run: (now: State, io: Io) => open_(now, { order_id: each.order_id }, io),
      })),
      facts: state.orders.length === 0 ? [{ label: t("handheld:pack.nothing"), value: "" }] : undefined,
      actions: state.benches.length > 1 ? [{ id: "bench", label: state.bench?.code ?? "", sub: t("handheld:pack.other_bench"), run: async (now) => ({ state: { ...now, step: "bench" } }) }] : [],
      everyMs: 10_000,
    };
  },
};

function progress(state: State, open: Carton): { packed: string; waiting: string } {
  const packed = open.contents.reduce((sum, each) => plus(sum, each.quantity), "0");
  const waiting = (state.order?.lines ?? []).reduce((sum, line) => plus(sum, line.picked), "0");
  return { packed, waiting };
}

function itemsView(state: State, open: Carton, t: T): View<State> {
  const { packed, waiting } = progress(state, open);
  const rest = (state.order?.lines ?? []).filter((line) => !isZero(line.picked));
  const complete = isZero(waiting) && !isZero(packed);
  const weighed = open.weight_g !== null;
  return {
    instruction: state.times ? t("handheld:pack.scan_times", { n: state.times }) : complete ? (weighed ? t("handheld:pack.close_now") : t("handheld:pack.weigh_now")) : t("handheld:pack.scan_item"),
    expect: complete ? "nothing" : "item",
    target: complete ? { text: open.order_number, tone: "good" } : { text: rest[0]?.sku ?? open.order_number, sub: rest[0]?.item_name },
    amount: { now: packed, of: plus(packed, waiting), unit: "each" },
    facts: [
      { label: t("common:field.weight"), value: weightText(open), tone: weightTone(open) },
      ...(complete ? [] : rest.slice(0, 2).map((line) => ({ label: line.sku, value: groupDigits(line.picked) }))),
      ...(state.order && !isZero(state.order.still_to_pick) ? [{ label: t("handheld:pack.still_to_pick"), value: groupDigits(state.order.still_to_pick), tone: "warn" as const }] : []),
    ],
    actions: [
      { id: "times", label: state.times ? `× ${state.times}` : t("handheld:action.quantity"), keypad: { kind: "number", title: t("handheld:pack.how_many") }, run: async (now, _, input) => ({ state: { ...now, times: input ?? null } }) },
      { id: "weigh", label: t("handheld:pack.weigh"), keypad: { kind: "number", title: t("handheld:pack.weight_g") }, run: (now, io, input) => weigh(now, open, input, io) },
      { id: "close", label: t("handheld:pack.close"), strong: complete && open.weight_check === "good", run: (now, io) => close(now, open, io) },
    ],
    everyMs: 1000,
  };
}

function weightText(open: Carton): string {
  const seen = open.weight_g === null ? "–" : groupDigits(open.weight_g);
  return open.expected_weight_g === null ? `${seen} g` : `${seen} / ${groupDigits(open.expected_weight_g)} ± ${groupDigits(open.tolerance_g)} g`;
}

function weightTone(open: Carton): "good" | "bad" | undefined {
  return open.weight_check === "good" ? "good" : open.weight_check === "off" ? "bad" : undefined;
}

function closedView(state: State, open: Carton, t: T): View<State> {
  const { label } = state;
  return {
    instruction: t("handheld:pack.stick_label"), expect: "tote",
    target: { text: open.sscc, sub: open.order_number, tone: "good" },
    facts: [
      { label: t("handheld:pack.label"), value: label ? t(`handheld:label.${label.state}` as "handheld:label.printed") : "–", tone: label?.state === "printed" ? "good" : "warn" },
      { label: t("common:field.weight"), value: weightText(open), tone: weightTone(open) },
    ],
    actions: [
      ...(label
        ? [{
            id: "again", label: t("handheld:pack.print_again"), run: async (now: State, io: Io) => {
              const printed = await io.send((key) => reprint(label.id, key));
              return good({ ...now, label: printed }, t("handheld:pack.printing"));
            },
          }]
        : []),
      { id: "next", label: t("handheld:pack.next"), strong: true, run: async (now, io) => ({ state: { ...now, step: "order", carton: null, order: null, label: null, orders: await io.read(packOrders) } }) },
    ],
    everyMs: label?.state === "waiting" ? 1500 : undefined,
  };
}

async function benchScanned(state: State, code: string, io: Io): Promise<Outcome<State>> {
  const meaning = await io.read(() => lookUp(code));
  const bench = state.benches.find((each) => each.id === meaning.place_id);
  if (!bench) return bad(state, io.t("handheld:pack.not_bench"), { expected: io.t("handheld:pack.a_bench"), seen: meaning.label });
  return at(state, bench, io);
}

async function at(state: State, bench: PackBench, io: Io): Promise<Outcome<State>> {
  localStorage.setItem(BENCH, bench.code);
  const here: State = { ...state, bench: { id: bench.id, code: bench.code }, step: "order" };
  if (bench.carton) return good(await opened(here, bench.carton, io), bench.code, bench.carton.order_number);
  return good(here, bench.code);
}

async function opened(state: State, open: Carton, io: Io): Promise<State> {
  const orders = await io.read(packOrders);
  return { ...state, step: "items", carton: open, orders, order: orders.find((each) => each.order_id === open.order_id) ?? null, times: null, asking: null, label: null };
}

const start = (state: State, code: string, io: Io) => open_(state, { code }, io);

async function open_(state: State, what: { code: string } | { order_id: string }, io: Io): Promise<Outcome<State>> {
  const made = await io.send((key) => openCarton({ ...what, bench_id: state.bench?.id }, key));
  return good(await opened(state, made, io), made.order_number, io.t("handheld:pack.carton_n", { n: made.position }));
}

async function item(state: State, open: Carton, code: string, extra: { lot?: string; serial?: string }, io: Io): Promise<Outcome<State>> {
  const before = progress(state, open).packed;
  try {
    const units = state.times ? await perScan(code, state.times, io) : undefined;
    const now = await io.send((key) => packItem(open.id, { code, quantity: units, ...extra }, key));
    const next = await opened({ ...state }, now, io);
    const { packed, waiting } = progress(next, now);
    return good(next, `+${groupDigits(minus(packed, before))}`, `${groupDigits(packed)} / ${groupDigits(plus(packed, waiting))}`);
  } catch (error) {
    const lacks = missing(error);
    if (!lacks) throw error;
    const label = await io.read(() => lookUp(code)).then((meaning) => meaning.sku ?? code).catch(() => code);
    return warn({ ...state, step: "ask", asking: { code, label, fields: lacks.fields, got: {}, times: 1 } }, io.t(`handheld:ask.${lacks.fields[0] ?? "lot"}`), { detail: label });
  }
}

/** The backend takes base units; the worker counts what was scanned (cases for a case code). */
async function perScan(code: string, times: string, io: Io): Promise<string> {
  const { units } = await io.read(() => lookUp(code));
  return String(BigInt(times) * BigInt(units.split(".")[0] ?? "1"));
}

async function asked(state: State, open: Carton, asking: Asking, text: string, io: Io): Promise<Outcome<State>> {
  const taken = await take(asking, text, io);
  if (taken.kind === "refused") return warn(state, taken.title, { seen: text });
  if (taken.kind === "again") return warn({ ...state, asking: taken.asking }, io.t("handheld:ask.times", { n: taken.asking.times }));
  if (taken.asking.fields.length > 0) return { state: { ...state, asking: taken.asking } };
  const { times, got } = taken.asking;
  return item({ ...state, step: "items", times: times > 1 ? String(times) : state.times }, open, asking.code, { lot: got.lot, serial: got.serial }, io);
}

async function weigh(state: State, open: Carton, grams: string | undefined, io: Io): Promise<Outcome<State>> {
  if (!grams) return { state };
  const now = await io.send((key) => weighCarton(open.id, grams, key));
  const next = { ...state, carton: now };
  const more = { expected: now.expected_weight_g ? `${groupDigits(now.expected_weight_g)} g` : undefined, seen: `${groupDigits(grams)} g` };
  return now.weight_check === "off" ? bad(next, io.t("handheld:pack.weight_off"), more) : good(next, `${groupDigits(grams)} g`);
}

async function close(state: State, open: Carton, io: Io): Promise<Outcome<State>> {
  try {
    const closed = await io.send((key) => closeCarton(open.id, key));
    const labels = await io.read(() => labelsOf(closed.id));
    return good({ ...state, step: "closed", carton: closed, label: labels[0] ?? null }, io.t("handheld:pack.closed"), closed.sscc);
  } catch (error) {
    const { body } = asProblem(error);
    if (!body.type.endsWith("weight-differs")) throw error;
    const seen = typeof body["weight_g"] === "string" ? `${groupDigits(body["weight_g"])} g` : undefined;
    const expected = typeof body["expected_weight_g"] === "string" ? `${groupDigits(body["expected_weight_g"])} g` : undefined;
    if (!seen) return warn(state, io.t("handheld:pack.weigh_first"), { expected });
    return bad(state, io.t("handheld:pack.weight_off"), { expected, seen });
  }
}

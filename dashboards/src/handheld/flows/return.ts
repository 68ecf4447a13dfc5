// Returns: the order (or a carton of it, or none), then each item: why it came back and its grade. Each is booked on its own.
import { asProblem } from "@/api/problem";
import { groupDigits, isZero, plus } from "@/components/numbers";
import { bad, good, refusal, warn, type Flow, type Io, type Outcome, type T } from "../runtime";
import type { Choice } from "../view";
import {
  addReturnLine, beginReturn, carton, customerReturn, lookUp, orderOf, returnable, returnsOfOrder, type CustomerReturn, type Returnable,
} from "../work";
import { askView, missing, take, type Asking } from "./ask";

const REASONS = ["not_wanted", "wrong_item", "arrived_damaged", "does_not_work", "other"] as const;
const GRADES = ["as_new", "opened", "damaged", "unusable"] as const;
type Reason = (typeof REASONS)[number];
type Grade = (typeof GRADES)[number];
type Extra = Asking["got"];

/** What is in the worker's hands, and can come back. `scans`: how often its code stands for it. */
interface Held {
  code: string;
  scans: string;
  extra: Extra;
  what: Returnable;
}

export interface State {
  step: "order" | "scan" | "ask" | "why" | "grade";
  order: { id: string; number: string; customer: string } | null;
  /** The worker said: without an order. Else a serial may still tell it. */
  blind: boolean;
  entry: CustomerReturn | null;
  times: string | null;
  asking: Asking | null;
  held: Held | null;
  reason: Reason | null;
  last: { name: string; to: string } | null;
}

const BLANK: State = { step: "order", order: null, blind: false, entry: null, times: null, asking: null, held: null, reason: null, last: null };

export const takeBack: Flow<State> = {
  start: async (io, code) => (code ? begin(BLANK, code, io) : { state: BLANK }),

  async scan(state, code, io) {
    if (state.step === "order") return begin(state, code, io);
    if (state.step === "ask" && state.asking) return asked(state, state.asking, code, io);
    if (state.held) return another(state, state.held, code, io);
    return item(state, code, {}, state.times ?? "1", io);
  },

  async refresh(state, io) {
    const { entry } = state;
    return { ...state, entry: entry ? await io.read(() => customerReturn(entry.id)) : null, last: null };
  },

  view(state, t) {
    if (state.step === "order") {
      return {
        instruction: t("handheld:return.scan_order"), expect: "returned",
        choices: [{ id: "blind", label: t("handheld:return.blind"), sub: t("handheld:return.blind_next"), run: async (now) => ({ state: { ...now, step: "scan", blind: true } }) }],
      };
    }
    if (state.step === "ask" && state.asking) return { ...askView<State>(state.asking, t), actions: [leave(t)] };
    const { held } = state;
    if (held) {
      const target = { text: held.what.sku, small: true, sub: [`${groupDigits(held.what.units)} ×`, held.what.name, held.what.lot ?? held.what.serial].filter(Boolean).join(" ") };
      if (!state.reason) {
        return {
          instruction: t("handheld:return.why"), expect: "nothing", target, actions: [leave(t)],
          choices: REASONS.map((reason) => ({ id: reason, label: t(`common:return_reason.${reason}`), run: async (now) => ({ state: { ...now, step: "grade", reason } }) })),
        };
      }
      const reason = state.reason;
      return {
        instruction: t("handheld:return.which_grade"), expect: "nothing", target, grid: true, actions: [{ id: "why", label: t("handheld:action.back"), run: async (now) => ({ state: { ...now, step: "why", reason: null } }) }],
        choices: GRADES.map((grade) => ({
          id: grade, label: t(`common:grade.${grade}`), sub: grade === "as_new" ? t("handheld:return.on_sale") : t("handheld:return.set_aside"),
          run: (now, io) => book(now, held, reason, grade, io),
        })),
      };
    }
    const came = standing(state.entry).reduce((sum, line) => plus(sum, line.quantity), "0");
    return {
      instruction: state.times ? t("handheld:return.scan_times", { n: state.times }) : t("handheld:return.scan_item"),
      expect: "item",
      target: { text: state.order?.number ?? t("handheld:return.blind"), sub: [state.order?.customer, state.entry?.number].filter(Boolean).join(" · ") },
      amount: { now: came, unit: "each" },
      facts: state.last ? [{ label: state.last.name, value: state.last.to }] : [],
      actions: [
        { id: "times", label: state.times ? `× ${state.times}` : t("handheld:action.quantity"), keypad: { kind: "number", title: t("handheld:return.how_many") }, run: async (now, _, input) => ({ state: { ...now, times: input ?? null } }) },
        { id: "done", label: t(state.entry ? "handheld:return.done" : "handheld:action.back"), strong: !isZero(came), run: async (now, io) => done(now, io) },
      ],
    };
  },
};

const standing = (entry: CustomerReturn | null) => (entry?.lines ?? []).filter((line) => !line.taken_back);

function leave(t: T): Choice<State> {
  return { id: "leave", label: t("handheld:return.leave_it"), run: async (state) => ({ state: { ...state, step: begun(state) ? "scan" : "order", asking: null, held: null, reason: null } }) };
}

const begun = (state: State) => state.order !== null || state.entry !== null || state.blind;

async function begin(state: State, code: string, io: Io): Promise<Outcome<State>> {
  const meaning = await io.read(() => lookUp(code)).catch(nothing);
  if (meaning?.kind === "sales_order") return forOrder(state, meaning.id, io);
  if (meaning?.license_plate_id && !meaning.item_id) {
    const plateId = meaning.license_plate_id;
    const packed = await io.read(() => carton(plateId)).catch(nothing);
    if (packed) return forOrder(state, packed.order_id, io);
  }
  if (meaning && !meaning.item_id) return bad(state, io.t("handheld:return.not_order"), { expected: io.t("handheld:expect.returned"), seen: meaning.label });
  return item(state, code, {}, "1", io);
}

function nothing(error: unknown): null {
  if (asProblem(error).status === 404) return null;
  throw error;
}

/** Goes on with a return of the same order that was begun today, so that nothing is lost when a handheld dies. */
async function forOrder(state: State, orderId: string, io: Io): Promise<Outcome<State>> {
  const found = await io.read(() => orderOf(orderId));
  if (found.lines.every((line) => isZero(line.shipped))) {
    return bad(state, io.t("handheld:return.not_shipped"), { expected: io.t("handheld:return.a_shipped_order"), seen: found.number });
  }
  const [newest] = await io.read(() => returnsOfOrder(orderId));
  const order = { id: found.id, number: found.number, customer: found.customer_name };
  return good({ ...BLANK, step: "scan", order, entry: newest?.takes_lines ? newest : null }, order.number, order.customer);
}

async function item(state: State, code: string, extra: Extra, scans: string, io: Io): Promise<Outcome<State>> {
  try {
    const what = await io.read(() => returnable({ code, ...extra, quantity: scans, order_id: state.order?.id }));
    if (!begun(state) && what.order_id) {
      const told = await forOrder(state, what.order_id, io);
      return told.state.order ? item(told.state, code, extra, scans, io) : told;
    }
    const held: Held = { code, scans, extra, what };
    return good({ ...state, step: "why", asking: null, held, reason: null }, what.sku, what.name);
  } catch (error) {
    const lacks = missing(error);
    if (lacks) {
      const label = await io.read(() => lookUp(code)).then((meaning) => meaning.sku ?? code).catch(() => code);
      return warn({ ...state, step: "ask", asking: { code, label, fields: lacks.fields, got: extra, times: Number(scans) } }, io.t(`handheld:ask.${lacks.fields[0] ?? "lot"}`), { detail: label });
    }
    const refused = refusal(asProblem(error), io.t, code);
    const expected = !begun(state) ? io.t("handheld:expect.returned") : io.t("handheld:expect.item");
    return { state, answer: { ...refused, expected: refused.expected ?? (asProblem(error).field === "code" ? expected : undefined) } };
  }
}

/** A scan while something is in hand: once more the same, or it has to wait. */
async function another(state: State, held: Held, code: string, io: Io): Promise<Outcome<State>> {
  if (code !== held.code || held.what.serial) return warn(state, io.t("handheld:return.first_finish", { item: held.what.sku }), { seen: code });
  const scans = plus(held.scans, "1");
  try {
    const what = await io.read(() => returnable({ code, ...held.extra, quantity: scans, order_id: state.order?.id }));
    return good({ ...state, held: { ...held, scans, what } }, `${groupDigits(what.units)} ×`, what.sku);
  } catch (error) {
    return { state, answer: { ...refusal(asProblem(error), io.t, code), detail: undefined } };
  }
}

async function asked(state: State, asking: Asking, text: string, io: Io): Promise<Outcome<State>> {
  const taken = await take(asking, text, io);
  if (taken.kind === "refused") return warn(state, taken.title, { seen: text });
  if (taken.kind === "again") return warn({ ...state, asking: taken.asking }, io.t("handheld:ask.times", { n: taken.asking.times }), { detail: asking.label });
  if (taken.asking.fields.length > 0) return { state: { ...state, asking: taken.asking } };
  return item(state, asking.code, taken.asking.got, String(taken.asking.times), io);
}

async function book(state: State, held: Held, reason: Reason, grade: Grade, io: Io): Promise<Outcome<State>> {
  const line = { code: held.code, quantity: held.scans, ...held.extra, reason: reason.replaceAll("_", " "), grade };
  const { entry: open, order } = state;
  const put = { ...state, times: null, held: null, reason: null };
  let entry: CustomerReturn;
  try {
    entry = await io.send((key) => (open ? addReturnLine(open.id, line, key) : beginReturn({ order_id: order?.id, lines: [line] }, key)));
  } catch (error) {
    if (asProblem(error).status === 0) throw error;
    return { state: { ...put, step: begun(state) ? "scan" : "order" }, answer: refusal(asProblem(error), io.t, held.code) };
  }
  const booked = entry.lines.at(-1);
  const name = `${groupDigits(booked?.quantity ?? held.what.units)} × ${held.what.sku}`;
  const to = [booked?.place, io.t(`common:state.${booked?.status ?? "quarantine"}`)].filter(Boolean).join(" · ");
  return good({ ...put, step: "scan", entry, last: { name, to } }, to, name);
}

async function done(state: State, io: Io): Promise<Outcome<State>> {
  const { entry } = state;
  if (!entry) return { state: BLANK };
  return good(BLANK, io.t("handheld:return.finished"), `${entry.number} · ${io.t("handheld:receive.lines", { count: standing(entry).length })}`);
}

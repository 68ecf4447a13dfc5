// Picking: the bin, the item, how many, the tote. A wrong scan goes to the backend as it is, which records it and refuses.
import { asProblem } from "@/api/problem";
import { compareDecimal, groupDigits, isZero, plus } from "@/components/numbers";
import { bad, good, refusal, warn, type Flow, type Io, type Outcome } from "../runtime";
import { confirmPick, lookUp, nextPick, pickTask, shortPick, skipPick, zeroCheck, type PickTask } from "../work";
import { askView, missing, take, type Asking } from "./ask";

export interface State {
  step: "none" | "place" | "item" | "tote" | "zero" | "short" | "skip" | "ask" | "lot";
  task: PickTask | null;
  place: string | null;
  code: string | null;
  /** What was scanned so far; null after one scan, which stands for all that is asked. */
  scans: number;
  quantity: string | null;
  tote: { code: string; order: string } | null;
  /** The task whose bin should be empty. */
  emptied: PickTask | null;
  asking: Asking | null;
  lot: string | null;
  into: string | null;
}

const SHORTS = ["empty", "too_few", "damaged", "not_found"] as const;
const SKIPS = ["blocked", "too_heavy", "later"] as const;
const BLANK: State = { step: "none", task: null, place: null, code: null, scans: 0, quantity: null, tote: null, emptied: null, asking: null, lot: null, into: null };

export const pick: Flow<State> = {
  start: (io) => next(BLANK, io),

  async scan(state, code, io) {
    const { task } = state;
    if (!task) return next(state, io);
    switch (state.step) {
      case "ask":
        return state.asking ? asked(state, state.asking, code, io) : { state };
      case "item":
        return item(state, task, code, io);
      case "tote":
        return tote(state, task, code, io);
      case "zero":
        return warn(state, io.t("handheld:pick.answer_first"), { seen: code });
      default:
        return place({ ...state, step: "place" }, task, code, io);
    }
  },

  async refresh(state, io) {
    const task = state.task ? await io.read(() => pickTask(state.task?.id ?? "")) : null;
    if (task && task.state === "claimed") return { ...state, ...again(state), task };
    return (await next(state, io)).state;
  },

  view(state, t) {
    const { task } = state;
    if (state.step === "zero" && state.emptied) {
      return {
        instruction: t("handheld:pick.is_empty"),
        expect: "nothing",
        target: { text: state.emptied.place_code, sub: state.emptied.sku },
        choices: [
          { id: "empty", label: t("handheld:pick.empty"), strong: true, run: (now, io) => emptied(now, "0", io) },
          { id: "left", label: t("handheld:pick.not_empty"), keypad: { kind: "number", title: t("handheld:pick.how_many_left") }, run: (now, io, input) => emptied(now, input ?? "1", io) },
        ],
      };
    }
    if (!task) {
      return {
        instruction: t("handheld:pick.nothing"),
        expect: "nothing",
        choices: [{ id: "again", label: t("handheld:pick.look_again"), run: (now, io) => next(now, io) }],
        everyMs: 5000,
      };
    }
    const name = { label: task.item_name_i18n[t("handheld:language_code")] as string | undefined ?? task.item_name, value: task.sku };
    const order = { label: t("common:field.order"), value: task.order_number };
    const lot = task.lot_code ? [{ label: t("common:field.lot"), value: task.lot_code + (task.expires_on ? ` · ${task.expires_on}` : "") }] : [];
    const escapes = [
      { id: "short", label: t("handheld:pick.short"), run: async (now: State) => ({ state: { ...now, step: "short" as const } }) },
      { id: "skip", label: t("handheld:pick.skip"), run: async (now: State) => ({ state: { ...now, step: "skip" as const } }) },
    ];
    const backAction = { id: "back", label: t("handheld:action.back"), run: async (now: State) => ({ state: { ...now, step: "place" as const, place: null, code: null, scans: 0 } }) };
    switch (state.step) {
      case "ask":
        return state.asking ? { ...askView<State>(state.asking, t), actions: [backAction] } : { instruction: "", expect: "anything" };
      case "lot":
        return {
          instruction: t("handheld:pick.other_lot", { lot: task.lot_code ?? "" }),
          expect: "item",
          target: { text: state.lot ?? "", tone: "warn" },
          choices: [{ id: "lot", label: t("handheld:pick.take_lot"), run: (now, io) => confirm(now, task, now.into, io, true) }],
          actions: [backAction],
        };
      case "short":
        return {
          instruction: t("handheld:pick.why_short"), expect: "nothing", target: { text: task.place_code, sub: task.sku },
          choices: SHORTS.map((reason) => ({ id: reason, label: t(`handheld:short.${reason}`), run: (now: State, io: Io) => short(now, reason, io) })),
          actions: [backAction],
        };
      case "skip":
        return {
          instruction: t("handheld:pick.why_skip"), expect: "nothing", target: { text: task.place_code, sub: task.sku },
          choices: SKIPS.map((reason) => ({
            id: reason, label: t(`handheld:skip.${reason}`), run: async (now: State, io: Io) => {
              await io.send((key) => skipPick(task.id, reason, key));
              return next(now, { ...io, send: (ask) => io.send((key) => ask({ "idempotency-key": `${key["idempotency-key"]}-next` })) });
            },
          })),
          actions: [backAction],
        };
      case "tote": {
        const kept = state.tote && state.tote.order === task.order_id ? state.tote.code : null;
        const full = state.scans <= 1 && state.quantity === null;
        return {
          instruction: kept ? t("handheld:pick.scan_tote_named", { tote: kept }) : t("handheld:pick.scan_tote"),
          expect: "tote",
          target: { text: task.sku, sub: name.label, tone: "good" },
          amount: { now: taken(state, task), of: full ? undefined : task.remaining, unit: task.unit },
          facts: [order, ...lot],
          actions: [
            { id: "quantity", label: t("handheld:action.quantity"), keypad: { kind: "number", title: t("handheld:pick.how_many") }, run: async (now, io, input) => amount(now, task, input, io) },
            kept
              ? { id: "same", label: kept, sub: t("handheld:pick.same_tote"), strong: true, run: (now, io) => confirm(now, task, kept, io) }
              : { id: "none", label: t("handheld:pick.no_tote"), run: (now, io) => confirm(now, task, null, io) },
            ...escapes.slice(0, 1),
          ],
        };
      }
      case "item":
        return {
          instruction: t("handheld:pick.scan_item"), expect: "item",
          target: { text: task.sku, sub: name.label },
          amount: { now: task.remaining, unit: task.unit },
          facts: [{ label: t("common:field.place"), value: task.place_code }, ...lot, ...(task.serial ? [{ label: t("common:field.serial"), value: task.serial }] : []), order],
          actions: escapes,
        };
      default:
        return {
          instruction: t("handheld:pick.go_to"), expect: "place",
          target: { text: task.place_code },
          amount: { now: task.remaining, unit: task.unit },
          facts: [name, ...lot, order],
          actions: escapes,
        };
    }
  },
};

function again(state: State): Partial<State> {
  return { step: state.place ? "item" : "place", code: null, scans: 0, quantity: null, asking: null, lot: null };
}

async function next(state: State, io: Io): Promise<Outcome<State>> {
  const task = (await io.send(nextPick)) ?? null;
  const here = task && state.place && task.place_id === state.task?.place_id ? state.place : null;
  return { state: { ...BLANK, tote: state.tote, task, place: here, step: task ? (here ? "item" : "place") : "none" } };
}

async function place(state: State, task: PickTask, code: string, io: Io): Promise<Outcome<State>> {
  let right = code.toUpperCase() === task.place_code.toUpperCase();
  if (!right) {
    const meaning = await io.read(() => lookUp(code)).catch(() => null);
    right = meaning?.kind === "place" && meaning.place_id === task.place_id;
  }
  if (right) return good({ ...state, step: "item", place: code }, task.place_code);
  await io.send((key) => confirmPick(task.id, { place: code, code }, key)); // refused with expected and seen, and recorded
  return { state };
}

async function item(state: State, task: PickTask, code: string, io: Io): Promise<Outcome<State>> {
  const meaning = await io.read(() => lookUp(code)).catch((error: unknown) => {
    if (asProblem(error).status === 404) return null;
    throw error;
  });
  const fits = meaning !== null && (meaning.item_id === task.item_id || (meaning.license_plate_id !== null && meaning.license_plate_id === task.license_plate_id));
  if (!fits) {
    await io.send((key) => confirmPick(task.id, { place: state.place ?? task.place_code, code }, key));
    return { state };
  }
  return good({ ...state, step: "tote", code, scans: 1, quantity: null, lot: meaning.lot_code }, meaning.sku ?? task.sku, `× ${groupDigits(taken({ ...state, scans: 1, quantity: null }, task))}`);
}

/** One scan of the item stands for all; who scans each one counts them. */
async function tote(state: State, task: PickTask, code: string, io: Io): Promise<Outcome<State>> {
  const meaning = await io.read(() => lookUp(code)).catch(() => null);
  if (meaning && meaning.item_id === task.item_id) {
    const quantity = plus(state.scans <= 1 && state.quantity === null ? (await firstUnits(state, io)) : (state.quantity ?? "0"), meaning.units);
    if (compareDecimal(quantity, task.remaining) > 0) return bad(state, io.t("handheld:pick.too_many"), { expected: groupDigits(task.remaining), seen: groupDigits(quantity) });
    return good({ ...state, scans: state.scans + 1, quantity }, `${groupDigits(quantity)} / ${groupDigits(task.remaining)}`, task.sku);
  }
  return confirm(state, task, code, io);
}

const firstUnits = (state: State, io: Io) => io.read(() => lookUp(state.code ?? "")).then((meaning) => meaning.units);

function taken(state: State, task: PickTask): string {
  return state.quantity ?? task.remaining;
}

async function amount(state: State, task: PickTask, input: string | undefined, io: Io): Promise<Outcome<State>> {
  if (!input || isZero(input) || compareDecimal(input, task.remaining) > 0) return bad(state, io.t("handheld:pick.too_many"), { expected: groupDigits(task.remaining), seen: input });
  return { state: { ...state, quantity: input, scans: Math.max(2, state.scans) } };
}

async function confirm(state: State, task: PickTask, into: string | null, io: Io, changeLot = false, serial?: string): Promise<Outcome<State>> {
  const kind = (problem: ReturnType<typeof asProblem>) => problem.body.type.split("/").at(-1);
  try {
    const done = await io.send((key) =>
      confirmPick(task.id, {
        place: state.place ?? task.place_code, code: state.code ?? "", quantity: taken(state, task), tote: into ?? undefined, change_lot: changeLot,
        lot: state.lot ?? undefined, serial,
      }, key),
    );
    const kept = into ? { code: into, order: task.order_id } : state.tote;
    const title = `${groupDigits(done.quantity)} × ${task.sku}`;
    const before: State = { ...state, ...again(state), tote: kept, task: done.task };
    if (done.zero_check) return good({ ...before, step: "zero", emptied: done.task }, title, into ?? undefined);
    if (done.task.state !== "done") return good(before, title, into ?? undefined);
    return good((await next(before, second(io))).state, title, into ?? undefined);
  } catch (error) {
    const problem = asProblem(error);
    const lacks = missing(error);
    if (lacks) return warn({ ...state, step: "ask", into, asking: { code: state.code ?? "", label: task.sku, fields: lacks.fields, got: {}, times: 1 } }, io.t(`handheld:ask.${lacks.fields[0] ?? "lot"}`), { detail: task.sku });
    if (kind(problem) === "wrong-pick" && problem.body["what"] === "lot") {
      return { state: { ...state, step: "lot", into, lot: String(problem.body["seen"]) }, answer: refusal(problem, io.t) };
    }
    if (kind(problem) === "wrong-pick" && problem.body["what"] !== "tote") return { state: { ...state, ...again(state) }, answer: refusal(problem, io.t) };
    throw error;
  }
}

/** The second command of the same action has a key of its own. */
function second(io: Io): Io {
  return { ...io, send: (ask) => io.send((key) => ask({ "idempotency-key": `${key["idempotency-key"]}-2` })) };
}

async function asked(state: State, asking: Asking, text: string, io: Io): Promise<Outcome<State>> {
  const { task } = state;
  const taken_ = await take(asking, text, io);
  if (taken_.kind !== "taken" || !task) return warn(state, taken_.kind === "refused" ? taken_.title : io.t(`handheld:ask.${asking.fields[0] ?? "lot"}`), { seen: text });
  if (taken_.asking.fields.length > 0) return { state: { ...state, asking: taken_.asking } };
  return confirm({ ...state, step: "tote", lot: taken_.asking.got.lot ?? state.lot }, task, state.into, io, false, taken_.asking.got.serial);
}

async function emptied(state: State, left: string, io: Io): Promise<Outcome<State>> {
  const { emptied: task } = state;
  if (!task) return next(state, io);
  await io.send((key) => zeroCheck(task.id, left, key));
  const on: State = { ...state, emptied: null };
  if (task.state !== "done") return { state: { ...on, step: "item" } };
  const found = (await next(on, second(io))).state;
  return isZero(left) ? { state: found } : warn(found, io.t("handheld:pick.count_asked"), { detail: task.place_code });
}

async function short(state: State, reason: (typeof SHORTS)[number], io: Io): Promise<Outcome<State>> {
  const { task } = state;
  if (!task) return next(state, io);
  const done = await io.send((key) => shortPick(task.id, reason, "0", key));
  if (done.next) return warn({ ...BLANK, tote: state.tote, task: done.next, step: "place" }, io.t("handheld:pick.other_bin"), { detail: done.next.place_code });
  const found = (await next({ ...state, place: null }, second(io))).state;
  return warn(found, io.t("handheld:pick.waits", { n: groupDigits(done.missing) }), { detail: task.sku });
}

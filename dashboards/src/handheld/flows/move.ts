// Moving: what, (from where, for loose goods,) where to.
import { asProblem } from "@/api/problem";
import { bad, good, warn, type Flow, type Io, type Outcome } from "../runtime";
import type { Choice } from "../view";
import { lookUp, move as moveStock, type LookedUp } from "../work";

export interface State {
  code: string | null;
  what: LookedUp | null;
  from: string | null;
  to: string | null;
  quantity: string | null;
  lots: string[];
}

const BLANK: State = { code: null, what: null, from: null, to: null, quantity: null, lots: [] };

export const move: Flow<State> = {
  start: async (io, code) => (code ? whatScanned(BLANK, code, io) : { state: BLANK }),

  async scan(state, code, io) {
    if (!state.what) return whatScanned(state, code, io);
    if (isLoose(state.what) && !state.from) return placeScanned(state, code, io);
    return to(state, code, null, io);
  },

  refresh: async () => BLANK,

  view(state, t) {
    const { what } = state;
    if (!what) return { instruction: t("handheld:move.scan_what"), expect: "item" };
    const restart: Choice<State> = { id: "again", label: t("handheld:move.something_else"), run: async () => ({ state: BLANK }) };
    const quantity: Choice<State> = { id: "quantity", label: t("handheld:action.quantity"), keypad: { kind: "number", title: t("handheld:move.how_many") }, run: async (now, _, input) => ({ state: { ...now, quantity: input ?? null } }) };
    const name = what.sku ?? what.code;
    const facts = [{ label: what.label, value: what.lot_code ?? what.serial ?? "" }];
    const amount = isLoose(what) ? { now: state.quantity ?? "1", unit: what.pack_name ?? "each" } : undefined;
    if (state.lots.length > 0) {
      return {
        instruction: t("handheld:ask.lot"), expect: "anything", target: { text: name },
        choices: state.lots.slice(0, 4).map((lot) => ({ id: lot, label: lot, run: (now: State, io: Io) => to(now, now.to ?? "", lot, io) })),
        actions: [restart],
      };
    }
    if (isLoose(what) && !state.from) return { instruction: t("handheld:move.scan_from"), expect: "place", target: { text: name }, amount, facts, actions: [quantity, restart] };
    return {
      instruction: t("handheld:move.scan_to"), expect: "place", target: { text: name, sub: state.from ? t("handheld:move.from", { place: state.from }) : undefined },
      amount, facts, actions: isLoose(what) ? [quantity, restart] : [restart],
    };
  },
};

const isLoose = (what: LookedUp) => what.item_id !== null && what.serial === null && what.kind !== "tag";

async function whatScanned(state: State, code: string, io: Io): Promise<Outcome<State>> {
  const what = await io.read(() => lookUp(code));
  if (!what.item_id && !what.license_plate_id) return bad(state, io.t("handheld:wrong.item"), { expected: io.t("handheld:expect.item"), seen: what.label });
  return good({ ...BLANK, code, what }, what.sku ?? what.code, what.label);
}

async function placeScanned(state: State, code: string, io: Io): Promise<Outcome<State>> {
  const place = await io.read(() => lookUp(code));
  if (place.kind !== "place") return bad(state, io.t("handheld:wrong.place"), { expected: io.t("handheld:expect.place"), seen: place.label });
  return good({ ...state, from: place.code }, place.code);
}

async function to(state: State, place: string, lot: string | null, io: Io): Promise<Outcome<State>> {
  try {
    await io.send((key) => moveStock({ code: state.code ?? "", to_place: place, from_place: state.from ?? undefined, quantity: state.quantity ?? undefined, lot: lot ?? undefined }, key));
    return good(BLANK, place, state.what?.sku ?? state.what?.code);
  } catch (error) {
    const { body } = asProblem(error);
    if (!body.type.endsWith("say-which-lot")) throw error;
    return warn({ ...state, to: place, lots: (body["lots"] as string[] | undefined) ?? [] }, io.t("handheld:ask.lot"));
  }
}

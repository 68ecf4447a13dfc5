// Look up: scan anything; what it is, where, how many, its history.
import { groupDigits } from "@/components/numbers";
import { ageOf } from "@/components/times";
import { good, type Flow, type Io, type Outcome, type T } from "../runtime";
import type { View } from "../view";
import { balances, itemStock, lookUp, movements, unit, type LookedUp } from "../work";

interface Row {
  head: string;
  tail: string;
  sub?: string;
}

export interface State {
  code: string | null;
  what: LookedUp | null;
  total: { now: string; free: string; unit: string } | null;
  here: Row[];
  past: Row[];
}

type Moves = Awaited<ReturnType<typeof movements>>;
type Balances = Awaited<ReturnType<typeof balances>>;

const BLANK: State = { code: null, what: null, total: null, here: [], past: [] };

export const lookup: Flow<State> = {
  start: async (io, code) => (code ? show(code, io) : { state: BLANK }),
  scan: (_, code, io) => show(code, io),
  refresh: async (state, io) => (state.code ? (await show(state.code, io)).state : state),

  view(state, t): View<State> {
    const { what } = state;
    if (!what) return { instruction: t("handheld:lookup.scan"), expect: "anything" };
    return {
      instruction: t(`common:kind.${what.kind}` as "common:kind.item"),
      expect: "anything",
      target: { text: what.sku ?? what.code, sub: what.label },
      amount: state.total ? { now: state.total.now, unit: state.total.unit } : undefined,
      facts: [
        ...(state.total ? [{ label: t("common:field.available"), value: groupDigits(state.total.free) }] : []),
        ...(what.lot_code ? [{ label: t("common:field.lot"), value: what.lot_code + (what.expires_on ? ` · ${what.expires_on}` : "") }] : []),
        ...(what.serial ? [{ label: t("common:field.serial"), value: what.serial }] : []),
      ],
      list: [
        { title: t("handheld:lookup.here"), rows: state.here.length > 0 ? state.here : [{ head: t("handheld:lookup.nowhere"), tail: "" }] },
        { title: t("handheld:lookup.past"), rows: state.past },
      ],
    };
  },
};

async function show(code: string, io: Io): Promise<Outcome<State>> {
  const what = await io.read(() => lookUp(code));
  const blank = { ...BLANK, code, what };
  if (what.kind === "place" && what.place_id) {
    const [stock, moves] = [await io.read(() => balances({ place_id: what.place_id ?? "" })), await io.read(() => movements({ place_id: what.place_id ?? "" }))];
    return good({ ...blank, here: stock.map(byItem), past: moves.map((each) => past(each, io.t)) }, what.code);
  }
  if (what.license_plate_id || what.serial || what.epc) {
    const found = await io.read(() => unit(code));
    return good({ ...blank, here: found.here.map(what.item_id ? byPlace : byItemAndPlace), past: found.movements.slice(0, 6).map((each) => past(each, io.t)) }, what.sku ?? what.code);
  }
  if (what.kind === "lot" && what.lot_id) {
    const [stock, moves] = [await io.read(() => balances({ lot_id: what.lot_id ?? "" })), await io.read(() => movements({ lot_id: what.lot_id ?? "" }))];
    return good({ ...blank, here: stock.map(byPlace), past: moves.map((each) => past(each, io.t)) }, what.code);
  }
  if (what.item_id) {
    const id = what.item_id;
    const [stock, moves] = [await io.read(() => itemStock(id)), await io.read(() => movements({ item_id: id }))];
    return good(
      { ...blank, total: { now: stock.on_hand, free: stock.available, unit: stock.unit }, here: stock.balances.map(byPlace), past: moves.map((each) => past(each, io.t)) },
      what.sku ?? what.code,
    );
  }
  return good(blank, what.code);
}

const byPlace = (each: Balances[number]): Row => ({ head: each.place_code, tail: groupDigits(each.on_hand), sub: [each.lot_code, each.serial, each.license_plate_code, each.status === "available" ? null : each.status].filter(Boolean).join(" · ") || undefined });
const byItem = (each: Balances[number]): Row => ({ head: each.sku, tail: groupDigits(each.on_hand), sub: [each.item_name, each.lot_code, each.license_plate_code].filter(Boolean).join(" · ") });
const byItemAndPlace = (each: Balances[number]): Row => ({ ...byItem(each), head: `${each.sku} · ${each.place_code}` });

function past(each: Moves[number], t: T): Row {
  const { unit: ageUnit, n } = ageOf(Date.parse(each.occurred_at), Date.now());
  return {
    head: `${each.from_place} → ${each.to_place}`, tail: groupDigits(each.quantity),
    sub: `${t(`common:cause.${each.cause_kind}` as "common:cause.pick", { defaultValue: each.cause_kind })} · ${t(`common:age.${ageUnit}`, { n })} · ${each.actor.replace(/^\w+:/, "")}`,
  };
}

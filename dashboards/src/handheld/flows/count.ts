// Counting, blind: the place, then what lies there. The books are never shown; a difference is counted again by somebody else.
import { asProblem } from "@/api/problem";
import { groupDigits, isZero, plus } from "@/components/numbers";
import { bad, good, warn, type Flow, type Io, type Outcome } from "../runtime";
import { countLine, countTask, countTasks, lookUp, newCount, submitCount, whoIsHere, type CountTask } from "../work";
import { askView, missing, take, type Asking } from "./ask";

export interface State {
  tasks: CountTask[];
  task: CountTask | null;
  counted: Record<string, string>;
  times: string | null;
  asking: Asking | null;
  last: { name: string; total: string } | null;
}

export const count: Flow<State> = {
  async start(io, code) {
    const state: State = { tasks: await io.read(countTasks), task: null, counted: {}, times: null, asking: null, last: null };
    return code ? placeScanned(state, code, io) : { state };
  },

  async scan(state, code, io) {
    if (!state.task) return placeScanned(state, code, io);
    if (state.asking) return asked(state, state.asking, code, io);
    return line(state, state.task, code, {}, io);
  },

  async refresh(state, io) {
    const tasks = await io.read(countTasks);
    const { task } = state;
    return { ...state, tasks, task: task ? await io.read(() => countTask(task.id)) : null, last: null, counted: {} };
  },

  view(state, t) {
    const { task } = state;
    const me = `user:${whoIsHere()?.username ?? ""}`;
    if (!task) {
      const mine = state.tasks.filter((each) => !each.counted_by.includes(me));
      return {
        instruction: t("handheld:count.scan_place"), expect: "place",
        choices: mine.slice(0, 4).map((each) => ({
          id: each.id, label: each.place_code, sub: [each.sku, each.state === "recount" ? t("handheld:count.again") : null].filter(Boolean).join(" · ") || undefined,
          run: async (now: State) => ({ state: { ...now, task: each, counted: {} } }),
        })),
        facts: mine.length === 0 ? [{ label: t("handheld:count.nothing"), value: "" }] : undefined,
      };
    }
    if (state.asking) return { ...askView<State>(state.asking, t), actions: [{ id: "back", label: t("handheld:action.leave_it"), run: async (now) => ({ state: { ...now, asking: null } }) }] };
    const nothing = task.lines_counted === 0;
    return {
      instruction: state.times ? t("handheld:count.scan_times", { n: state.times }) : t("handheld:count.scan_items"), expect: "item",
      target: { text: task.place_code, sub: task.sku ? t("handheld:count.only", { sku: task.sku }) : undefined },
      amount: state.last ? { now: state.last.total } : undefined,
      facts: state.last ? [{ label: state.last.name, value: t("handheld:count.scans", { count: task.lines_counted }) }] : [{ label: t("handheld:count.scans", { count: task.lines_counted }), value: "" }],
      actions: [
        { id: "times", label: state.times ? `× ${state.times}` : t("handheld:action.quantity"), keypad: { kind: "number", title: t("handheld:count.how_many") }, run: async (now, _, input) => ({ state: { ...now, times: input ?? null } }) },
        { id: "other", label: t("handheld:count.other_place"), run: async (now, io) => ({ state: { ...now, task: null, last: null, tasks: await io.read(countTasks) } }) },
        { id: "done", label: nothing ? t("handheld:count.empty") : t("handheld:count.done"), strong: !nothing, run: (now, io) => submit(now, task, io) },
      ],
    };
  },
};

async function placeScanned(state: State, code: string, io: Io): Promise<Outcome<State>> {
  const meaning = await io.read(() => lookUp(code));
  if (meaning.kind !== "place") return bad(state, io.t("handheld:wrong.place"), { expected: io.t("handheld:expect.place"), seen: meaning.label });
  const task = state.tasks.find((each) => each.place_id === meaning.place_id) ?? (await io.send((key) => newCount(code, key)));
  return good({ ...state, task, counted: {}, last: null }, task.place_code);
}

async function line(state: State, task: CountTask, code: string, extra: { lot?: string; expires_on?: string }, io: Io): Promise<Outcome<State>> {
  try {
    const now = await io.send((key) => countLine(task.id, { code, quantity: state.times ?? undefined, ...extra }, key));
    const meaning = await io.read(() => lookUp(code));
    const name = [meaning.sku, meaning.lot_code ?? extra.lot].filter(Boolean).join(" · ");
    const units = times(meaning.units, state.times ?? "1");
    const total = plus(state.counted[name] ?? "0", units);
    return good(
      { ...state, task: now, times: null, asking: null, counted: { ...state.counted, [name]: total }, last: { name, total } },
      `+${groupDigits(units)}`, `${name}: ${groupDigits(total)}`,
    );
  } catch (error) {
    const problem = asProblem(error);
    const lacks = missing(error);
    if (!lacks || problem.field === "code") throw error;
    const label = await io.read(() => lookUp(code)).then((meaning) => meaning.sku ?? code);
    return warn({ ...state, asking: { code, label, fields: lacks.fields, got: {}, times: 1 } }, io.t(`handheld:ask.${lacks.fields[0] ?? "lot"}`), { detail: label });
  }
}

/** a × b of decimal strings, exact. */
export function times(a: string, b: string): string {
  const places = (a.split(".")[1]?.length ?? 0) + (b.split(".")[1]?.length ?? 0);
  const digits = (BigInt(a.replace(".", "")) * BigInt(b.replace(".", ""))).toString().padStart(places + 1, "0");
  const text = places > 0 ? `${digits.slice(0, -places)}.${digits.slice(-places)}` : digits;
  return text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
}

async function asked(state: State, asking: Asking, text: string, io: Io): Promise<Outcome<State>> {
  const taken = await take(asking, text, io);
  if (taken.kind === "refused") return warn(state, taken.title, { seen: text });
  if (taken.kind === "again") return warn({ ...state, asking: taken.asking }, io.t("handheld:ask.times", { n: taken.asking.times }));
  if (taken.asking.fields.length > 0 || !state.task) return { state: { ...state, asking: taken.asking } };
  const more = taken.asking.times > 1 ? String(taken.asking.times) : state.times;
  return line({ ...state, asking: null, times: more }, state.task, asking.code, { lot: taken.asking.got.lot, expires_on: taken.asking.got.expires_on }, io);
}

async function submit(state: State, task: CountTask, io: Io): Promise<Outcome<State>> {
  const done = await io.send((key) => submitCount(task.id, key));
  const next: State = { ...state, task: null, counted: {}, last: null, tasks: await io.read(countTasks) };
  if (done.state === "recount") return warn(next, io.t("handheld:count.recount"), { detail: done.place_code });
  if (done.state === "to_approve") return warn(next, io.t("handheld:count.to_approve"), { detail: done.place_code });
  return good(next, io.t("handheld:count.thanks"), isZero(String(done.lines_counted)) ? undefined : done.place_code);
}

// Putting away: what, then the proposed bin. Another bin is scanned twice; a forbidden one says why and names the next.
import { asProblem } from "@/api/problem";
import { groupDigits, isZero } from "@/components/numbers";
import { bad, good, warn, type Flow, type Io, type Outcome } from "../runtime";
import { claimPutaway, confirmPutaway, lookUp, newPutawayTask, putawayTask, putawayTasks, releasePutaway, type PutawayTask } from "../work";

export interface State {
  tasks: PutawayTask[];
  task: PutawayTask | null;
  quantity: string | null;
  /** Another bin, scanned once. */
  other: string | null;
  next: string | null;
}

export const putaway: Flow<State> = {
  async start(io, code) {
    const tasks = await io.read(() => putawayTasks());
    const state: State = { tasks, task: null, quantity: null, other: null, next: null };
    return code ? what(state, code, io) : { state };
  },

  scan: (state, code, io) => (state.task ? into(state, state.task, code, state.other !== null && same(code, state.other), io) : what(state, code, io)),

  async refresh(state, io) {
    const tasks = await io.read(() => putawayTasks());
    const { task } = state;
    if (task) return { ...state, tasks, task: await io.read(() => putawayTask(task.id)), other: null };
    // an undo gives the last task back: go on with it
    const mine = await io.read(() => putawayTasks({ mine: true }));
    return { ...state, tasks, task: mine.at(-1) ?? null };
  },

  view(state, t) {
    const { task } = state;
    if (!task) {
      return {
        instruction: t("handheld:putaway.scan_what"),
        expect: "plate",
        choices: state.tasks.slice(0, 4).map((each) => ({
          id: each.id,
          label: each.license_plate ?? each.what,
          sub: `${groupDigits(each.quantity)} · ${each.from_place} → ${each.proposed_place ?? "?"}`,
          run: (now: State, io: Io) => claim(now, each, io),
        })),
        facts: state.tasks.length === 0 ? [{ label: t("handheld:putaway.nothing"), value: "" }] : undefined,
      };
    }
    const proposed = state.next ?? task.proposed_place;
    return {
      instruction: state.other ? t("handheld:putaway.scan_again", { place: state.other }) : proposed ? t("handheld:putaway.scan_bin") : t("handheld:putaway.scan_any_bin"),
      expect: "place",
      target: { text: state.other ?? proposed ?? "?", tone: state.other ? "warn" : undefined, sub: state.other && proposed ? t("handheld:putaway.proposed", { place: proposed }) : undefined },
      amount: { now: state.quantity ?? task.quantity, unit: "each" },
      facts: [
        { label: task.license_plate ?? task.what, value: task.license_plate ? "" : (task.lot ?? "") },
        { label: t("handheld:from"), value: task.from_place },
        ...(task.status === "available" ? [] : [{ label: t("common:field.status"), value: t(`common:state.${task.status}` as "common:state.damaged"), tone: "warn" as const }]),
      ],
      actions: [
        ...(task.license_plate_id
          ? []
          : [{ id: "part", label: t("handheld:putaway.part"), keypad: { kind: "number" as const, title: t("handheld:putaway.how_many") }, run: async (now: State, _: Io, input?: string) => ({ state: { ...now, quantity: input ?? null } }) }]),
        ...(state.other
          ? [{ id: "here", label: t("handheld:putaway.here"), strong: true, run: (now: State, io: Io) => into(now, task, now.other ?? "", true, io) }]
          : []),
        {
          id: "release", label: t("handheld:putaway.give_back"), run: async (now, io) => {
            await io.send((key) => releasePutaway(task.id, key));
            return { state: { ...now, task: null, other: null, next: null, quantity: null, tasks: await io.read(() => putawayTasks()) } };
          },
        },
      ],
    };
  },
};

const same = (a: string, b: string) => a.toUpperCase() === b.toUpperCase();

async function claim(state: State, task: PutawayTask, io: Io): Promise<Outcome<State>> {
  const claimed = await io.send((key) => claimPutaway(task.id, key));
  return good({ ...state, task: claimed, quantity: null, other: null, next: null }, claimed.license_plate ?? claimed.what, `→ ${claimed.proposed_place ?? "?"}`);
}

async function what(state: State, code: string, io: Io): Promise<Outcome<State>> {
  let found = await io.read(() => putawayTasks({ code }));
  if (found.length === 0) {
    const meaning = await io.read(() => lookUp(code));
    if (!meaning.license_plate_id) return bad(state, io.t("handheld:putaway.none"), { expected: io.t("handheld:expect.plate"), seen: meaning.label });
    found = [await io.send((key) => newPutawayTask(code, key))];
  }
  const task = found.find((each) => each.claimed_by !== null) ?? found[0];
  return task ? claim(state, task, io) : { state };
}

async function into(state: State, task: PutawayTask, place: string, override: boolean, io: Io): Promise<Outcome<State>> {
  const bin = override && state.other ? state.other : place;
  try {
    const done = await io.send((key) => confirmPutaway(task.id, { place: bin, quantity: state.quantity ?? undefined, override: override || isNext(state, bin) }, key));
    const tasks = await io.read(() => putawayTasks());
    const left = isZero(done.left) ? null : done.task;
    return good({ tasks, task: left, quantity: null, other: null, next: null }, done.place, `${groupDigits(done.quantity)} × ${task.license_plate ?? task.what}`);
  } catch (error) {
    const problem = asProblem(error);
    const kind = problem.body.type.split("/").at(-1);
    if (kind === "another-place") {
      const seen = String(problem.body["seen"] ?? bin);
      return warn({ ...state, other: seen }, io.t("handheld:putaway.another"), { expected: String(problem.body["expected"] ?? ""), seen });
    }
    if (kind === "place-forbidden") {
      const next = (problem.body["next"] as { code: string } | null)?.code ?? null;
      return bad({ ...state, other: null, next: next ?? state.next }, io.t("handheld:putaway.forbidden"), {
        detail: problem.body.detail, seen: bin, expected: next ?? undefined,
      });
    }
    throw error;
  }
}

const isNext = (state: State, bin: string) => state.next !== null && same(state.next, bin);

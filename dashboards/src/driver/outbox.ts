// What the driver did and Stowage has not confirmed yet. Every action gets its Idempotency-Key when it is made, is written
// to the phone first, and is then sent one after the other, in the order made, again and again under the same key until an
// answer comes: a lost answer doubles nothing, a dead network loses nothing. What was signed is never dropped by itself: a
// refusal stays here with its sentence until the driver tries again or puts it away.
import { newKey, type Key } from "@/api/command";
import { asProblem, type ProblemBody } from "@/api/problem";
import type { Shelf } from "./shelf";

export type Kind = "load" | "depart" | "arrive" | "go_on" | "deliver" | "fail" | "take_over" | "unload" | "finish" | "break_down";

export interface Action {
  /** The Idempotency-Key. */
  id: string;
  kind: Kind;
  /** Whose: another person on this phone does not send it. */
  user_id: string;
  route_id: string;
  stop_id?: string;
  /** The code that was scanned. */
  code?: string;
  body?: unknown;
  /** Milliseconds; also the order. */
  made_at: number;
  n: number;
  refused?: ProblemBody;
}

export type NewAction = Pick<Action, "kind" | "route_id" | "stop_id" | "code" | "body">;

export interface Answer {
  n: number;
  action: Action;
  /** Absent where it went well. */
  problem?: ProblemBody;
  output?: unknown;
}

export interface OutboxState {
  /** Made and not confirmed, in order. */
  pending: readonly Action[];
  /** Confirmed, and not yet in what the screen last read. */
  confirmed: readonly Action[];
  refused: readonly Action[];
  answer: Answer | null;
  cutOffSince: number | null;
  /** Whether a reload keeps what is pending. */
  keeps: boolean;
}

export interface Around {
  send: (action: Action, header: Key) => Promise<unknown>;
  /** Reads again what the action changed; until then it counts as confirmed. */
  refresh: (action: Action) => Promise<unknown>;
  user: () => string | null;
  now?: () => number;
}

const BACK_OFF_MS = [400, 800, 1500, 3000, 6000, 12000];
const FAULTS_BEFORE_SET_ASIDE = 5;
/** What carries a proof: it is kept until the driver decides. The others can simply be done again. */
const KEPT: ReadonlySet<Kind> = new Set(["deliver", "fail"]);

export class Outbox {
  readonly #shelf: Shelf;
  readonly #around: Around;
  readonly #listeners = new Set<() => void>();
  readonly #unsafe = new Set<string>();
  #wake: (() => void) | null = null;
  #running = false;
  #over = false;
  #answers = 0;
  #last = 0;
  #state: OutboxState;

  constructor(shelf: Shelf, around: Around) {
    this.#shelf = shelf;
    this.#around = around;
    this.#state = { pending: [], confirmed: [], refused: [], answer: null, cutOffSince: null, keeps: shelf.keeps };
  }

  /** Takes up what an earlier visit left. */
  async open(): Promise<void> {
    this.#over = false;
    const kept = (await this.#shelf.all()).sort((a, b) => a.made_at - b.made_at || a.n - b.n);
    this.#last = Math.max(this.#last, ...kept.map((action) => action.n));
    this.#show({ pending: kept.filter((action) => !action.refused), refused: kept.filter((action) => action.refused) });
    window.addEventListener("online", this.hurry);
    document.addEventListener("visibilitychange", this.hurry);
    this.#begin();
  }

  close(): void {
    this.#over = true;
    window.removeEventListener("online", this.hurry);
    document.removeEventListener("visibilitychange", this.hurry);
    this.hurry();
  }

  /** Resolves once it is safe on this phone. */
  async add(made: NewAction): Promise<Action> {
    const now = (this.#around.now ?? Date.now)();
    this.#last += 1;
    const action: Action = { ...made, id: newKey(), user_id: this.#around.user() ?? "", made_at: now, n: this.#last };
    // Shown at once, sent only when it lies on the shelf.
    this.#unsafe.add(action.id);
    this.#show({ pending: [...this.#state.pending, action] });
    await this.#shelf.put(action).catch(() => this.#show({ keeps: false }));
    this.#unsafe.delete(action.id);
    this.#begin();
    return action;
  }

  /** The driver sends it again: under its own key where nobody knows what became of it, as a new action where it was refused. */
  async again(id: string): Promise<void> {
    const found = this.#state.refused.find((action) => action.id === id);
    if (!found) return;
    const { refused, ...action } = found;
    const next: Action = { ...action, id: refused && refused.status >= 500 ? id : newKey() };
    await this.#shelf.put(next);
    if (next.id !== id) await this.#shelf.remove(id);
    this.#show({ refused: this.#state.refused.filter((one) => one.id !== id), pending: [...this.#state.pending, next] });
    this.#begin();
  }

  async drop(id: string): Promise<void> {
    await this.#shelf.remove(id);
    this.#show({ refused: this.#state.refused.filter((action) => action.id !== id) });
  }

  /** What was confirmed before the last reading is in it. */
  forgetConfirmed(): void {
    if (this.#state.confirmed.length > 0) this.#show({ confirmed: [] });
  }

  forgetAnswer(): void {
    if (this.#state.answer) this.#show({ answer: null });
  }

  readonly hurry = (): void => {
    if (document.visibilityState === "hidden") return;
    this.#wake?.();
    this.#begin();
  };

  readonly get = (): OutboxState => this.#state;
  readonly subscribe = (tell: () => void): (() => void) => {
    this.#listeners.add(tell);
    return () => this.#listeners.delete(tell);
  };

  #begin(): void {
    if (!this.#running && !this.#over) void this.#work();
  }

  /** The first one that the person logged in may send; nothing overtakes it. */
  #next(): Action | undefined {
    const user = this.#around.user();
    const first = user === null ? undefined : this.#state.pending.find((action) => action.user_id === user);
    return first && !this.#unsafe.has(first.id) ? first : undefined;
  }

  async #work(): Promise<void> {
    this.#running = true;
    for (let action = this.#next(); action && !this.#over; action = this.#next()) await this.#send(action);
    this.#running = false;
  }

  async #send(action: Action): Promise<void> {
    let faults = 0;
    for (let tries = 0; !this.#over; tries += 1) {
      try {
        const output = await this.#around.send(action, { "idempotency-key": action.id });
        await this.#shelf.remove(action.id).catch(() => undefined);
        const pending = this.#state.pending.filter((one) => one.id !== action.id);
        this.#show({ pending, confirmed: [...this.#state.confirmed, action], cutOffSince: null, answer: this.#answered(action, { output }) });
        const read = await this.#around.refresh(action).then(() => true, () => false);
        if (read) this.#show({ confirmed: this.#state.confirmed.filter((one) => one.id !== action.id) });
        return;
      } catch (error) {
        const problem = asProblem(error);
        // Logged out meanwhile: it waits for the same person.
        if (problem.status === 401) return this.#show({ cutOffSince: null });
        if (!problem.worthRetrying || (problem.status >= 500 && ++faults >= FAULTS_BEFORE_SET_ASIDE)) return this.#refuse(action, problem.body);
        if (this.#state.cutOffSince === null) this.#show({ cutOffSince: (this.#around.now ?? Date.now)() });
        await this.#pause(BACK_OFF_MS[Math.min(tries, BACK_OFF_MS.length - 1)] ?? 12000);
      }
    }
  }

  async #refuse(action: Action, problem: ProblemBody): Promise<void> {
    const refused = { ...action, refused: problem };
    const kept = KEPT.has(action.kind);
    if (kept) await this.#shelf.put(refused).catch(() => undefined);
    else await this.#shelf.remove(action.id).catch(() => undefined);
    this.#show({
      pending: this.#state.pending.filter((one) => one.id !== action.id),
      refused: kept ? [...this.#state.refused, refused] : this.#state.refused,
      cutOffSince: null,
      answer: this.#answered(action, { problem }),
    });
    await this.#around.refresh(action).catch(() => undefined);
  }

  #answered(action: Action, more: Pick<Answer, "problem" | "output">): Answer {
    this.#answers += 1;
    return { n: this.#answers, action, ...more };
  }

  #pause(ms: number): Promise<void> {
    return new Promise((done) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        done();
      };
      const timer = setTimeout(wake, ms);
      this.#wake = wake;
    });
  }

  #show(change: Partial<OutboxState>): void {
    this.#state = { ...this.#state, ...change };
    this.#listeners.forEach((tell) => tell());
  }
}

// The heart of the handheld: scans and button presses wait in one queue and are done one after the other, each with the
// Idempotency-Key it got when it was made. Where no answer comes, the same command is sent again with the same key until
// one does; what waits is counted and shown. Flows are plain functions from a state and a scan to the next state.
import type { TFunction } from "i18next";
import { newKey, type Key } from "@/api/command";
import { asProblem, type Problem } from "@/api/problem";
import type { Choice, View } from "./view";
import { signal, type Tone } from "./signals";

export type T = TFunction<["handheld", "common"]>;

export interface Answer {
  tone: Exclude<Tone, "heard">;
  title: string;
  detail?: string;
  expected?: string;
  seen?: string;
}

export interface Outcome<S> {
  state: S;
  answer?: Answer;
  /** The job is over: back to the list of jobs. */
  leave?: boolean;
  /** Go on with another job. */
  go?: { job: string; code?: string };
}

export interface Io {
  t: T;
  /** Sends a command under this scan's key, again and again until an answer comes. A refusal is thrown as a Problem. */
  send<A>(ask: (header: Key) => Promise<A>): Promise<A>;
  /** A question that changes nothing; it is repeated as well. */
  read<A>(ask: () => Promise<A>): Promise<A>;
}

export type Do<S> = (state: S, io: Io, input?: string) => Promise<Outcome<S>>;

export interface Flow<S> {
  /** What it begins with; `code` is a scan that led here. */
  start(io: Io, code?: string): Promise<Outcome<S>>;
  scan(state: S, code: string, io: Io): Promise<Outcome<S>>;
  view(state: S, t: T): View<S>;
  /** Reads again what others (or an undo) may have changed. */
  refresh?(state: S, io: Io): Promise<S>;
}

export interface Shown<S> {
  state: S | null;
  answer: (Answer & { id: number }) | null;
  /** Scans and presses that have no answer yet. */
  waiting: number;
  busy: boolean;
  /** Set while the backend does not answer: since when it is tried. */
  cutOffSince: number | null;
}

interface Job<S> {
  key: string;
  run: Do<S> | null;
  code: string | null;
  input?: string;
  /** Nobody asked for it: it is not counted, and not tried again. */
  quiet?: boolean;
}

const BACK_OFF_MS = [300, 600, 1200, 2500, 4000];
const SERVER_FAULTS_BEFORE_GIVING_UP = 4;

/** What the runtime needs from the page. */
export interface Around<S> {
  words: () => T;
  leave: (outcome: Outcome<S>) => void;
  done: () => void;
}

export class GivenUp extends Error {}

export class Runtime<S> {
  readonly #flow: Flow<S>;
  readonly #around: Around<S>;
  readonly #queue: Job<S>[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #wakers = new Set<() => void>();
  #running = false;
  #answers = 0;
  #over = false;
  #shown: Shown<S> = { state: null, answer: null, waiting: 0, busy: false, cutOffSince: null };

  constructor(flow: Flow<S>, around: Around<S>) {
    this.#flow = flow;
    this.#around = around;
  }

  begin(code?: string): void {
    this.#over = false;
    window.addEventListener("online", this.#wake);
    if (this.#shown.state === null) this.#push({ key: newKey(), code: null, run: (_, io) => this.#flow.start(io, code) });
  }

  end(): void {
    this.#over = true;
    window.removeEventListener("online", this.#wake);
    this.#wake();
  }

  scan(code: string): void {
    signal("heard");
    this.#push({ key: newKey(), code, run: null });
  }

  press(choice: Choice<S>, input?: string): void {
    this.#push({ key: newKey(), code: null, run: choice.run, input });
  }

  run(run: Do<S>): void {
    this.#push({ key: newKey(), code: null, run });
  }

  refresh(): void {
    const { refresh } = this.#flow;
    if (refresh) this.#push({ key: newKey(), code: null, quiet: true, run: async (state, io) => ({ state: await refresh(state, io) }) });
  }

  /** The worker gives up what waits for the network. */
  giveUp(): void {
    this.#queue.length = this.#running ? 1 : 0;
    this.#givenUp = true;
    this.#wake();
  }
  #givenUp = false;

  forgetAnswer(): void {
    if (this.#shown.answer) this.#show({ answer: null });
  }

  readonly get = (): Shown<S> => this.#shown;
  readonly subscribe = (tell: () => void): (() => void) => {
    this.#listeners.add(tell);
    return () => this.#listeners.delete(tell);
  };

  #push(job: Job<S>): void {
    this.#queue.push(job);
    this.#show({ waiting: this.#waiting() });
    if (!this.#running) void this.#work();
  }

  async #work(): Promise<void> {
    this.#running = true;
    while (this.#queue.length > 0 && !this.#over) {
      const job = this.#queue[0];
      if (!job) break;
      if (!job.quiet) this.#show({ busy: true });
      const outcome = await this.#do(job);
      this.#queue.shift();
      if (this.#over) break;
      const { answer } = outcome;
      if (answer) signal(answer.tone);
      this.#show({
        state: outcome.state, waiting: this.#waiting(), busy: this.#queue.length > 0, cutOffSince: null,
        ...(answer ? { answer: { ...answer, id: ++this.#answers } } : {}),
      });
      if (!job.quiet) this.#around.done();
      if (outcome.leave || outcome.go) this.#around.leave(outcome);
    }
    this.#running = false;
  }

  #waiting(): number {
    return this.#queue.filter((job) => !job.quiet).length;
  }

  async #do(job: Job<S>): Promise<Outcome<S>> {
    const state = this.#shown.state as S;
    const io: Io = {
      t: this.#around.words(),
      send: (ask) => (job.quiet ? ask({ "idempotency-key": job.key }) : this.#untilAnswered(() => ask({ "idempotency-key": job.key }))),
      read: (ask) => (job.quiet ? ask() : this.#untilAnswered(ask)),
    };
    this.#givenUp = false;
    try {
      if (job.run) return await job.run(state, io, job.input);
      return await this.#flow.scan(state, job.code ?? "", io);
    } catch (error) {
      if (job.quiet) return { state };
      if (error instanceof GivenUp) return { state, answer: { tone: "warn", title: io.t("handheld:net.given_up") } };
      return { state, answer: refusal(asProblem(error), io.t, job.code) };
    }
  }

  async #untilAnswered<A>(ask: () => Promise<A>): Promise<A> {
    let faults = 0;
    for (let tries = 0; ; tries += 1) {
      try {
        const answer = await ask();
        if (this.#shown.cutOffSince !== null) this.#show({ cutOffSince: null });
        return answer;
      } catch (error) {
        const problem = asProblem(error);
        if (!problem.worthRetrying) throw problem;
        if (problem.status >= 500 && ++faults > SERVER_FAULTS_BEFORE_GIVING_UP) throw problem;
        if (this.#over || this.#givenUp) throw new GivenUp();
        if (this.#shown.cutOffSince === null) {
          signal("warn");
          this.#show({ cutOffSince: Date.now() });
        }
        await this.#pause(BACK_OFF_MS[Math.min(tries, BACK_OFF_MS.length - 1)] ?? 4000);
        if (this.#over || this.#givenUp) throw new GivenUp();
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((done) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wakers.delete(wake);
        done();
      };
      const timer = setTimeout(wake, ms);
      this.#wakers.add(wake);
    });
  }

  readonly #wake = (): void => [...this.#wakers].forEach((wake) => wake());

  #show(change: Partial<Shown<S>>): void {
    this.#shown = { ...this.#shown, ...change };
    this.#listeners.forEach((tell) => tell());
  }
}

/** A refusal as the worker reads it: what kind, what was expected, what was seen. */
export function refusal(problem: Problem, t: T, code: string | null = null): Answer {
  const kind = problem.body.type.split("/").at(-1) ?? "";
  const known = t(`handheld:problem.${kind}` as "handheld:problem.conflict", { defaultValue: "" });
  return {
    tone: "bad",
    title: known || t(`common:problem.kind.${kind}` as "common:problem.kind.conflict", { defaultValue: t("handheld:problem.conflict") }),
    detail: problem.body.detail,
    expected: wordsOf(problem.body["expected"]),
    seen: wordsOf(problem.body["seen"]) ?? code ?? undefined,
  };
}

function wordsOf(value: unknown): string | undefined {
  if (typeof value === "string") return value || undefined;
  if (!Array.isArray(value)) return undefined;
  const words = value.slice(0, 3).map((each: { sku?: string; quantity?: string }) => `${each.quantity ?? ""} × ${each.sku ?? ""}`);
  return words.length > 0 ? words.join(", ") + (value.length > 3 ? " …" : "") : undefined;
}

export function good<S>(state: S, title: string, detail?: string): Outcome<S> {
  return { state, answer: { tone: "good", title, detail } };
}

export function warn<S>(state: S, title: string, more: Partial<Answer> = {}): Outcome<S> {
  return { state, answer: { tone: "warn", title, ...more } };
}

export function bad<S>(state: S, title: string, more: Partial<Answer> = {}): Outcome<S> {
  return { state, answer: { tone: "bad", title, ...more } };
}

import { beforeEach, expect, test, vi } from "vitest";
import { Problem, UNREACHABLE } from "@/api/problem";
import { Runtime, type Flow, type T } from "@/handheld/runtime";

const t = ((key: string, more?: { defaultValue?: string }) => more?.defaultValue ?? key) as unknown as T;
const unreachable = () => new Problem({ type: UNREACHABLE, title: UNREACHABLE, status: 0 });
const refused = () => new Problem({ type: "/problems/wrong-pick", title: "Wrong", status: 409, detail: "No.", expected: "A-1", seen: "B-2" });

interface Sent {
  code: string;
  key: string;
}

/** A backend that answers as told, and remembers what reached it. */
function flow(answers: (sent: Sent, nth: number) => Promise<void>) {
  const sent: Sent[] = [];
  const made: Flow<string[]> = {
    start: async () => ({ state: [] }),
    view: () => ({ instruction: "", expect: "item" }),
    scan: async (state, code, io) => {
      await io.send(async (header) => {
        const one = { code, key: header["idempotency-key"] };
        sent.push(one);
        await answers(one, sent.length);
      });
      return { state: [...state, code], answer: { tone: "good", title: code } };
    },
  };
  const runtime = new Runtime(made, { words: () => t, leave: () => undefined, done: () => undefined });
  runtime.begin();
  return { runtime, sent };
}

const settled = (runtime: Runtime<string[]>) => vi.waitFor(() => expect(runtime.get()).toMatchObject({ waiting: 0, busy: false }), { timeout: 30_000 });

beforeEach(() => {
  vi.stubGlobal("AudioContext", undefined);
});

test("ten scans at once are done one after the other, each with a key of its own", async () => {
  let under = 0;
  const { runtime, sent } = flow(async () => {
    expect(++under).toBe(1);
    await new Promise((done) => setTimeout(done, 3));
    under -= 1;
  });
  const codes = Array.from({ length: 10 }, (_, n) => `C${n}`);
  codes.forEach((code) => runtime.scan(code));
  await settled(runtime);
  expect(runtime.get().state).toEqual(codes);
  expect(new Set(sent.map((one) => one.key)).size).toBe(10);
});

test("without an answer the same scan is sent again under the same key, and those behind it wait", async () => {
  let reachable = false;
  const { runtime, sent } = flow(async () => {
    if (!reachable) throw unreachable();
  });
  runtime.scan("A");
  runtime.scan("B");
  await vi.waitFor(() => expect(runtime.get().cutOffSince).not.toBeNull(), { timeout: 30_000 });
  expect(runtime.get().waiting).toBe(2);
  reachable = true;
  await settled(runtime);
  const tries = sent.slice(0, -1);
  expect(tries.length).toBeGreaterThan(1);
  expect(new Set(tries.map((one) => `${one.code} ${one.key}`)).size).toBe(1);
  expect([tries[0]?.code, sent.at(-1)?.code]).toEqual(["A", "B"]);
  expect(runtime.get()).toMatchObject({ state: ["A", "B"], cutOffSince: null });
});

test("a refusal changes nothing and says what was expected and what was seen", async () => {
  const { runtime } = flow(async (one) => {
    if (one.code === "B-2") throw refused();
  });
  runtime.scan("A-1");
  runtime.scan("B-2");
  await settled(runtime);
  expect(runtime.get().state).toEqual(["A-1"]);
  expect(runtime.get().answer).toMatchObject({ tone: "bad", expected: "A-1", seen: "B-2" });
});

test("a server that keeps failing is told of after some tries and does not hold up the next scan for ever", async () => {
  const { runtime, sent } = flow(async (one) => {
    if (one.code === "A") throw new Problem({ type: "/problems/internal", title: "Fault", status: 500 });
  });
  runtime.scan("A");
  runtime.scan("B");
  await vi.waitFor(() => {
    window.dispatchEvent(new Event("online")); // ends its pause, whenever that has begun
    expect(runtime.get()).toMatchObject({ waiting: 0, busy: false });
  }, { timeout: 30_000, interval: 5 });
  expect(sent.filter((one) => one.code === "A")).toHaveLength(5);
  expect(runtime.get().state).toEqual(["B"]);
});

test("what waits for the network can be dropped by the worker, who is warned", async () => {
  const { runtime } = flow(async () => {
    throw unreachable();
  });
  runtime.scan("A");
  runtime.scan("B");
  await vi.waitFor(() => expect(runtime.get().cutOffSince).not.toBeNull(), { timeout: 30_000 });
  runtime.giveUp();
  await settled(runtime);
  expect(runtime.get()).toMatchObject({ state: [], answer: { tone: "warn" } });
});

import { afterEach, expect, test, vi } from "vitest";
import { Problem, UNREACHABLE } from "@/api/problem";
import { Outbox, type Action, type NewAction } from "@/driver/outbox";
import { memoryShelf, type Shelf } from "@/driver/shelf";

const unreachable = () => new Problem({ type: UNREACHABLE, title: UNREACHABLE, status: 0 });
const refusal = (status = 409) => new Problem({ type: "/problems/conflict", title: "Conflict", status, detail: "It was delivered already." });
const signed: NewAction = { kind: "deliver", route_id: "R", stop_id: "S1", body: { receiver_name: "Anna", signature_svg: "<svg/>" } };
const scanned = (code: string): NewAction => ({ kind: "load", route_id: "R", code });

let open: Outbox[] = [];
afterEach(() => {
  open.forEach((outbox) => outbox.close());
  open = [];
});

/** A phone whose backend answers as told; `sent` is what reached it. */
async function phone(answers: (action: Action, nth: number) => Promise<unknown>, { kept = new Map<string, Action>(), user = "dan", shelf = undefined as Shelf | undefined } = {}) {
  const sent: { key: string; action: Action }[] = [];
  const who = { id: user as string | null };
  let refreshed = 0;
  const outbox = new Outbox(shelf ?? memoryShelf(kept), {
    send: async (action, header) => {
      sent.push({ key: header["idempotency-key"], action });
      return answers(action, sent.length);
    },
    refresh: async () => void (refreshed += 1),
    user: () => who.id,
  });
  open.push(outbox);
  await outbox.open();
  return { outbox, sent, kept, who, refreshed: () => refreshed };
}

const empty = (outbox: Outbox) => vi.waitFor(() => expect(outbox.get()).toMatchObject({ pending: [], confirmed: [] }), { timeout: 30_000 });

test("an action lies on the shelf before it is sent, and is taken off when it was confirmed", async () => {
  const order: string[] = [];
  const kept = new Map<string, Action>();
  const plain = memoryShelf(kept);
  const shelf: Shelf = { ...plain, put: async (action) => { await new Promise((done) => setTimeout(done, 5)); order.push("kept"); await plain.put(action); } };
  const { outbox } = await phone(async () => order.push("sent"), { shelf });
  await outbox.add(signed);
  await empty(outbox);
  expect(order).toEqual(["kept", "sent"]);
  expect(kept.size).toBe(0);
});

test("without an answer it is sent again under the same key, and nothing overtakes it", async () => {
  let reachable = false;
  const { outbox, sent } = await phone(async () => {
    if (!reachable) throw unreachable();
  });
  await outbox.add(signed);
  await outbox.add(scanned("A"));
  await vi.waitFor(() => expect(outbox.get().cutOffSince).not.toBeNull(), { timeout: 30_000 });
  expect(outbox.get().pending).toHaveLength(2);
  reachable = true;
  await empty(outbox);
  const tries = sent.slice(0, -1);
  expect(tries.length).toBeGreaterThan(1);
  expect(new Set(tries.map((one) => `${one.action.kind} ${one.key}`)).size).toBe(1);
  expect([tries[0]?.action.kind, sent.at(-1)?.action.kind]).toEqual(["deliver", "load"]);
  expect(outbox.get().cutOffSince).toBeNull();
});

test("what a dead phone had not sent is sent by the next visit, under its own key, once", async () => {
  const kept = new Map<string, Action>();
  const first = await phone(() => new Promise(() => undefined), { kept });
  const action = await first.outbox.add(signed);
  first.outbox.close();
  const second = await phone(async () => undefined, { kept });
  await empty(second.outbox);
  expect(second.sent.map((one) => one.key)).toEqual([action.id]);
  expect(kept.size).toBe(0);
});

test("a refused signature stays with its sentence until the driver decides; a refused scan is only said", async () => {
  const kept = new Map<string, Action>();
  const { outbox, sent } = await phone(async (_, nth) => {
    if (nth <= 2) throw refusal();
  }, { kept });
  await outbox.add(scanned("WRONG"));
  await outbox.add(signed);
  await vi.waitFor(() => expect(outbox.get().refused).toHaveLength(1), { timeout: 30_000 });
  const [refused] = outbox.get().refused;
  expect(refused?.refused?.detail).toBe("It was delivered already.");
  expect(outbox.get().answer?.problem?.status).toBe(409);
  expect([...kept.values()].map((one) => one.kind)).toEqual(["deliver"]);
  await outbox.again(refused?.id ?? "");
  await empty(outbox);
  expect(outbox.get().refused).toEqual([]);
  expect(sent[2]?.action.body).toEqual(signed.body);
  expect(sent[2]?.key).not.toBe(sent[1]?.key); // it was refused for sure: a new action
  expect(kept.size).toBe(0);
});

test("where nobody knows what became of it, trying again keeps the key", async () => {
  vi.useFakeTimers();
  try {
    const { outbox, sent } = await phone(async (_, nth) => {
      if (nth <= 5) throw refusal(503);
    });
    await outbox.add(signed);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(outbox.get().refused).toHaveLength(1);
    await outbox.again(outbox.get().refused[0]?.id ?? "");
    await vi.advanceTimersByTimeAsync(1000);
    expect(new Set(sent.map((one) => one.key)).size).toBe(1);
    expect(sent).toHaveLength(6);
  } finally {
    vi.useRealTimers();
  }
});

test("a session that ended loses nothing, and nobody sends what another person did", async () => {
  const state = { loggedOut: true };
  const { outbox, sent, who } = await phone(async () => {
    if (state.loggedOut) throw refusal(401);
  });
  await outbox.add(signed);
  await vi.waitFor(() => expect(sent).toHaveLength(1), { timeout: 30_000 });
  who.id = "eve";
  state.loggedOut = false;
  outbox.hurry();
  await new Promise((done) => setTimeout(done, 20));
  expect(sent).toHaveLength(1);
  who.id = "dan";
  outbox.hurry();
  await empty(outbox);
  expect(new Set(sent.map((one) => one.key)).size).toBe(1);
});

test("what was confirmed counts until the screen has read it again", async () => {
  let read: () => void = () => undefined;
  const outbox = new Outbox(memoryShelf(), {
    send: async () => undefined,
    refresh: () => new Promise<void>((done) => { read = done; }),
    user: () => "dan",
  });
  open.push(outbox);
  await outbox.open();
  await outbox.add(signed);
  await vi.waitFor(() => expect(outbox.get()).toMatchObject({ pending: [], confirmed: [{ stop_id: "S1" }] }), { timeout: 30_000 });
  read();
  await empty(outbox);
});

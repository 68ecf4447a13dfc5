import { QueryClient, QueryObserver } from "@tanstack/react-query";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { WebSocketServer, WebSocket as NodeSocket } from "ws";
import { LiveConnection, type LiveOptions } from "@/live/connection";
import { followHints } from "@/live/collection";
import { TOPICS } from "@/live/topics";

const closers: (() => void)[] = [];
afterEach(() => closers.splice(0).forEach((close) => close()));

async function server(port = 0) {
  const server = new WebSocketServer({ port, host: "127.0.0.1" });
  await new Promise((ready) => server.once("listening", ready));
  const first: string[] = [];
  server.on("connection", (socket) =>
    socket.once("message", (data) => {
      first.push(String(data));
      if (String(data).includes("wrong")) socket.close(4401, "log in again");
      else socket.send(JSON.stringify({ topic: "*", site: null, id: null }));
    }),
  );
  const tell = (hint: object) => server.clients.forEach((socket) => socket.send(JSON.stringify(hint)));
  const stop = () => {
    server.clients.forEach((socket) => socket.terminate());
    server.close();
  };
  closers.push(stop);
  return { port: (server.address() as AddressInfo).port, first, tell, stop };
}

function connect(port: number, options: Partial<LiveOptions> = {}, token = "secret") {
  vi.stubGlobal("WebSocket", NodeSocket);
  const live = new LiveConnection({ url: `ws://127.0.0.1:${port}`, topics: TOPICS, pauses: [20], ...options });
  live.start(token);
  closers.push(() => live.stop());
  return live;
}

const until = (what: () => unknown) => vi.waitFor(() => expect(what()).toBeTruthy(), { timeout: 30_000, interval: 10 });

test("the first message says who we are and what we follow", async () => {
  const backend = await server();
  connect(backend.port);
  await until(() => backend.first.length);
  expect(JSON.parse(backend.first[0] ?? "")).toEqual({ token: "secret", topics: [...TOPICS] });
});

test("a hint fetches the queries of its topic and no other", async () => {
  const backend = await server();
  const live = connect(backend.port);
  await until(() => live.state.status === "open");
  const queries = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity } } });
  closers.push(followHints(live, queries, () => "here", 10));
  const asked = { stock: 0, orders: 0 };
  for (const topic of ["stock", "orders"] as const) {
    const observer = new QueryObserver(queries, { queryKey: [topic], queryFn: () => ++asked[topic], meta: { topics: [topic] } });
    closers.push(observer.subscribe(() => undefined));
  }
  await until(() => asked.stock === 1 && asked.orders === 1);
  backend.tell({ topic: "stock", site: "elsewhere", id: null });
  backend.tell({ topic: "stock", site: "here", id: null });
  await until(() => asked.stock === 2);
  expect(asked.orders).toBe(1);
});

test("a hint that comes while its query is under way is not lost", async () => {
  const backend = await server();
  const live = connect(backend.port);
  await until(() => live.state.status === "open");
  const queries = new QueryClient();
  closers.push(followHints(live, queries, () => null, 5));
  let asked = 0;
  let release: (() => void) | undefined;
  const observer = new QueryObserver(queries, {
    queryKey: ["slow"], meta: { topics: ["movements"] },
    queryFn: () => new Promise<number>((done) => { const n = ++asked; release = () => done(n); }),
  });
  closers.push(observer.subscribe(() => undefined));
  await until(() => asked === 1 && release);
  backend.tell({ topic: "movements", site: null, id: null });
  await new Promise((later) => setTimeout(later, 40));
  expect(asked).toBe(1);
  release?.();
  await until(() => asked === 2);
});

test("a hint is followed at once, and however many come, each query is fetched only so often", async () => {
  vi.useFakeTimers();
  closers.push(() => vi.useRealTimers());
  let tell: (hint: object) => void = () => undefined;
  class Socket {
    onmessage: ((event: { data: string }) => void) | null = null;
    constructor() { tell = (hint) => this.onmessage?.({ data: JSON.stringify(hint) }); }
    close() {}
  }
  vi.stubGlobal("WebSocket", Socket);
  const live = new LiveConnection({ url: "ws://here", topics: TOPICS });
  live.start("secret");
  closers.push(() => live.stop());
  tell({ topic: "*", site: null, id: null });
  const queries = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity } } });
  closers.push(followHints(live, queries, () => null, 400));
  const asked: Record<string, number[]> = { stock: [], orders: [] };
  for (const topic of ["stock", "orders"] as const) {
    const queryFn = () => asked[topic]?.push(Date.now());
    const observer = new QueryObserver(queries, { queryKey: [topic], queryFn, meta: { topics: [topic] } });
    closers.push(observer.subscribe(() => undefined));
  }
  await vi.advanceTimersByTimeAsync(450);
  expect([asked["stock"]?.length, asked["orders"]?.length]).toEqual([1, 1]);
  asked["stock"] = [];
  asked["orders"] = [];
  for (let n = 0; n < 30; n++) {
    tell({ topic: "stock", site: null, id: String(n) });
    await vi.advanceTimersByTimeAsync(20);
  }
  const told = Date.now();
  tell({ topic: "orders", site: null, id: "1" });
  await vi.advanceTimersByTimeAsync(450);
  expect(asked["orders"]).toEqual([told]); // not after the busy one's pause
  const times = asked["stock"] ?? [];
  expect(times.length).toBeGreaterThan(1);
  expect(times.length).toBeLessThan(5);
  times.slice(1).forEach((at, n) => expect(at - (times[n] ?? 0)).toBeGreaterThanOrEqual(395));
});

test("after a lost connection it reconnects and everything followed is fetched anew", async () => {
  const backend = await server();
  const live = connect(backend.port);
  await until(() => live.state.status === "open");
  const queries = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity } } });
  closers.push(followHints(live, queries, () => null, 5));
  let asked = 0;
  const observer = new QueryObserver(queries, { queryKey: ["receipts"], queryFn: () => ++asked, meta: { topics: ["receipts"] } });
  closers.push(observer.subscribe(() => undefined));
  await until(() => asked === 1);
  backend.stop();
  await until(() => live.state.status === "lost");
  expect(live.state.lastSeen).not.toBeNull();
  await server(backend.port);
  await until(() => live.state.status === "open" && asked === 2);
});

test("a connection that fell silent is given up and opened again", async () => {
  const backend = await server();
  const live = connect(backend.port, { silenceMs: 60 });
  await until(() => live.state.status === "open");
  await until(() => backend.first.length >= 2);
});

test("a refused token ends the trying and says so", async () => {
  const backend = await server();
  const refused = vi.fn();
  const live = connect(backend.port, { onRefused: refused }, "wrong");
  await until(() => refused.mock.calls.length);
  expect(live.state.status).toBe("off");
  await new Promise((later) => setTimeout(later, 80));
  expect(backend.first).toHaveLength(1);
});

test("an unsubscribed listener hears nothing more", async () => {
  const backend = await server();
  const live = connect(backend.port);
  await until(() => live.state.status === "open");
  const heard: string[] = [];
  const stop = live.subscribe("alerts", (hint) => heard.push(hint.topic));
  backend.tell({ topic: "alerts" });
  await until(() => heard.length === 1);
  stop();
  const other = vi.fn();
  live.subscribe("alerts", other);
  backend.tell({ topic: "alerts" });
  await until(() => other.mock.calls.length);
  expect(heard).toEqual(["alerts"]);
});

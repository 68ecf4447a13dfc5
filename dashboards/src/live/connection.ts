// One WebSocket to /api/v1/live: opens, says who we are and which topics we follow, reconnects with growing pauses, and
// tells its listeners what arrived. Subscriptions are counted here and each returns its own unsubscribe.
import type { Hint, Topic } from "./topics";

export interface LiveState {
  status: "off" | "connecting" | "open" | "lost";
  /** When the connection was last known to be good (ms), null before the first time. */
  lastSeen: number | null;
}

export interface LiveOptions {
  url: string;
  topics: readonly Topic[];
  pauses?: readonly number[];
  now?: () => number;
}

type HintListener = (hint: Hint) => void;

export class LiveConnection {
  readonly #options: Required<LiveOptions>;
  #socket: WebSocket | null = null;
  #token: string | null = null;
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #state: LiveState = { status: "off", lastSeen: null };
  readonly #hintListeners = new Map<Topic, Set<HintListener>>();
  readonly #stateListeners = new Set<() => void>();
  readonly #reopenListeners = new Set<() => void>();

  constructor(options: LiveOptions) {
    this.#options = { pauses: [500, 1000, 2000, 4000, 8000], now: Date.now, ...options };
  }

  get state(): LiveState {
    return this.#state;
  }

  start(token: string): void {
    if (this.#token === token && this.#state.status !== "off") return;
    this.stop();
    this.#token = token;
    this.#attempt = 0;
    this.#open();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#token = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#become("off");
  }

  /** Try now instead of after the pause (the network came back, the tab is looked at again). */
  hurry(): void {
    if (!this.#token || this.#state.status !== "lost") return;
    clearTimeout(this.#timer);
    this.#open();
  }

  subscribe(topic: Topic, tell: HintListener): () => void {
    const listeners = this.#hintListeners.get(topic) ?? new Set();
    this.#hintListeners.set(topic, listeners.add(tell));
    return () => void listeners.delete(tell);
  }

  onState = (tell: () => void): (() => void) => {
    this.#stateListeners.add(tell);
    return () => void this.#stateListeners.delete(tell);
  };

  /** Called each time the connection stands again after a loss: whatever was missed must be fetched. */
  onReopen(tell: () => void): () => void {
    this.#reopenListeners.add(tell);
    return () => void this.#reopenListeners.delete(tell);
  }

  #open(): void {
    const wasOpenBefore = this.#state.lastSeen !== null;
    const socket = new WebSocket(this.#options.url);
    this.#socket = socket;
    if (this.#state.status !== "lost") this.#become("connecting");
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      socket.send(JSON.stringify({ token: this.#token, topics: this.#options.topics }));
      this.#attempt = 0;
      this.#become("open");
      if (wasOpenBefore) this.#reopenListeners.forEach((tell) => tell());
    };
    socket.onmessage = (event) => {
      if (socket !== this.#socket) return;
      this.#state = { ...this.#state, lastSeen: this.#options.now() };
      const hint = readHint(event.data);
      if (hint) this.#hintListeners.get(hint.topic)?.forEach((tell) => tell(hint));
    };
    socket.onclose = () => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      const pauses = this.#options.pauses;
      const pause = pauses[Math.min(this.#attempt, pauses.length - 1)] ?? 8000;
      this.#attempt += 1;
      this.#become("lost");
      this.#timer = setTimeout(() => this.#open(), pause);
    };
  }

  #become(status: LiveState["status"]): void {
    const wasGood = this.#state.status === "open" || status === "open";
    this.#state = { status, lastSeen: wasGood ? this.#options.now() : this.#state.lastSeen };
    this.#stateListeners.forEach((tell) => tell());
  }
}

function readHint(data: unknown): Hint | null {
  if (typeof data !== "string") return null;
  try {
    const value = JSON.parse(data) as Partial<Hint> | null;
    return value && typeof value.topic === "string" ? { topic: value.topic, site: value.site ?? null, id: value.id ?? null } : null;
  } catch {
    return null;
  }
}

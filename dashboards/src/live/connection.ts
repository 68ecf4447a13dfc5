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
  /** The site to follow, for people of several. */
  site?: () => string | null;
  pauses?: readonly number[];
  /** The backend says something at least every 20 s; longer silence is a dead connection. */
  silenceMs?: number;
  now?: () => number;
  /** The backend does not know the token (any more). */
  onRefused?: () => void;
}

type HintListener = (hint: Hint) => void;

const REFUSED = 4401;

export class LiveConnection {
  readonly #options: Required<LiveOptions>;
  #socket: WebSocket | null = null;
  #token: string | null = null;
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #state: LiveState = { status: "off", lastSeen: null };
  readonly #hintListeners = new Map<Hint["topic"], Set<HintListener>>();
  readonly #stateListeners = new Set<() => void>();

  constructor(options: LiveOptions) {
    this.#options = {
      pauses: [500, 1000, 2000, 4000, 8000], silenceMs: 45_000, site: () => null, now: Date.now, onRefused: () => undefined, ...options,
    };
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
    clearTimeout(this.#silence);
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

  subscribe(topic: Hint["topic"], tell: HintListener): () => void {
    const listeners = this.#hintListeners.get(topic) ?? new Set();
    this.#hintListeners.set(topic, listeners.add(tell));
    return () => void listeners.delete(tell);
  }

  onState = (tell: () => void): (() => void) => {
    this.#stateListeners.add(tell);
    return () => void this.#stateListeners.delete(tell);
  };

  #open(): void {
    const socket = new WebSocket(this.#options.url);
    this.#socket = socket;
    if (this.#state.status !== "lost") this.#become("connecting");
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      const site_id = this.#options.site() ?? undefined;
      socket.send(JSON.stringify({ token: this.#token, topics: this.#options.topics, site_id }));
      this.#listenForSilence(socket);
    };
    socket.onmessage = (event) => {
      if (socket !== this.#socket) return;
      // The first message is the proof that we were let in.
      this.#attempt = 0;
      this.#listenForSilence(socket);
      if (this.#state.status === "open") this.#state = { ...this.#state, lastSeen: this.#options.now() };
      else this.#become("open");
      const hint = readHint(event.data);
      if (hint) this.#hintListeners.get(hint.topic)?.forEach((tell) => tell(hint));
    };
    socket.onclose = (event) => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      clearTimeout(this.#silence);
      if (event.code === REFUSED) {
        this.stop();
        this.#options.onRefused();
        return;
      }
      const pauses = this.#options.pauses;
      const pause = pauses[Math.min(this.#attempt, pauses.length - 1)] ?? 8000;
      this.#attempt += 1;
      this.#become("lost");
      this.#timer = setTimeout(() => this.#open(), pause);
    };
  }

  #listenForSilence(socket: WebSocket): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => socket.close(), this.#options.silenceMs);
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

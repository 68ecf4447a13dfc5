// Hears a keyboard-wedge scanner whatever has the focus, and tells it from a person by its speed. Pure: keys with their
// times in, scans and typed characters out. A run of keys without a pause over `gapMs` that Enter or Tab ends is a scan;
// anything else was typed by a person. The key that ends a scan belongs to the scan and never presses a button.
export const GROUP_SEPARATOR = "\x1d"; // FNC1 inside a GS1 code

export type Heard =
  | { kind: "scan"; code: string }
  | { kind: "typed"; text: string }
  | { kind: "enter" };

export interface KeyPress {
  key: string;
  ctrlKey?: boolean;
  altKey?: boolean;
  metaKey?: boolean;
}

/** The character that a key adds to a code; empty for keys that add none (Shift, arrows). */
export function characterOf({ key, ctrlKey, altKey, metaKey }: KeyPress): string {
  // Scanners send FNC1 as F8, as Ctrl+] or as the raw character, as they are set.
  if (key === "F8" || key === GROUP_SEPARATOR || (ctrlKey && key === "]")) return GROUP_SEPARATOR;
  if (ctrlKey || altKey || metaKey) return "";
  return [...key].length === 1 ? key : "";
}

export class Catcher {
  readonly gapMs: number;
  readonly #shortest: number;
  #run = "";
  #lastAt = -Infinity;

  constructor({ gapMs = 100, shortest = 2 }: { gapMs?: number; shortest?: number } = {}) {
    this.gapMs = gapMs;
    this.#shortest = shortest;
  }

  press(press: KeyPress, at: number): Heard[] {
    const inTime = at - this.#lastAt <= this.gapMs;
    if (press.key === "Enter" || press.key === "Tab") {
      const run = this.#take();
      this.#lastAt = -Infinity;
      if (inTime && run.length >= this.#shortest) return [{ kind: "scan", code: run }];
      const typed: Heard[] = run ? [{ kind: "typed", text: run }] : [];
      return press.key === "Enter" ? [...typed, { kind: "enter" }] : typed;
    }
    const character = characterOf(press);
    if (!character) return [];
    const before = inTime ? "" : this.#take();
    this.#run += character;
    this.#lastAt = at;
    return before ? [{ kind: "typed", text: before }] : [];
  }

  /** Nothing came for a while: what is held was typed by a person. */
  idle(now: number): Heard[] {
    if (!this.#run || now - this.#lastAt <= this.gapMs) return [];
    return [{ kind: "typed", text: this.#take() }];
  }

  #take(): string {
    const run = this.#run;
    this.#run = "";
    return run;
  }
}

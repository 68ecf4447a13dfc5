// A scanner that types like a keyboard, told from a person by its speed. Pure: keys with times in, whole scans out.
// The Enter that ends a scan belongs to the scan and never presses a button.
export interface WedgeOptions {
  /** The longest pause between two keys of one scan. */
  gapMs?: number;
  minLength?: number;
}

export type Fed = { kind: "nothing" } | { kind: "typing" } | { kind: "scan"; text: string };

export class Wedge {
  readonly #gapMs: number;
  readonly #minLength: number;
  #text = "";
  #lastAt = 0;

  constructor({ gapMs = 60, minLength = 3 }: WedgeOptions = {}) {
    this.#gapMs = gapMs;
    this.#minLength = minLength;
  }

  feed(key: string, at: number): Fed {
    const inTime = at - this.#lastAt <= this.#gapMs;
    this.#lastAt = at;
    if (key === "Enter" || key === "Tab") {
      const text = inTime ? this.#text : "";
      this.#text = "";
      return text.length >= this.#minLength ? { kind: "scan", text } : { kind: "nothing" };
    }
    // GS1 separators arrive as F8, Ctrl+] or the raw character, as the scanner is set.
    const character = key === "F8" || key === "\x1d" ? "\x1d" : key;
    if (character.length !== 1) return { kind: "nothing" };
    this.#text = inTime ? this.#text + character : character;
    return { kind: "typing" };
  }
}

// What a step shows, as data: one instruction, one expected scan, one target, and what may be pressed. `StepScreen` draws it.
import type { Do } from "./runtime";

export type Expect = "item" | "place" | "plate" | "tote" | "order" | "returned" | "door" | "anything" | "number" | "nothing";
export type KeypadKind = "code" | "number" | "date" | "text";

export interface Choice<S> {
  id: string;
  label: string;
  sub?: string;
  run: Do<S>;
  /** Asks on the keypad first; what was entered is the input of `run`. */
  keypad?: { kind: KeypadKind; title: string };
  strong?: boolean;
  disabled?: boolean;
}

export interface View<S> {
  instruction: string;
  expect: Expect;
  /** The thing to go to, take or scan, in the largest type. */
  target?: { text: string; sub?: string; tone?: "warn" | "good"; /** Smaller where many choices need the room. */ small?: boolean };
  amount?: { now: string; of?: string; unit?: string };
  facts?: { label: string; value: string; tone?: "warn" | "good" | "bad" }[];
  /** Things to choose by touch where nothing can be scanned. */
  choices?: Choice<S>[];
  /** Two in a row, also where they have a second line. */
  grid?: boolean;
  /** In the thumb zone, at most four. */
  actions?: Choice<S>[];
  /** What the keypad is for in this step; a code unless said. */
  keypad?: KeypadKind;
  /** The screen is asked again by itself. */
  everyMs?: number;
  list?: { title: string; rows: { head: string; tail: string; sub?: string }[] }[];
}

// The scan catcher on the page: it hears every key before anything else does.
import { useEffect, useRef } from "react";
import { Catcher, type Heard } from "./catcher";

interface Hearing {
  onScan: (code: string) => void;
  onTyped?: (text: string) => void;
  onEnter?: () => void;
}

const SHOW_TYPED_AFTER_MS = 400;

/** A device whose radio scanner stutters may be given a longer pause between the keys of one scan. */
const GAP = "stowage.handheld.gap_ms";

function gapOfThisDevice(): number | undefined {
  const stored = Number(localStorage.getItem(GAP));
  return stored > 0 ? stored : undefined;
}

export function useCatcher(hearing: Hearing): void {
  const latest = useRef(hearing);
  useEffect(() => {
    latest.current = hearing;
  });
  useEffect(() => {
    const catcher = new Catcher({ gapMs: gapOfThisDevice() });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tell = (all: Heard[]) => {
      for (const heard of all) {
        if (heard.kind === "scan") latest.current.onScan(heard.code);
        else if (heard.kind === "typed") latest.current.onTyped?.(heard.text);
        else latest.current.onEnter?.();
      }
      return all.some((heard) => heard.kind === "scan");
    };
    const hear = (event: KeyboardEvent) => {
      if (event.isComposing) return;
      const inField = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
      const scanned = tell(catcher.press(event, event.timeStamp));
      clearTimeout(timer);
      timer = setTimeout(() => tell(catcher.idle(performance.now())), SHOW_TYPED_AFTER_MS);
      // The end of a scan presses nothing, and its blanks and shortcuts scroll and open nothing. In a field a person types on.
      const ends = event.key === "Enter" || (event.key === "Tab" && scanned);
      if (scanned || (!inField && (ends || event.key === " " || event.key === "F8" || (event.ctrlKey && event.key === "]")))) {
        event.preventDefault();
        event.stopPropagation();
      }
    };
    window.addEventListener("keydown", hear, { capture: true });
    return () => {
      clearTimeout(timer);
      window.removeEventListener("keydown", hear, { capture: true });
    };
  }, []);
}

// Hears a keyboard-wedge scanner wherever the focus is, and hands over whole scans.
import { useEffect, useRef } from "react";
import { Wedge, type WedgeOptions } from "./wedge";

export function useScanner(onScan: (text: string) => void, options: WedgeOptions = {}): void {
  const latest = useRef(onScan);
  useEffect(() => {
    latest.current = onScan;
  });
  const { gapMs, minLength } = options;
  useEffect(() => {
    const wedge = new Wedge({ gapMs, minLength });
    const hear = (event: KeyboardEvent) => {
      if (event.altKey || event.metaKey) return;
      const key = event.ctrlKey ? (event.key === "]" ? "\x1d" : "") : event.key;
      if (!key) return;
      const fed = wedge.feed(key, event.timeStamp);
      if (fed.kind !== "scan") return;
      event.preventDefault();
      event.stopPropagation();
      latest.current(fed.text);
    };
    window.addEventListener("keydown", hear, { capture: true });
    return () => window.removeEventListener("keydown", hear, { capture: true });
  }, [gapMs, minLength]);
}

// A box dragged over the map: with Shift held, or while `on`. Escape lets it go.
import { useEffect, useRef } from "react";
import { useMap } from "../context";
import type { Bounds } from "../fit";
import classes from "../Map.module.css";

const LEAST_PX = 4;

export default function Area({ on, onArea }: { on: boolean; onArea: (bounds: Bounds) => void }) {
  const map = useMap();
  const now = useRef({ on, onArea });
  useEffect(() => {
    now.current = { on, onArea };
  });
  useEffect(() => {
    map.boxZoom.disable();
    const frame = map.getContainer();
    let from: { x: number; y: number } | null = null;
    let box: HTMLDivElement | null = null;
    const place = ({ clientX, clientY }: MouseEvent) => {
      const { left, top } = frame.getBoundingClientRect();
      return { x: clientX - left, y: clientY - top };
    };
    const end = () => {
      from = null;
      box?.remove();
      box = null;
      window.removeEventListener("mousemove", move);
      window.removeEventListener("mouseup", up);
      window.removeEventListener("keydown", key, { capture: true });
    };
    const move = (event: MouseEvent) => {
      if (!from || !box) return;
      const to = place(event);
      Object.assign(box.style, { left: `${Math.min(from.x, to.x)}px`, top: `${Math.min(from.y, to.y)}px`, width: `${Math.abs(to.x - from.x)}px`, height: `${Math.abs(to.y - from.y)}px` });
    };
    const up = (event: MouseEvent) => {
      const begun = from, to = place(event);
      end();
      // The press that ends a drag is no press on what lies under it.
      frame.addEventListener("click", (click) => click.stopPropagation(), { capture: true, once: true });
      if (!begun || Math.abs(to.x - begun.x) < LEAST_PX || Math.abs(to.y - begun.y) < LEAST_PX) return;
      const a = map.unproject([Math.min(begun.x, to.x), Math.max(begun.y, to.y)]), b = map.unproject([Math.max(begun.x, to.x), Math.min(begun.y, to.y)]);
      now.current.onArea([a.lng, a.lat, b.lng, b.lat]);
    };
    const key = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      end();
    };
    const down = (event: MouseEvent) => {
      if (event.button !== 0 || !(event.shiftKey || now.current.on) || event.target !== map.getCanvas()) return;
      event.stopPropagation();
      event.preventDefault();
      from = place(event);
      box = document.createElement("div");
      box.className = classes["area"] ?? "";
      frame.append(box);
      window.addEventListener("mousemove", move);
      window.addEventListener("mouseup", up);
      window.addEventListener("keydown", key, { capture: true });
    };
    frame.addEventListener("mousedown", down, { capture: true });
    return () => {
      end();
      frame.removeEventListener("mousedown", down, { capture: true });
    };
  }, [map]);
  return null;
}

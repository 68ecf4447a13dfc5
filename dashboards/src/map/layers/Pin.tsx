// A pin that a person puts and drags: where an address really is.
import { Marker } from "maplibre-gl";
import { useEffect, useRef } from "react";
import { useMap } from "../context";
import type { LonLat } from "../fit";
import { token } from "../marks";
import classes from "../Map.module.css";

export default function Pin({ at, onMove }: { at: LonLat; onMove: (to: LonLat) => void }) {
  const map = useMap();
  const marker = useRef<Marker>(null);
  const tell = useRef(onMove);
  useEffect(() => {
    tell.current = onMove;
  });
  const [lon, lat] = at;
  useEffect(() => {
    if (marker.current) return void marker.current.setLngLat([lon, lat]);
    const element = document.createElement("div");
    element.className = classes["pin"] ?? "";
    element.innerHTML = `<svg viewBox="0 0 26 34" width="26" height="34"><path d="M13 33C13 33 25 20 25 12.5A12 12 0 1 0 1 12.5C1 20 13 33 13 33Z" fill="${token("--accent")}" stroke="${token("--surface-raised")}" stroke-width="2"/><circle cx="13" cy="12.5" r="4.5" fill="${token("--surface-raised")}"/></svg>`;
    marker.current = new Marker({ element, draggable: true, anchor: "bottom" }).setLngLat([lon, lat]).addTo(map);
    marker.current.on("dragend", () => {
      const to = marker.current?.getLngLat();
      if (to) tell.current([to.lng, to.lat]);
    });
  }, [map, lon, lat]);
  useEffect(
    () => () => {
      marker.current?.remove();
      marker.current = null;
    },
    [],
  );
  return null;
}

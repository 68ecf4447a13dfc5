// The van and the door on the house's own map. Loaded when a customer's page has something to show.
import { Marker } from "maplibre-gl";
import { useEffect, useRef, useState } from "react";
import type { MapInfo } from "@/data/map";
import { shownScheme } from "@/design/scheme";
import { useMap } from "@/map/context";
import { boundsOf, type LonLat } from "@/map/fit";
import MapView from "@/map/Map";
import type { Ground } from "@/map/style";
import { distance } from "./when";
import classes from "./Tracking.module.css";

interface Place {
  lat: number;
  lon: number;
}

interface TrackMapProps {
  ground: MapInfo;
  vehicle: (Place & { stale: boolean }) | null;
  destination: Place;
  label: string;
  home: string;
  van: string;
}

export default function TrackMap({ ground: info, vehicle, destination, label, home, van }: TrackMapProps) {
  const width = useSettledWidth();
  const tiles = new URL(info.tiles, window.location.href).href.replaceAll("%7B", "{").replaceAll("%7D", "}");
  // Both stay in sight: looked at again when the van is half as far as before, not with every position.
  const nearness = vehicle ? Math.round(Math.log2(distance(vehicle, destination) + 100)) : "home";
  const at = (place: Place): LonLat => [place.lon, place.lat];
  return (
    <MapView
      key={shownScheme()} label={label} attribution={info.attribution}
      ground={{ tiles, bounds: info.bounds as Ground["bounds"], minZoom: info.min_zoom ?? undefined, maxZoom: info.max_zoom ?? undefined }}
      fit={boundsOf([at(destination), vehicle && at(vehicle)])} fitKey={`${nearness} ${width}`}
    >
      <Mark at={at(destination)} kind="home" title={home} />
      {vehicle && <Mark at={at(vehicle)} kind="van" title={van} stale={vehicle.stale} />}
    </MapView>
  );
}

/** The window's width once it has stopped changing, and the map has taken its new size. */
function useSettledWidth(): number {
  const [width, setWidth] = useState(() => window.innerWidth);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const settle = () => {
      clearTimeout(timer);
      timer = setTimeout(() => setWidth(window.innerWidth), 300);
    };
    window.addEventListener("resize", settle);
    return () => {
      clearTimeout(timer);
      window.removeEventListener("resize", settle);
    };
  }, []);
  return width;
}

const SHAPES = {
  home: '<svg viewBox="0 0 32 42" width="32" height="42"><path d="M16 41C16 41 31 25 31 15.5A15 15 0 1 0 1 15.5C1 25 16 41 16 41Z" fill="var(--ink)" stroke="var(--surface-raised)" stroke-width="2"/><path d="M9 16.5 16 10.5 23 16.5V22.5H18V18.5H14V22.5H9Z" fill="var(--surface-raised)"/></svg>',
  van: '<svg viewBox="0 0 44 44" width="44" height="44"><circle cx="22" cy="22" r="20" fill="var(--accent)" stroke="#fff" stroke-width="3"/><path d="M10.5 15.5H24.5V27.5H10.5ZM24.5 19H29.5L33 23V27.5H24.5Z" fill="#fff"/><circle cx="16" cy="28.5" r="3" fill="var(--accent)" stroke="#fff" stroke-width="1.8"/><circle cx="27.5" cy="28.5" r="3" fill="var(--accent)" stroke="#fff" stroke-width="1.8"/></svg>',
};

function Mark({ at, kind, title, stale = false }: { at: LonLat; kind: keyof typeof SHAPES; title: string; stale?: boolean }) {
  const map = useMap();
  const marker = useRef<Marker>(null);
  const [lon, lat] = at;
  useEffect(() => {
    if (!marker.current) {
      const element = document.createElement("div");
      element.className = classes["mark"] ?? "";
      element.dataset["kind"] = kind;
      element.innerHTML = SHAPES[kind];
      marker.current = new Marker({ element, anchor: kind === "home" ? "bottom" : "center" }).setLngLat([lon, lat]).addTo(map);
    }
    const { current } = marker;
    current.setLngLat([lon, lat]);
    const element = current.getElement();
    element.title = title;
    element.setAttribute("aria-label", title);
    element.toggleAttribute("data-stale", stale);
  }, [map, kind, lon, lat, title, stale]);
  useEffect(
    () => () => {
      marker.current?.remove();
      marker.current = null;
    },
    [],
  );
  return null;
}

// Where routes begin and end.
import { useMemo } from "react";
import { features, pointOf, useGeoJson, type OverlayLayer } from "../context";
import { nameOf, token } from "../marks";
import { FONT } from "../style";

export interface DepotMark {
  id: string;
  lat: number;
  lon: number;
  name: string;
}

const IMAGE = nameOf({ kind: "depot", shape: "square", colour: "--ink", state: "plain" });

export function DepotLayer({ depots }: { depots: readonly DepotMark[] }) {
  const data = useMemo(() => features(depots.map((depot) => pointOf(depot.lon, depot.lat, { id: depot.id, name: depot.name }))), [depots]);
  useGeoJson("depots", data, layers());
  return null;
}

const layers = (): OverlayLayer[] => [
  {
    id: "depots", type: "symbol",
    layout: { "icon-image": IMAGE, "icon-allow-overlap": true, "text-field": ["get", "name"], "text-font": FONT, "text-size": 12, "text-offset": [0, 1.5], "text-anchor": "top", "text-optional": true },
    paint: { "text-color": token("--ink"), "text-halo-color": token("--map-land"), "text-halo-width": 1.6 },
  },
];

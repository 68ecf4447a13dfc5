// Where the vehicles are now, which way they look, and (hollow, dashed) which have not been heard of for a while.
import { useMemo } from "react";
import { features, pointOf, useGeoJson, type OverlayLayer } from "../context";
import { nameOf, token, type Look } from "../marks";
import { FONT } from "../style";

export interface VehicleMark {
  id: string;
  code: string;
  lat: number;
  lon: number;
  course_deg: number | null;
  stale: boolean;
  look: Look;
}

export function VehicleLayer({ vehicles }: { vehicles: readonly VehicleMark[] }) {
  const data = useMemo(
    () =>
      features(
        vehicles.map((one) =>
          pointOf(one.lon, one.lat, {
            id: one.id, code: one.code, turn: one.course_deg ?? 0,
            image: nameOf({ kind: "vehicle", shape: "circle", colour: one.look.colour, state: one.stale ? "stale" : "plain" }),
          }),
        ),
      ),
    [vehicles],
  );
  useGeoJson("vehicles", data, layers());
  return null;
}

const layers = (): OverlayLayer[] => [
  {
    id: "vehicles", type: "symbol",
    layout: { "icon-image": ["get", "image"], "icon-rotate": ["get", "turn"], "icon-rotation-alignment": "map", "icon-allow-overlap": true, "icon-ignore-placement": true },
  },
  {
    id: "vehicle-names", type: "symbol",
    // Vans that stand side by side take different sides for their names; none is printed over another.
    layout: { "text-field": ["get", "code"], "text-font": FONT, "text-size": 12, "text-variable-anchor": ["top", "left", "right", "bottom", "top-left", "top-right", "bottom-left", "bottom-right"], "text-radial-offset": 1.7, "text-justify": "auto" },
    paint: { "text-color": token("--ink"), "text-halo-color": token("--surface-raised"), "text-halo-width": 2 },
  },
];

// While a stop is being moved: the way it would take between its new neighbours, as the crow flies.
import { useMemo } from "react";
import { features, lineOf, pointOf, useGeoJson, type OverlayLayer } from "../context";
import type { LonLat } from "../fit";
import { token } from "../marks";

export function PreviewLayer({ line, at }: { line: LonLat[]; at: LonLat | null }) {
  const data = useMemo(() => features([...(line.length > 1 ? [lineOf(line, {})] : []), ...(at ? [pointOf(at[0], at[1], {})] : [])]), [line, at]);
  useGeoJson("preview", data, layers());
  return null;
}

const layers = (): OverlayLayer[] => [
  { id: "preview-line", type: "line", filter: ["==", ["geometry-type"], "LineString"], paint: { "line-color": token("--accent"), "line-width": 3, "line-dasharray": [1.5, 1.2] } },
  {
    id: "preview-point", type: "circle", filter: ["==", ["geometry-type"], "Point"],
    paint: { "circle-radius": 9, "circle-color": token("--accent"), "circle-stroke-color": token("--surface-raised"), "circle-stroke-width": 3 },
  },
];

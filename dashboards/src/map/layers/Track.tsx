// The way a vehicle was seen to drive, as dark dots over its pale planned line, and where it was at a chosen moment.
import type { Feature } from "geojson";
import { useMemo } from "react";
import { features, lineOf, pointOf, useGeoJson, type OverlayLayer } from "../context";
import type { LonLat } from "../fit";
import { token } from "../marks";
import { FONT } from "../style";

/** Each piece is a line of its own; one that was heard once is a dot. */
export function TrackLayer({ pieces }: { pieces: readonly LonLat[][] }) {
  const data = useMemo(() => features(pieces.flatMap((piece): Feature[] => {
    const [first] = piece;
    return piece.length > 1 ? [lineOf(piece, {})] : first ? [pointOf(first[0], first[1], {})] : [];
  })), [pieces]);
  useGeoJson("track", data, layers());
  return null;
}

const layers = (): OverlayLayer[] => [
  { id: "track-dots", type: "line", filter: ["==", ["geometry-type"], "LineString"], layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": token("--ink"), "line-width": 3, "line-dasharray": [0, 1.9] } },
  { id: "track-heard-once", type: "circle", filter: ["==", ["geometry-type"], "Point"], paint: { "circle-radius": 2.5, "circle-color": token("--ink") } },
];

export interface TrackMark {
  at: LonLat;
  text: string;
  /** Nothing was heard then: this is where it was last. */
  silent: boolean;
}

export function TrackMarkLayer({ mark }: { mark: TrackMark | null }) {
  const data = useMemo(() => features(mark ? [pointOf(mark.at[0], mark.at[1], { text: mark.text, silent: mark.silent })] : []), [mark]);
  useGeoJson("track-mark", data, markLayers());
  return null;
}

const markLayers = (): OverlayLayer[] => [
  {
    id: "track-mark", type: "circle",
    paint: {
      "circle-radius": 8, "circle-color": ["case", ["get", "silent"], token("--surface-raised"), token("--ink")],
      "circle-stroke-color": ["case", ["get", "silent"], token("--ink"), token("--surface-raised")], "circle-stroke-width": 3,
    },
  },
  {
    id: "track-mark-time", type: "symbol",
    layout: { "text-field": ["get", "text"], "text-font": FONT, "text-size": 13, "text-anchor": "bottom", "text-offset": [0, -0.9], "text-allow-overlap": true, "text-ignore-placement": true },
    paint: { "text-color": token("--ink"), "text-halo-color": token("--surface-raised"), "text-halo-width": 2.5 },
  },
];

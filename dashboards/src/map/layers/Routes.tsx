// The way of each route along the road, in its colour; the selected one above the others, a guessed one dashed.
import { useMemo } from "react";
import { features, lineOf, useGeoJson, type Expression, type OverlayLayer } from "../context";
import type { LonLat } from "../fit";
import { token } from "../marks";

export interface RouteLine {
  id: string;
  colour: string;
  line: LonLat[];
  /** Straight lines, because the road server did not answer. */
  guessed: boolean;
  selected: boolean;
  /** Another route is selected: step back. */
  faint: boolean;
  /** How it was driven lies over it. */
  pale?: boolean;
}

const WIDTH: Expression = ["interpolate", ["linear"], ["zoom"], 10, ["case", ["get", "selected"], 3.5, 2], 15, ["case", ["get", "selected"], 6.5, 3.6]];
const SHOWN: Expression = ["case", ["get", "pale"], 0.42, ["get", "selected"], 1, ["get", "faint"], 0.28, 0.72];
const round = { "line-cap": "round", "line-join": "round", "line-sort-key": ["case", ["get", "selected"], 1, 0] } as const;

export function RouteLayer({ routes }: { routes: readonly RouteLine[] }) {
  const data = useMemo(
    () => features(routes.filter((route) => route.line.length > 1).map((route) => lineOf(route.line, { id: route.id, colour: token(route.colour), guessed: route.guessed, selected: route.selected, faint: route.faint, pale: route.pale ?? false }))),
    [routes],
  );
  useGeoJson("routes", data, layers());
  return null;
}

const layers = (): OverlayLayer[] => [
  { id: "route-edges", type: "line", filter: ["all", ["get", "selected"], ["!", ["get", "guessed"]]], layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": token("--surface-raised"), "line-width": ["+", 3, 6.5] } },
  { id: "routes", type: "line", filter: ["!", ["get", "guessed"]], layout: round as never, paint: { "line-color": ["get", "colour"], "line-width": WIDTH, "line-opacity": SHOWN } },
  { id: "routes-guessed", type: "line", filter: ["get", "guessed"], layout: { "line-join": "round" }, paint: { "line-color": ["get", "colour"], "line-width": WIDTH, "line-opacity": SHOWN, "line-dasharray": [1.6, 1.4] } },
];

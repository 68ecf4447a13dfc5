// The ground of the map: our own vector tiles drawn with our own tokens. No outside address: tiles come from the API, and
// without a `glyphs` address MapLibre draws the letters with the fonts of the page.
import type { LayerSpecification, StyleSpecification, ExpressionSpecification } from "maplibre-gl";
import { token } from "./marks";

export const FONT = ["Inter Variable", "sans-serif"];
const MAX_TILE_ZOOM = 14;

/** Widths of roads by kind: what they are at zoom 12, 15 and 18. */
const ROADS: Record<string, [number, number, number]> = {
  motorway: [2.2, 7, 22],
  primary: [1.8, 6.5, 20],
  secondary: [1.2, 5, 17],
  minor: [0.4, 3, 13],
  path: [0.2, 1, 3],
};

function widthOf(extra: number): ExpressionSpecification {
  const by = (at: 0 | 1 | 2) => ["match", ["get", "kind"], ...Object.entries(ROADS).flatMap(([kind, widths]) => [kind, widths[at] + extra]), 1 + extra];
  return ["interpolate", ["exponential", 1.6], ["zoom"], 12, by(0), 15, by(1), 18, by(2)] as unknown as ExpressionSpecification;
}

export interface Ground {
  /** Absolute template of the tiles, null where there is no map: then the marks stand on plain ground. */
  tiles: string | null;
  /** West, south, east, north. */
  bounds?: number[] | null;
  minZoom?: number | null;
  maxZoom?: number | null;
}

export function groundStyle({ tiles, bounds, minZoom, maxZoom }: Ground): StyleSpecification {
  const colour = {
    land: token("--map-land"), green: token("--map-green"), water: token("--map-water"), building: token("--map-building"),
    road: token("--map-road"), edge: token("--map-road-edge"), main: token("--map-road-main"), ink: token("--map-ink"),
  };
  const background: LayerSpecification = { id: "land", type: "background", paint: { "background-color": colour.land } };
  if (tiles === null) return { version: 8, sources: {}, layers: [background] };
  const ground = { source: "ground" };
  const label = { "text-font": FONT, "text-size": 11.5 };
  const halo = { "text-color": colour.ink, "text-halo-color": colour.land, "text-halo-width": 1.4 };
  const path = ["==", ["get", "kind"], "path"] as ExpressionSpecification;
  const street = ["!=", ["get", "kind"], "path"] as ExpressionSpecification;
  const big = ["in", ["get", "kind"], ["literal", ["motorway", "primary"]]] as ExpressionSpecification;
  return {
    version: 8,
    sources: { ground: { type: "vector", tiles: [tiles], minzoom: minZoom ?? 0, maxzoom: maxZoom ?? MAX_TILE_ZOOM, ...(bounds ? { bounds: bounds as [number, number, number, number] } : {}) } },
    layers: [
      background,
      { id: "green", type: "fill", ...ground, "source-layer": "landuse", filter: ["in", ["get", "kind"], ["literal", GREEN]], paint: { "fill-color": colour.green } },
      { id: "water", type: "fill", ...ground, "source-layer": "water", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": colour.water } },
      { id: "streams", type: "line", ...ground, "source-layer": "water", filter: ["==", ["geometry-type"], "LineString"], paint: { "line-color": colour.water, "line-width": 1.5 } },
      { id: "buildings", type: "fill", ...ground, "source-layer": "buildings", minzoom: 13, paint: { "fill-color": colour.building, "fill-opacity": ["interpolate", ["linear"], ["zoom"], 13, 0.4, 15, 1] } },
      { id: "paths", type: "line", ...ground, "source-layer": "roads", minzoom: 14, filter: path, paint: { "line-color": colour.edge, "line-width": widthOf(0), "line-dasharray": [2, 1.5] } },
      { id: "road-edges", type: "line", ...ground, "source-layer": "roads", filter: street, layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": colour.edge, "line-width": widthOf(1.6) } },
      {
        id: "roads", type: "line", ...ground, "source-layer": "roads", filter: street, layout: { "line-cap": "round", "line-join": "round" },
        paint: { "line-color": ["case", big, colour.main, colour.road], "line-width": widthOf(0) },
      },
      {
        id: "road-names", type: "symbol", ...ground, "source-layer": "roads", minzoom: 13.5, filter: ["all", ["has", "name"], street],
        layout: { ...label, "symbol-placement": "line", "symbol-spacing": 280, "text-field": ["get", "name"], "text-size": ["interpolate", ["linear"], ["zoom"], 13.5, 10.5, 17, 13], "text-padding": 6 },
        paint: halo,
      },
      {
        id: "house-numbers", type: "symbol", ...ground, "source-layer": "addresses", minzoom: 17,
        layout: { ...label, "text-field": ["get", "housenumber"], "text-size": 10.5 }, paint: halo,
      },
      {
        id: "pois", type: "symbol", ...ground, "source-layer": "pois", minzoom: 16.5, filter: ["has", "name"],
        layout: { ...label, "text-field": ["get", "name"], "text-size": 10.5, "text-max-width": 7 }, paint: halo,
      },
      {
        id: "places", type: "symbol", ...ground, "source-layer": "places", maxzoom: 16, filter: ["has", "name"],
        layout: { ...label, "text-field": ["get", "name"], "text-size": ["match", ["get", "kind"], ["city", "town"], 15, 12], "text-max-width": 8, "text-letter-spacing": 0.03 },
        paint: { ...halo, "text-color": token("--ink") },
      },
    ],
  };
}

const GREEN = ["park", "forest", "wood", "grass", "meadow", "garden", "cemetery", "recreation_ground", "nature_reserve", "green", "village_green", "scrub", "pitch", "golf_course", "allotments", "farmland", "orchard", "vineyard", "grassland", "heath"];

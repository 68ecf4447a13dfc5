// Stops with their numbers. Shape and colour are the route's; done, late and failed have marks of their own.
import type { ExpressionSpecification } from "maplibre-gl";
import { useMemo } from "react";
import { features, pointOf, useGeoJson, type OverlayLayer } from "../context";
import { nameOf, token, type Look, type MarkName } from "../marks";
import { FONT } from "../style";

export interface StopMark {
  id: string;
  lat: number;
  lon: number;
  look: Look;
  text: string;
  state: MarkName["state"];
  selected: boolean;
  faint: boolean;
  /** How many others stand at the same place before it: it is drawn beside them. */
  aside?: number;
}

/** `id` names the layer; a second one holds what is lit, so that lighting one of many does not draw the many again. */
export function StopLayer({ id = "stops", stops }: { id?: string; stops: readonly StopMark[] }) {
  const data = useMemo(
    () =>
      features(
        stops.map((stop) =>
          pointOf(stop.lon, stop.lat, {
            id: stop.id, text: stop.text, selected: stop.selected, faint: stop.faint, aside: Math.min(stop.aside ?? 0, FARTHEST),
            image: nameOf({ kind: "stop", shape: stop.look.shape, colour: stop.look.colour, state: stop.state }),
            ink: token(stop.state === "done" ? stop.look.colour : "--route-ink"),
          }),
        ),
      ),
    [stops],
  );
  useGeoJson(id, data, layers(id));
  return null;
}

const FARTHEST = 5;
const STEP_PX = 20;

/** The offset of a mark (of the given size) that stands aside, in the layer's own measure. */
const aside = (size: number): ExpressionSpecification =>
  ["match", ["get", "aside"], ...Array.from({ length: FARTHEST }, (_, n) => [n + 1, ["literal", [((n + 1) * STEP_PX) / size, 0]]]).flat(), ["literal", [0, 0]]] as unknown as ExpressionSpecification;
const SELECTED: ExpressionSpecification = ["get", "selected"];

const layers = (id: string): OverlayLayer[] => [
  {
    // A circle cannot be drawn aside; there the larger mark says it.
    id: `${id}-halo`, type: "circle", filter: ["all", ["get", "selected"], ["==", ["get", "aside"], 0]],
    paint: { "circle-radius": 19, "circle-color": token("--accent"), "circle-opacity": 0.22, "circle-stroke-color": token("--accent"), "circle-stroke-width": 2 },
  },
  {
    id, type: "symbol",
    layout: {
      "icon-image": ["get", "image"], "icon-allow-overlap": true, "icon-ignore-placement": true,
      "icon-offset": ["case", SELECTED, aside(1.2), aside(0.92)], "text-offset": ["case", SELECTED, aside(12.5), aside(10.5)],
      "icon-size": ["interpolate", ["linear"], ["zoom"], 10, ["case", ["get", "selected"], 0.95, 0.55], 14, ["case", ["get", "selected"], 1.2, 0.92]],
      "text-field": ["step", ["zoom"], ["case", ["get", "selected"], ["get", "text"], ""], 11.5, ["get", "text"]], "text-font": FONT,
      "text-size": ["case", ["get", "selected"], 12.5, 10.5],
      "text-allow-overlap": true, "text-ignore-placement": true, "symbol-sort-key": ["case", ["get", "selected"], 2, ["get", "faint"], 0, 1],
    },
    paint: { "text-color": ["get", "ink"], "icon-opacity": ["case", ["get", "faint"], 0.35, 1], "text-opacity": ["case", ["get", "faint"], 0.35, 1] },
  },
];

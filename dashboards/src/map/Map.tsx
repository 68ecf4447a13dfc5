// The map itself: MapLibre GL on our own tiles. It draws the ground and brings zoom, attribution and presses; everything on
// it is a layer component among its children (layers/). Use it through MapFrame, which loads it when it is needed.
import "maplibre-gl/dist/maplibre-gl.css";
import * as gl from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { MapContext } from "./context";
import type { Bounds, LonLat } from "./fit";
import { markImage, markOf } from "./marks";
import { groundStyle, type Ground } from "./style";
import classes from "./Map.module.css";

gl.setWorkerUrl(workerUrl);
const RATIO = 2;
const PADDING = 48;

export interface Picked {
  layer: string;
  id: string;
}

export interface MapProps {
  /** What the map shows, for those who hear it. */
  label: string;
  ground: Ground;
  attribution: string;
  /** What to show first, and again whenever `fitKey` changes; never because data arrived. */
  fit: Bounds | null;
  fitKey?: string;
  /** Layers whose features can be pressed; each feature has a property `id`. */
  pickable?: readonly string[];
  onPick?: (picked: Picked) => void;
  onHover?: (picked: Picked | null) => void;
  /** A press on the map where no feature is. */
  onPress?: (at: LonLat) => void;
  crosshair?: boolean;
  children?: ReactNode;
}

/** Where each map was looked at last, so that a change of colours does not lose the place. */
const cameras = new Map<string, { center: gl.LngLatLike; zoom: number; fitKey: string }>();

export default function MapView({ label, ground, attribution, fit, fitKey = "", pickable = [], onPick, onHover, onPress, crosshair = false, children }: MapProps) {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);
  const [map, setMap] = useState<gl.Map | null>(null);
  const now = useRef({ onPick, onHover, onPress, pickable, fitKey });
  useEffect(() => {
    now.current = { onPick, onHover, onPress, pickable, fitKey };
  });
  const start = useRef({ ground, fit, attribution, label, words: { in: t("map.zoom_in"), out: t("map.zoom_out"), credit: t("map.credit") } });
  const fitted = useRef<string | null>(null);

  useEffect(() => {
    if (!box.current) return;
    const { ground, fit, attribution, label, words } = start.current;
    const before = cameras.get(label);
    const here = before?.fitKey === now.current.fitKey ? before : undefined;
    if (here) fitted.current = here.fitKey;
    const bounds = fit ?? ground.bounds ?? undefined;
    if (!here && fit) fitted.current = now.current.fitKey;
    const made = new gl.Map({
      container: box.current,
      style: groundStyle(ground),
      ...(here ? { center: here.center, zoom: here.zoom } : bounds ? { bounds: bounds as gl.LngLatBoundsLike, fitBoundsOptions: { padding: PADDING, maxZoom: 16 } } : {}),
      attributionControl: false,
      renderWorldCopies: false,
      fadeDuration: 0,
      maxPitch: 0,
      dragRotate: false,
      pitchWithRotate: false,
      canvasContextAttributes: { antialias: false },
      locale: { "NavigationControl.ZoomIn": words.in, "NavigationControl.ZoomOut": words.out, "AttributionControl.ToggleAttribution": words.credit, "Map.Title": label },
    });
    made.touchZoomRotate.disableRotation();
    made.addControl(new gl.NavigationControl({ showCompass: false }), "bottom-right");
    made.addControl(new gl.AttributionControl({ compact: false, customAttribution: attribution }), "bottom-left");
    made.setMissingStyleImageResolver((id) => {
      const mark = markOf(id);
      const image = mark && markImage(mark, RATIO);
      if (image && !made.hasImage(id)) made.addImage(id, image, { pixelRatio: RATIO });
    });
    const under = (point: gl.PointLike): Picked | null => {
      const layers = now.current.pickable.filter((layer) => made.getLayer(layer));
      const found = layers.length > 0 ? made.queryRenderedFeatures(point, { layers })[0] : undefined;
      const id: unknown = found?.properties["id"];
      return found && typeof id === "string" ? { layer: found.layer.id, id } : null;
    };
    made.on("click", ({ point, lngLat }) => {
      const found = under(point);
      if (found) now.current.onPick?.(found);
      else now.current.onPress?.([lngLat.lng, lngLat.lat]);
    });
    made.on("mousemove", ({ point }) => {
      if (now.current.pickable.length === 0) return;
      const found = under(point);
      made.getCanvas().style.cursor = found ? "pointer" : "";
      now.current.onHover?.(found);
    });
    // A tile that cannot be fetched leaves its square empty; the marks stay.
    made.on("error", () => undefined);
    made.once("load", () => setMap(made));
    return () => {
      cameras.set(label, { center: made.getCenter(), zoom: made.getZoom(), fitKey: now.current.fitKey });
      setMap(null);
      made.remove();
    };
  }, []);

  useEffect(() => {
    if (!map || !fit || fitted.current === fitKey) return;
    fitted.current = fitKey;
    map.fitBounds(fit, { padding: PADDING, maxZoom: 16, duration: 350 });
  }, [map, fit, fitKey]);

  return (
    <div className={classes.frame} data-crosshair={crosshair || undefined} data-ready={map !== null || undefined}>
      <div ref={box} className={classes.map} role="application" aria-label={label} />
      {map && <MapContext value={map}>{children}</MapContext>}
    </div>
  );
}

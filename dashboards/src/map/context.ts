// What a layer needs: the map, once its ground is drawn. `useGeoJson` keeps one source and its layers on it for as long as
// the component lives.
import type { ExpressionSpecification, FilterSpecification, GeoJSONSource, LayerSpecification, Map as GlMap } from "maplibre-gl";
import type { Feature, FeatureCollection, GeoJsonProperties } from "geojson";
import { createContext, useContext, useEffect, useRef } from "react";

export const MapContext = createContext<GlMap | null>(null);

export function useMap(): GlMap {
  const map = useContext(MapContext);
  if (!map) throw new Error("a layer stands outside of a map");
  return map;
}

export type Expression = ExpressionSpecification;
export type Filter = FilterSpecification;
type WithoutSource<L> = L extends { source: unknown } ? Omit<L, "source"> : never;
export type OverlayLayer = WithoutSource<LayerSpecification>;

export type Features = FeatureCollection;

export function features(of: Feature[]): Features {
  return { type: "FeatureCollection", features: of };
}

export function pointOf(lon: number, lat: number, properties: GeoJsonProperties, id?: number): Feature {
  return { type: "Feature", ...(id === undefined ? {} : { id }), geometry: { type: "Point", coordinates: [lon, lat] }, properties };
}

export function lineOf(coordinates: [number, number][], properties: GeoJsonProperties): Feature {
  return { type: "Feature", geometry: { type: "LineString", coordinates }, properties };
}

export function useGeoJson(source: string, data: Features, layers: readonly OverlayLayer[]): void {
  const map = useMap();
  const first = useRef({ data, layers });
  useEffect(() => {
    // A layer's looks are fixed; what changes is in the data.
    map.addSource(source, { type: "geojson", data: first.current.data });
    for (const layer of first.current.layers) map.addLayer({ ...layer, source } as LayerSpecification);
    const added = first.current.layers;
    return () => {
      if (!map.style) return; // the map went first
      for (const layer of added) if (map.getLayer(layer.id)) map.removeLayer(layer.id);
      if (map.getSource(source)) map.removeSource(source);
    };
  }, [map, source]);
  useEffect(() => {
    if (first.current.data === data) return;
    map.getSource<GeoJSONSource>(source)?.setData(data);
  }, [map, source, data]);
}

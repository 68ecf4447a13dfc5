// Where a screen puts a map: loads the drawing code when it is shown, and says so where it cannot be drawn. A screen must be
// usable without it: what the map shows stands in a list or a timeline too.
import { useComputedColorScheme } from "@mantine/core";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { useQuery } from "@tanstack/react-query";
import { Shape } from "@/components/State";
import { mapQuery } from "@/data/map";
import type { MapProps } from "./Map";
import { canDraw } from "./webgl";
import classes from "./Map.module.css";

const MapView = lazy(() => import("./Map"));

export type MapFrameProps = Omit<MapProps, "ground" | "attribution">;

export function MapFrame(props: MapFrameProps) {
  const { t } = useTranslation();
  const scheme = useComputedColorScheme("light");
  const info = useQuery(mapQuery);
  if (!canDraw()) return <Said title={t("map.cannot_draw")} next={t("map.cannot_draw_next")} />;
  if (info.isPending) return <Said title={`${t("live.loading")} …`} />;
  const known = info.data;
  const available = known?.available === true;
  const ground = {
    tiles: available ? `${window.location.origin}${known.tiles}${known.version ? `?v=${encodeURIComponent(known.version)}` : ""}` : null,
    bounds: known?.bounds,
    minZoom: known?.min_zoom,
    maxZoom: known?.max_zoom,
  };
  return (
    <>
      <Suspense fallback={<Said title={`${t("live.loading")} …`} />}>
        <MapView key={`${scheme}${String(available)}`} {...props} ground={ground} attribution={known?.attribution ?? t("map.osm")} />
      </Suspense>
      {!available && (
        <div className={classes.note} role="status">
          <Shape tone="warn" size={11} />
          {t("map.no_tiles")}
        </div>
      )}
    </>
  );
}

function Said({ title, next }: { title: string; next?: string }) {
  return (
    <div className={classes.said} role="status">
      <div>
        <strong>{title}</strong>
        {next}
      </div>
    </div>
  );
}

// The board on the map: routes, stops, depots, vehicles; and while something is moved, the way it would take.
import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { ActionIcon, Tooltip } from "@mantine/core";
import { IconFocusCentered, IconMarquee2 } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { Board, BoardVehicle } from "@/data/dispatch";
import { boundsOf, type Bounds, type LonLat } from "@/map/fit";
import { DepotLayer } from "@/map/layers/Depots";
import { PreviewLayer } from "@/map/layers/Preview";
import { RouteLayer, type RouteLine } from "@/map/layers/Routes";
import { StopLayer, type StopMark } from "@/map/layers/Stops";
import { TrackLayer, TrackMarkLayer, type TrackMark } from "@/map/layers/Track";
import { VehicleLayer, type VehicleMark } from "@/map/layers/Vehicles";
import { MapFrame } from "@/map/MapFrame";
import type { Picked } from "@/map/Map";
import { lookOf } from "@/map/marks";
import { lookIn, useBoard } from "./context";
import { numbersOf } from "./lanes";
import { useMeasures } from "./measures";
import { isLate, jobOf, others, placeOf } from "./moves";
import { mayJoin } from "./Selection";
import { stage, useStage } from "./stage";
import { piecesOf, whereAt } from "./track";
import { TrackStrip, useDriven } from "./TrackStrip";
import classes from "./Dispatch.module.css";

const Pin = lazy(() => import("@/map/layers/Pin"));
const Area = lazy(() => import("@/map/layers/Area"));
const PICKABLE = ["stops", "vehicles", "routes", "routes-guessed"];
const NOBODY = { colour: "--ink-soft", shape: "circle" } as const;

export function BoardMap({ board, vehicles }: { board: Board; vehicles: readonly BoardVehicle[] }) {
  const { t } = useTranslation("dispatch");
  const { looks, day, mayPlan } = useBoard();
  const { clock } = useMeasures();
  const jobId = useStage((s) => s.jobId);
  const nearId = useStage((s) => s.nearJobId);
  const moving = useStage((s) => s.moving);
  const pin = useStage((s) => s.pin);
  const fitId = useStage((s) => s.fitId);
  const picked = useStage((s) => s.picked);
  const [all, setAll] = useState(0);
  const [boxing, setBoxing] = useState(false);
  // What stands out is what was chosen, not what is only passed over while dragging.
  const shown = fitId !== null && board.routes.some((route) => route.id === fitId) ? fitId : null;

  const left = board.routes.find((route) => route.id === shown && route.departed_at !== null) ?? null;
  const driven = useDriven(left, vehicles);
  const { points } = driven;
  const [asked, setAsked] = useState<{ routeId: string; at: number } | null>(null);
  const at = asked && asked.routeId === left?.id ? asked.at : null;
  const pieces = useMemo(() => piecesOf(points).map((piece) => piece.map((point): LonLat => [point.lon, point.lat])), [points]);
  const pale = pieces.length > 0 ? shown : null;
  const mark = useMemo((): TrackMark | null => {
    const here = at === null ? null : whereAt(points, at);
    return here && { at: [here.lon, here.lat], text: clock(at, day), silent: here.silent !== null };
  }, [points, at, clock, day]);

  const depotOf = useMemo(() => new Map(board.depots.map((depot) => [depot.id, [depot.lon, depot.lat] as LonLat])), [board.depots]);
  const lines = useMemo(
    () =>
      board.routes
        .filter((route) => route.state !== "cancelled")
        .map((route): RouteLine => {
          const depot = depotOf.get(route.depot_id);
          const straight = [depot, ...route.stops.map(placeOfStop), depot].filter((point) => point !== null && point !== undefined);
          return {
            id: route.id, colour: (looks.get(route.vehicle.code) ?? lookOf(0)).colour,
            line: route.geometry ? (route.geometry as LonLat[]) : straight, guessed: route.geometry === null, selected: route.id === shown, faint: shown !== null && route.id !== shown, pale: route.id === pale,
          };
        }),
    [board.routes, depotOf, looks, shown, pale],
  );
  const lit = moving?.job.id ?? nearId ?? jobId;
  const stops = useMemo(() => {
    const marks: StopMark[] = [];
    for (const route of board.routes) {
      if (route.state === "cancelled") continue;
      const numbers = numbersOf(route);
      for (const stop of route.stops) {
        const at = placeOfStop(stop);
        if (!stop.job || !at) continue;
        marks.push({
          id: stop.job.id, lon: at[0], lat: at[1], look: lookIn(looks, route.vehicle.code), text: String(numbers.get(stop.id) ?? ""),
          state: stop.state === "failed" ? "failed" : stop.state === "done" ? "done" : isLate(stop) ? "late" : "plain",
          selected: false, faint: shown !== null && route.id !== shown,
        });
      }
    }
    for (const job of [...board.trays.unplanned, ...board.trays.unroutable]) {
      if (job.lat === null || job.lon === null) continue;
      marks.push({ id: job.id, lon: job.lon, lat: job.lat, look: NOBODY, text: "?", state: "plain", selected: false, faint: false });
    }
    const here = new Map<string, number>();
    for (const mark of marks) {
      const place = `${mark.lon.toFixed(5)} ${mark.lat.toFixed(5)}`;
      mark.aside = here.get(place) ?? 0;
      here.set(place, mark.aside + 1);
    }
    return marks;
  }, [board.routes, board.trays, looks, shown]);
  const lights = useMemo(() => stops.filter((stop) => stop.id === lit || picked.includes(stop.id)).map((stop) => ({ ...stop, selected: true, faint: false })), [stops, lit, picked]);
  const moved = useMemo(() => vehicles.map((one): VehicleMark => ({ ...one, look: lookIn(looks, one.code) })), [vehicles, looks]);

  const preview = useMemo(() => {
    if (!moving?.over || moving.over === "tray" || moving.job.lat === null || moving.job.lon === null) return null;
    const { routeId: over, position } = moving.over;
    const route = board.routes.find((one) => one.id === over);
    if (!route) return null;
    const rest = others(route, moving.job.id).filter((stop) => stop.job);
    const depot = depotOf.get(route.depot_id) ?? null;
    const before = placeOfStop(rest[position - 2]) ?? depot, after = placeOfStop(rest[position - 1]) ?? depot;
    const at: LonLat = [moving.job.lon, moving.job.lat];
    return { at, line: [before, at, after].filter((point) => point !== null) };
  }, [moving, board.routes, depotOf]);

  const fit = useMemo(() => {
    const points = (route: (typeof board.routes)[number]) => [depotOf.get(route.depot_id), ...route.stops.map(placeOfStop), ...((route.geometry ?? []) as LonLat[])];
    const chosen = board.routes.find((route) => route.id === fitId && route.stops.length > 0);
    if (chosen) return boundsOf(points(chosen));
    // What lies in a tray may be on an island far out; it is looked at only where no route is to be seen.
    const planned = board.routes.filter((route) => route.stops.length > 0).flatMap(points);
    return boundsOf([...depotOf.values(), ...(planned.length > 0 ? planned : board.trays.unplanned.map((job) => (job.lat !== null && job.lon !== null ? ([job.lon, job.lat] as LonLat) : null)))]);
  }, [board, depotOf, fitId]);

  const pick = ({ layer, id }: Picked) => {
    if (layer === "stops") return stage.select(placeOf(board, id)?.route.id ?? stage.get().routeId, id);
    const route = layer === "vehicles" ? board.routes.find((one) => one.vehicle.id === id && one.state !== "finished") : board.routes.find((one) => one.id === id);
    if (route) stage.select(route.id, null);
  };

  useEffect(() => {
    if (!boxing) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape") setBoxing(false);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [boxing]);
  const choose = ([west, south, east, north]: Bounds) => {
    setBoxing(false);
    stage.pick(stops.flatMap(({ id, lon, lat }) => {
      const job = lon >= west && lon <= east && lat >= south && lat <= north ? jobOf(board, id) : null;
      return job && mayJoin(board, job) ? [job.id] : [];
    }));
  };

  return (
    <div className={classes.map}>
      <div className={classes.ground}>
        <MapFrame
          label={t("map_label", { stops: stops.length, routes: lines.length })}
          fit={fit}
          fitKey={`${day}:${fitId ?? ""}:${String(all)}:${String(fit !== null)}`}
          pickable={PICKABLE}
          onPick={pin ? undefined : pick}
          onHover={(found) => stage.near(found?.layer === "stops" ? found.id : null)}
          onPress={pin ? (at) => stage.become({ pin: { ...pin, at } }) : undefined}
          crosshair={pin !== null || boxing}
        >
          <RouteLayer routes={lines} />
          <TrackLayer pieces={pieces} />
          <DepotLayer depots={board.depots} />
          <StopLayer stops={stops} />
          <StopLayer id="lit" stops={lights} />
          <VehicleLayer vehicles={moved} />
          <TrackMarkLayer mark={mark} />
          <PreviewLayer line={preview?.line ?? NO_LINE} at={preview?.at ?? null} />
          {mayPlan && (
            <Suspense>
              <Area on={boxing} onArea={choose} />
            </Suspense>
          )}
          {pin?.at && (
            <Suspense>
              <Pin at={pin.at} onMove={(at) => stage.become({ pin: { ...pin, at } })} />
            </Suspense>
          )}
        </MapFrame>
        <div className={classes.mapTools}>
          <Tooltip label={t("show_all")} position="left">
            <ActionIcon variant="default" size="lg" aria-label={t("show_all")} onClick={() => (stage.select(null, null), setAll((n) => n + 1))}>
              <IconFocusCentered size={17} stroke={1.7} />
            </ActionIcon>
          </Tooltip>
          {mayPlan && (
            <Tooltip label={t("selection.how")} position="left">
              <ActionIcon variant={boxing ? "filled" : "default"} size="lg" aria-label={t("selection.how")} aria-pressed={boxing} onClick={() => setBoxing(!boxing)}>
                <IconMarquee2 size={17} stroke={1.7} />
              </ActionIcon>
            </Tooltip>
          )}
        </div>
      </div>
      {left && <TrackStrip route={left} driven={driven} at={at} onChoose={(at) => setAsked({ routeId: left.id, at })} />}
    </div>
  );
}

const NO_LINE: LonLat[] = [];

function placeOfStop(stop: Board["routes"][number]["stops"][number] | undefined): LonLat | null {
  if (!stop) return null;
  const lat = stop.lat ?? stop.job?.lat ?? null, lon = stop.lon ?? stop.job?.lon ?? null;
  return lat !== null && lon !== null ? [lon, lat] : null;
}

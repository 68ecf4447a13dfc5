// Under the map, for a route that has left: planned against driven, and a slider that asks where the van was at a time.
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { ErrorState } from "@/components/views";
import { trackQuery, type BoardVehicle, type Route, type TrackPoint } from "@/data/dispatch";
import { lookIn, useBoard } from "./context";
import { useMeasures } from "./measures";
import { extended, piecesOf, pointOfVehicle, stopAt, whereAt } from "./track";
import classes from "./TrackStrip.module.css";

const NOTHING: readonly TrackPoint[] = [];
const STEP_MS = 15_000;

export interface Driven {
  points: readonly TrackPoint[];
  planned_m: number;
  driven_m: number;
  loading: boolean;
  error: unknown;
  retry: () => void;
}

/** The track of a route that has left: asked for once in a while, and prolonged by every position that comes. */
export function useDriven(route: Route | null, vehicles: readonly BoardVehicle[]): Driven {
  const asked = useQuery({ ...trackQuery(route?.id ?? "", route?.state ?? "draft"), enabled: route !== null });
  const [live, setLive] = useState<{ routeId: string; came: readonly TrackPoint[] }>({ routeId: "", came: NOTHING });
  const known = asked.data?.driven ?? NOTHING;
  const came = live.routeId === route?.id ? live.came : NOTHING;
  const now = route?.state === "under_way" ? vehicles.find((one) => one.id === route.vehicle.id) : undefined;
  if (route && now && Date.parse(now.at) > Date.parse((came.at(-1) ?? { at: route.departed_at ?? now.at }).at)) {
    const last = known.at(-1);
    setLive({ routeId: route.id, came: [...came.filter((point) => !last || Date.parse(point.at) > Date.parse(last.at)), pointOfVehicle(now)] });
  }
  const points = useMemo(() => (route ? extended(known, came) : NOTHING), [route, known, came]);
  return {
    points, planned_m: asked.data?.planned_m ?? 0, driven_m: asked.data?.driven_m ?? 0,
    loading: route !== null && asked.isPending, error: asked.data ? null : asked.error, retry: () => void asked.refetch(),
  };
}

/** `at`: the chosen moment; null: none yet. */
export function TrackStrip({ route, driven, at, onChoose }: { route: Route; driven: Driven; at: number | null; onChoose: (at: number) => void }) {
  const { t } = useTranslation("dispatch");
  const { looks } = useBoard();
  const { km } = useMeasures();
  const { points } = driven;
  const from = Date.parse(points[0]?.at ?? ""), until = Date.parse(points.at(-1)?.at ?? "");
  return (
    <section className={classes.strip} aria-label={t("track.title")}>
      <div className={classes.legend} style={{ "--route": `var(${lookIn(looks, route.vehicle.code).colour})` } as React.CSSProperties}>
        <span>
          <i className={classes.planned} aria-hidden />
          {t("track.planned", { km: km(driven.planned_m || route.distance_m) })}
        </span>
        <span>
          <i className={classes.driven} aria-hidden />
          {points.length > 0 ? t(route.state === "under_way" ? "track.driven_so_far" : "track.driven", { km: km(driven.driven_m) }) : t(driven.loading ? "track.loading" : "track.none")}
        </span>
      </div>
      {driven.error !== null && <ErrorState error={driven.error} retry={driven.retry} compact />}
      {until > from && <Slider route={route} points={points} from={from} until={until} at={at} onChoose={onChoose} />}
    </section>
  );
}

function Slider({ route, points, from, until, at, onChoose }: { route: Route; points: readonly TrackPoint[]; from: number; until: number; at: number | null; onChoose: (at: number) => void }) {
  const { t } = useTranslation("dispatch");
  const { day } = useBoard();
  const { clock } = useMeasures();
  const heard = useMemo(() => piecesOf(points).map((piece) => ({ from: Date.parse(piece[0]?.at ?? ""), until: Date.parse(piece.at(-1)?.at ?? "") })), [points]);
  const moment = Math.min(until, Math.max(from, at ?? until));
  const share = (of: number) => `${(((of - from) / (until - from)) * 100).toFixed(2)}%`;
  const words = useWords(route, points, moment);
  return (
    <>
      <div className={classes.slider}>
        <span className={classes.end}>{clock(from, day)}</span>
        <div className={classes.groove}>
          <div className={classes.heard} aria-hidden>
            {heard.map((piece) => (
              <i key={piece.from} style={{ left: share(piece.from), width: `max(3px, ${(((piece.until - piece.from) / (until - from)) * 100).toFixed(2)}%)` }} />
            ))}
          </div>
          <input
            type="range"
            min={from}
            max={until}
            step={STEP_MS}
            value={moment}
            aria-label={t("track.where", { vehicle: route.vehicle.code })}
            aria-valuetext={`${clock(moment, day)}, ${words}`}
            onChange={(event) => onChoose(Number(event.currentTarget.value))}
          />
        </div>
        <span className={classes.end}>{clock(until, day)}</span>
      </div>
      <output className={classes.said} data-silent={whereAt(points, moment)?.silent ? true : undefined}>
        <b>{clock(moment, day)}</b> <span>{words}</span>
      </output>
    </>
  );
}

function useWords(route: Route, points: readonly TrackPoint[], moment: number): string {
  const { t } = useTranslation("dispatch");
  const { day } = useBoard();
  const { clock } = useMeasures();
  const here = whereAt(points, moment);
  if (here?.silent) return t("track.silent", { from: clock(here.silent.from, day), until: clock(here.silent.until, day) });
  const stop = stopAt(route, moment);
  if (stop?.job) return t("track.at_stop", { who: stop.job.customer_name });
  return here?.speed_kmh == null ? t("track.on_the_way") : t("track.driving", { n: Math.round(here.speed_kmh) });
}

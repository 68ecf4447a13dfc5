// A customer's link (/track/<token>): when will it be here. Nobody is logged in, one delivery is shown and nothing of anybody
// else. The map loads only when there is something to show on it; without it the page says the same in words.
import { IconCheck, IconLanguage, IconLinkOff, IconPlugConnectedX, IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import { asProblem } from "@/api/problem";
import { useNow } from "@/components/now";
import { ageOf, clockTime } from "@/components/times";
import { mapQuery } from "@/data/map";
import { OVER, trackingQuery, type Tracking } from "@/data/tracking";
import { speak } from "@/i18n";
import { canDraw } from "@/map/webgl";
import { distance, expected, roughly, stepOf, STEPS } from "./when";
import classes from "./Tracking.module.css";

const TrackMap = lazy(() => import("./TrackMap"));
const STALE_MS = 50_000;

export default function TrackingPage() {
  const { t, i18n } = useTranslation(["tracking", "common"]);
  const { token = "" } = useParams();
  const query = useQuery(trackingQuery(token));
  useEffect(() => {
    document.title = t("title");
  }, [t, i18n.language]);
  useEffect(() => quietHead(), []);
  const status = query.error ? asProblem(query.error).status : 0;
  const gone = status === 404 || status === 410;
  return (
    <main className={classes.page} data-testid="tracking">
      <header className={classes.head}>
        <span>{t("title")}</span>
        <button type="button" data-testid="language" onClick={() => void speak(i18n.language === "zh" ? "en" : "zh")}>
          <IconLanguage size={20} />
          {t("language")}
        </button>
      </header>
      {gone ? <Sorry title={t(status === 404 ? "unknown" : "expired")} next={t(status === 404 ? "unknown_next" : "expired_next")} />
        : query.data ? <Delivery tracking={query.data} readAt={query.dataUpdatedAt} failing={query.error !== null} />
          : query.error ? (
            <Sorry title={t("broken")} next={t("broken_next")}>
              <button type="button" onClick={() => void query.refetch()}>{t("retry")}</button>
            </Sorry>
          ) : <p className={classes.wait} role="status">{t("loading")}</p>}
    </main>
  );
}

function Sorry({ title, next, children }: { title: string; next: string; children?: ReactNode }) {
  return (
    <section className={classes.sorry} role="alert" data-testid="sorry">
      <IconLinkOff size={52} stroke={1.5} aria-hidden />
      <h1>{title}</h1>
      <p>{next}</p>
      {children}
    </section>
  );
}

function Delivery({ tracking, readAt, failing }: { tracking: Tracking; readAt: number; failing: boolean }) {
  const { t, i18n } = useTranslation("tracking");
  const now = useNow();
  const age = useShortAge();
  const over = OVER.has(tracking.state);
  const stale = !over && (failing || now - readAt > STALE_MS);
  const { vehicle, destination } = tracking;
  const shows = destination !== null && !over && tracking.state !== "planned";
  // Without a ground the marks would say nothing: then words do.
  const map = useQuery({ ...mapQuery, enabled: shows && canDraw() }).data;
  const draws = shows && map?.available === true;
  const clock = (at: string) => clockTime(new Date(at), new Date(now), i18n.language, tracking.time_zone); // of the door, wherever the phone is
  return (
    <div className={classes.columns} data-map={draws || undefined}>
      <div className={classes.words}>
        <h1 data-testid="state" data-state={tracking.state}>{t(`state.${tracking.state}`)}</h1>
        {over ? <p className={classes.after} data-testid="outcome">{t(`after.${tracking.state as "delivered"}`, { when: tracking.outcome_at ? clock(tracking.outcome_at) : "" })}</p>
          : <Arrival tracking={tracking} now={now} clock={clock} />}
        <Steps state={tracking.state} />
        {shows && !draws && vehicle && <p className={classes.distance} data-testid="distance">{t("map.text", { distance: roughly(distance(vehicle, destination)) })}</p>}
        {!over && tracking.stops_before === null && tracking.state !== "arrived" && tracking.state !== "planned" && !vehicle && <p className={classes.soft}>{t("map.later")}</p>}
      </div>
      {draws && (
        <div className={classes.map} data-testid="map">
          <Suspense fallback={null}>
            <TrackMap ground={map} vehicle={vehicle} destination={destination} label={t("map.label")} home={t("map.home")} van={vehicle ? t("map.van", { age: age(Date.parse(vehicle.at)) }) : ""} />
          </Suspense>
        </div>
      )}
      <footer className={classes.foot} data-stale={stale || undefined} role="status" data-testid="fresh">
        {stale && <IconPlugConnectedX size={18} />}
        {!over && t(stale ? "stale" : "fresh", { age: age(readAt) })}
      </footer>
    </div>
  );
}

function Arrival({ tracking, now, clock }: { tracking: Tracking; now: number; clock: (at: string) => string }) {
  const { t } = useTranslation("tracking");
  const { from, until, minutes, isWindow } = expected(tracking, now);
  const window = t("eta.between", { from: clock(tracking.window_from), until: clock(tracking.window_until) });
  if (tracking.state === "arrived") return null;
  return (
    <section className={classes.eta}>
      <strong data-testid="eta">{t("eta.between", { from: clock(from), until: clock(until) })}</strong>
      {minutes !== null && <span data-testid="minutes">{minutes <= 2 ? t("eta.now") : t("eta.minutes", { count: minutes })}</span>}
      {tracking.stops_before !== null && tracking.stops_before > 0 && <span data-testid="before">{t("before", { count: tracking.stops_before })}</span>}
      {!isWindow && <small>{t("eta.promised", { window })}</small>}
      {tracking.late && <p className={classes.note} data-testid="late">{t("eta.late")}</p>}
      {!isWindow && tracking.eta_is_estimate && tracking.state !== "planned" && <small>{t("eta.estimate")}</small>}
    </section>
  );
}

function Steps({ state }: { state: Tracking["state"] }) {
  const { t } = useTranslation("tracking");
  const { at, ended } = stepOf(state);
  const here = STEPS.indexOf(at);
  return (
    <ol className={classes.steps}>
      {STEPS.map((step, n) => {
        const done = n < here || (n === here && (step === "over" || step === "planned"));
        const failed = ended && step === "over";
        return (
          <li key={step} data-done={(done && !failed) || undefined} data-here={n === here || undefined} data-failed={failed || undefined} aria-current={n === here ? "step" : undefined}>
            <i>{failed ? <IconX size={16} stroke={3} /> : done ? <IconCheck size={16} stroke={3} /> : null}</i>
            {t(failed ? "step.ended" : `step.${step}`)}
          </li>
        );
      })}
    </ol>
  );
}

function useShortAge(): (at: number) => string {
  const { t } = useTranslation("common");
  const now = useNow();
  return (at) => {
    const age = ageOf(Math.min(at, now), now);
    return age.unit === "now" ? t("age.now") : t(`age.${age.unit}`, { n: age.n });
  };
}

/** The link is a secret: it is not indexed, and no other site learns it. */
function quietHead(): () => void {
  const made = [["robots", "noindex, nofollow"], ["referrer", "no-referrer"]].map(([name = "", content = ""]) => {
    const tag = document.createElement("meta");
    tag.name = name;
    tag.content = content;
    document.head.append(tag);
    return tag;
  });
  return () => made.forEach((tag) => tag.remove());
}

// One route from loading to the last return: works out what comes next, and draws that one step. Answers lie over the whole
// screen for a moment and go by themselves.
import { IconChevronLeft, IconListDetails, IconTool, IconX } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { driverRouteQuery, manifestQuery, type DriverRoute } from "@/data/driver";
import { signal } from "@/handheld/signals";
import { Answered, type Flash } from "./Answers";
import { Banners } from "./Banners";
import { Changed } from "./Changed";
import type { Answer } from "./outbox";
import { isAhead, isThere, nextStop, stepOf, stopsNow, type StopNow } from "./route";
import { shortSscc, useProblemSentence, useRefusal } from "./say";
import { BackStep, FinishedStep, UnloadStep } from "./steps/Back";
import { DriveStep } from "./steps/Drive";
import { HandOverStep } from "./steps/HandOver";
import { LoadStep } from "./steps/Load";
import { RestStep, TakeOverStep, WaitStep } from "./steps/Other";
import type { StepProps } from "./steps/step";
import { StopList } from "./StopList";
import { useOutbox } from "./useOutbox";
import classes from "./Driver.module.css";

export function RouteScreen({ id }: { id: string }) {
  const { t } = useTranslation("driver");
  const navigate = useNavigate();
  const query = useQuery(driverRouteQuery(id));
  const { outbox, state } = useOutbox();
  const sentence = useProblemSentence();
  const [flash, setFlash] = useState<(Flash & { n: number }) | null>(null);
  const [listed, setListed] = useState(false);
  const [chosen, setChosen] = useState<string | null>(null);
  const [unloading, setUnloading] = useState(false);

  const actions = useMemo(() => [...state.confirmed, ...state.pending].filter((action) => action.route_id === id), [state.confirmed, state.pending, id]);
  const pending = state.pending.filter((action) => action.route_id === id).length;
  const route = query.data;
  const stops = useMemo(() => (route ? stopsNow(route, actions) : []), [route, actions]);

  useEffect(() => {
    outbox?.forgetConfirmed();
  }, [outbox, query.dataUpdatedAt]);

  const say = (next: Flash) => {
    signal(next.tone);
    setFlash((before) => ({ ...next, n: (before?.n ?? 0) + 1 }));
  };
  useAnswers(state.answer, id, route, say);

  const act: StepProps["act"] = (action) => {
    setFlash((before) => (before?.tone === "bad" ? null : before));
    if (action.kind !== "arrive") setChosen(null);
    void outbox?.add({ ...action, route_id: id });
  };
  const picked = stops.find((stop) => stop.id === chosen && isAhead(stop)) ?? nextStop(stops);
  let step = route ? stepOf(route, stops, actions) : null;
  if (step === "stop" && picked?.state === "planned" && !isThere(stops, picked)) step = "drive"; // chosen instead of the one we stand at
  if (step === "drive" && picked && (picked.state === "arrived" || isThere(stops, picked))) step = "stop";
  if (step === "home" && unloading) step = "unload";

  useArrivalSignal(picked, () => say({ tone: "good", title: t("answer.arrived"), detail: picked?.job?.customer_name }));

  const props = route && { route, stops, actions, act, say, verdict: flash?.tone === "bad" ? flash : null };
  const number = picked ? stops.filter((stop) => stop.kind !== "break").findIndex((stop) => stop.id === picked.id) + 1 : 0;
  return (
    <main
      className={classes.screen} data-testid="route" data-step={step ?? "reading"} data-pending={pending} data-stop={picked?.id}
      onPointerDown={() => flash && setFlash(null)}
    >
      <header className={classes.bar}>
        <button type="button" className={classes.plain} data-testid="to-routes" onClick={() => void navigate("/driver")} aria-label={t("home.routes")}>
          <IconChevronLeft size={30} />
        </button>
        <h1>
          {route?.vehicle.code ?? ""}
          <small>{route ? [route.vehicle.plate, route.number].filter(Boolean).join(" · ") : ""}</small>
        </h1>
        {pending > 0 && <span className={classes.pending} data-testid="pending">{t("net.pending", { n: pending })}</span>}
        {route && route.stops.length > 0 && (
          <button type="button" className={classes.plain} data-testid="stop-list" aria-pressed={listed} onClick={() => setListed(!listed)} aria-label={t("home.stop_list")}>
            {listed ? <IconX size={28} /> : <IconListDetails size={28} />}
          </button>
        )}
      </header>
      <Banners outbox={outbox} state={state} query={query} route={route} />
      {route && step !== "finished" && <Changed route={route} stops={stops} />}
      {!route && query.isPending && <p className={classes.hint} role="status">{t("home.loading")}</p>}
      {!route && query.error && (
        <div className={classes.empty} role="alert">
          <strong>{t("home.failed")}</strong>
          <p>{sentence(query.error)}</p>
          <button type="button" className={classes.side} onClick={() => void query.refetch()}>{t("home.retry")}</button>
        </div>
      )}
      {props && listed && <StopList stops={stops} next={picked?.id ?? null} onChoose={route.state === "under_way" ? (stopId) => {
        setChosen(stopId);
        setListed(false);
      } : undefined} />}
      {props && listed && route.state === "under_way" && (
        <BrokenDown onSaid={() => {
          act({ kind: "break_down", body: { note: "" } });
          setListed(false);
        }} />
      )}
      {props && !listed && (
        <>
          {step === "wait" && <WaitStep what="draft" />}
          {step === "broken_down" && <WaitStep what="broken_down" />}
          {step === "load" && <LoadStep {...props} />}
          {step === "drive" && picked && picked.kind !== "break" && (
            <DriveStep key={picked.id} {...props} stop={picked} number={number} own={chosen === picked.id} onOrder={() => setChosen(null)} />
          )}
          {(step === "drive" || step === "stop") && picked?.kind === "break" && <RestStep key={picked.id} {...props} stop={picked} />}
          {step === "stop" && picked?.kind === "delivery" && <HandOverStep key={picked.id} {...props} stop={picked} />}
          {step === "stop" && picked && (picked.kind === "take_over" || picked.kind === "reload") && <TakeOverStep key={picked.id} {...props} stop={picked} />}
          {step === "home" && <BackStep {...props} onUnload={() => setUnloading(true)} />}
          {step === "unload" && <UnloadStep {...props} />}
          {step === "finished" && <FinishedStep {...props} />}
        </>
      )}
      {flash && <Answered key={flash.n} flash={flash} />}
    </main>
  );
}

/** The van cannot go on. Said twice, for it takes every stop away. */
function BrokenDown({ onSaid }: { onSaid: () => void }) {
  const { t } = useTranslation("driver");
  const [sure, setSure] = useState(false);
  useEffect(() => {
    if (!sure) return;
    const timer = setTimeout(() => setSure(false), 5000);
    return () => clearTimeout(timer);
  }, [sure]);
  return (
    <footer className={classes.thumb}>
      <button type="button" className={sure ? classes.main : classes.side} data-tone={sure ? "bad" : undefined} data-testid="break-down" onClick={() => (sure ? onSaid() : setSure(true))}>
        {!sure && <IconTool size={24} />}
        {t(sure ? "wait.report_sure" : "wait.report")}
      </button>
    </footer>
  );
}

/** Scans that Stowage answered: what it was, or why not, over the whole screen. */
function useAnswers(answer: Answer | null, id: string, route: DriverRoute | undefined, say: (flash: Flash) => void): void {
  const { t } = useTranslation("driver");
  const refusal = useRefusal();
  const queries = useQueryClient();
  const seen = useRef(answer?.n ?? 0);
  useEffect(() => {
    if (!answer || answer.n === seen.current || answer.action.route_id !== id) return;
    seen.current = answer.n;
    const { action, problem, output } = answer;
    if (problem) {
      const { title, detail, expected, seen: scanned } = refusal(problem, action.code);
      // While loading it is a parcel that is expected, not the shipment the wrong one belongs to: the sentence says that.
      const parcel = action.kind === "load" ? queries.getQueryData(manifestQuery(id).queryKey)?.next_sscc : undefined;
      say({ tone: "bad", title, detail, expected: parcel ? shortSscc(parcel) : expected, seen: scanned });
      return;
    }
    if (action.kind === "load") {
      const now = output as { loaded: number; total: number; complete: boolean };
      say(now.complete ? { tone: "good", title: t("answer.all_loaded") } : { tone: "good", title: t("answer.loaded"), detail: `${now.loaded} / ${now.total}` });
    }
    if (action.kind === "take_over") say({ tone: "good", title: t("answer.taken_over") });
    if (action.kind === "unload") {
      const { place_code } = output as { place_code: string };
      say({ tone: "good", title: t("answer.unloaded", { place: place_code }) });
    }
    // The words and the route are of this rendering; an answer is said once.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [answer, id, route]);
}

/** The geofence said it: the driver hears it, without looking. */
function useArrivalSignal(stop: StopNow | null, tell: () => void): void {
  const before = useRef<{ id: string; state: string } | null>(null);
  const latest = useRef(tell);
  useEffect(() => {
    latest.current = tell;
  });
  useEffect(() => {
    const was = before.current;
    before.current = stop ? { id: stop.id, state: stop.state } : null;
    if (stop && was?.id === stop.id && was.state === "planned" && stop.state === "arrived" && stop.arrived_by === "geofence") latest.current();
  }, [stop]);
}

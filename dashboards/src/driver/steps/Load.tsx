// Loading: what goes in next, and every scan answered. The last stop goes in first, so that the first one stands at the door.
import { IconBarcode, IconCheck, IconClockHour4 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useMay } from "@/app/may";
import { Goods } from "@/components/Goods";
import { manifestQuery } from "@/data/driver";
import { useCatcher } from "@/handheld/useCatcher";
import { Verdict } from "../Answers";
import { CodeEntry } from "../CodeEntry";
import { cartonsNow, completed } from "../route";
import { shortSscc, useClock, useProblemSentence } from "../say";
import type { StepProps } from "./step";
import classes from "../Driver.module.css";

export function LoadStep({ route, actions, act, say, verdict }: StepProps) {
  const { t } = useTranslation("driver");
  const may = useMay();
  const clock = useClock();
  const sentence = useProblemSentence();
  const manifest = useQuery(manifestQuery(route.id));
  const [sure, setSure] = useState(false);
  const cartons = cartonsNow(manifest.data?.cartons ?? [], actions, "load");
  const rest = cartons.filter((carton) => carton.loaded_at === null && !carton.pending);
  const loaded = cartons.length - rest.length;
  const next = rest.find((carton) => carton.sscc === manifest.data?.next_sscc) ?? rest[0];
  // A van that only takes goods over from another one has nothing to load, and leaves all the same.
  const fetches = manifest.data !== undefined && cartons.length === 0 && route.stops.some((stop) => stop.kind === "take_over");
  const complete = fetches || (cartons.length > 0 && rest.length === 0);

  const scan = (code: string) => {
    setSure(false);
    act({ kind: "load", code: completed(code, manifest.data?.cartons ?? []) });
  };
  useCatcher({ onScan: scan });
  useEffect(() => {
    if (!sure) return;
    const timer = setTimeout(() => setSure(false), 4000);
    return () => clearTimeout(timer);
  }, [sure]);
  const depart = (anyway: boolean) => {
    act({ kind: "depart", body: { anyway, reason: anyway ? "driver's screen" : "", occurred_at: new Date().toISOString() } });
    say({ tone: "good", title: t("answer.departed") });
  };

  return (
    <>
      <div className={classes.body}>
        <p className={classes.small}>
          {[route.door_code && t("load.at_door", { door: route.door_code }), t("load.starts", { time: clock(route.starts_at) })].filter(Boolean).join(" · ")}
        </p>
        {manifest.error && !manifest.data && <p className={classes.hint} data-tone="bad" role="alert">{sentence(manifest.error)}</p>}
        {manifest.data && cartons.length === 0 && (
          <div className={classes.empty}>
            <strong data-testid="nothing">{t(fetches ? "load.fetches" : "load.nothing")}</strong>
            <p>{t(fetches ? "load.fetches_next" : "load.nothing_next")}</p>
          </div>
        )}
        {cartons.length > 0 && (
          <>
            <p className={classes.instruction} data-testid="instruction">{t(complete ? "load.complete" : "load.instruction")}</p>
            <div className={classes.count} data-tone={complete ? "good" : undefined} data-testid="amount">
              <strong>{loaded}</strong>
              <span>/ {cartons.length}</span>
              {complete ? <IconCheck size={44} stroke={3} /> : <IconBarcode size={44} stroke={1.6} />}
            </div>
            <Verdict verdict={verdict} />
            {complete && <p className={classes.hint}>{t("load.complete_next")}</p>}
            {next && !verdict && (
              <section className={classes.target} data-testid="next-carton" data-sscc={next.sscc}>
                <small>{t("load.first_in", { n: next.stop_position })}</small>
                <strong className="mono">{shortSscc(next.sscc)}</strong>
                <span>{next.customer_name}{next.place_code ? ` · ${next.place_code}` : ""}</span>
                <Goods of={next.goods} />
              </section>
            )}
            {rest.length > 1 && (
              <ul className={classes.rows} aria-label={t("load.rest")}>
                {rest.filter((carton) => carton !== next).map((carton) => (
                  <li key={carton.sscc}>
                    <span className="mono">{shortSscc(carton.sscc)}</span>
                    <span>{carton.customer_name} <Goods of={carton.goods} /></span>
                    <b>{t("load.stop", { n: carton.stop_position })}</b>
                  </li>
                ))}
              </ul>
            )}
            {cartons.some((carton) => carton.pending && carton.loaded_at === null) && (
              <p className={classes.small}><IconClockHour4 size={18} /> {t("load.pending")}</p>
            )}
          </>
        )}
      </div>
      <footer className={classes.thumb}>
        {!complete && cartons.length > 0 && loaded > 0 && (may("lead", "dispatcher")
          ? <button type="button" className={classes.side} data-testid="depart-anyway" onClick={() => (sure ? depart(true) : setSure(true))}>{t(sure ? "load.depart_sure" : "load.depart_anyway", { n: rest.length })}</button>
          : <p className={classes.small}>{t("load.missing", { count: rest.length })}</p>)}
        {!complete && cartons.length > 0 && <CodeEntry onCode={scan} />}
        {complete && <button type="button" className={classes.main} data-testid="depart" onClick={() => depart(false)}>{t("load.depart")}</button>}
      </footer>
    </>
  );
}

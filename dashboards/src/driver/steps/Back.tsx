// The end of the route: back to the depot, what comes out of the van by scan, and what became of everything.
import { IconCircleCheck } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useCatcher } from "@/handheld/useCatcher";
import { Verdict } from "../Answers";
import { CodeEntry } from "../CodeEntry";
import { completed, means } from "../route";
import { shortSscc, useClock } from "../say";
import { StopList } from "../StopList";
import { Navigate } from "./Drive";
import type { StepProps } from "./step";
import classes from "../Driver.module.css";

/** What still has to come out of the van, without the scans that are under way. */
function leftIn({ route, actions }: Pick<StepProps, "route" | "actions">) {
  const codes = actions.filter((action) => action.kind === "unload").map((action) => action.code ?? "");
  return route.to_unload.filter((carton) => !codes.some((code) => means(code, carton.sscc)));
}

export function BackStep({ route, actions, act, say, onUnload }: StepProps & { onUnload: () => void }) {
  const { t } = useTranslation("driver");
  const clock = useClock();
  const count = leftIn({ route, actions }).length;
  const waiting = actions.some((action) => action.kind === "deliver" || action.kind === "fail" || action.kind === "depart");
  const finish = () => {
    act({ kind: "finish", body: { anyway: false, reason: "" } });
    say({ tone: "good", title: t("answer.finished") });
  };
  return (
    <>
      <div className={classes.body}>
        <p className={classes.instruction} data-testid="instruction">{t("back.instruction")}</p>
        <section className={classes.where}>
          <h2>{route.depot.name}</h2>
          <p>{route.depot.address}</p>
        </section>
        {route.eta_back_at && <p className={classes.hint}>{t("back.eta", { time: clock(route.eta_back_at) })}</p>}
        <section className={classes.target} data-tone={count > 0 ? "warn" : "good"} data-testid="comes-back">
          <strong>{count > 0 ? t("back.aboard", { count }) : t("back.empty")}</strong>
        </section>
      </div>
      <footer className={classes.thumb}>
        <div className={classes.sides}><Navigate target={{ lat: route.depot.lat, lon: route.depot.lon, label: route.depot.name }} /></div>
        {count > 0 || waiting
          ? <button type="button" className={classes.main} data-testid="unload" onClick={onUnload}>{t("back.unload")}</button>
          : <button type="button" className={classes.main} data-testid="finish" onClick={finish}>{t("back.finish")}</button>}
      </footer>
    </>
  );
}

export function UnloadStep({ route, actions, act, say, verdict }: StepProps) {
  const { t } = useTranslation("driver");
  const left = leftIn({ route, actions });
  const scan = (code: string) => act({ kind: "unload", code: completed(code, route.to_unload) });
  useCatcher({ onScan: scan });
  const finish = () => {
    act({ kind: "finish", body: { anyway: false, reason: "" } });
    say({ tone: "good", title: t("answer.finished") });
  };
  return (
    <>
      <div className={classes.body}>
        <p className={classes.instruction} data-testid="instruction">{t(left.length > 0 ? "unload.instruction" : "unload.empty")}</p>
        {left.length === 0 && <p className={classes.hint}>{t("unload.empty_next")}</p>}
        <Verdict verdict={verdict} />
        <ul className={classes.rows} data-large data-testid="to-unload">
          {left.map((carton) => (
            <li key={carton.sscc} data-sscc={carton.sscc}>
              <span className="mono">{shortSscc(carton.sscc)}</span>
              <span><b>{carton.customer_name}</b>{t(`outcome.${carton.outcome ?? "not_tried"}`)}</span>
            </li>
          ))}
        </ul>
      </div>
      <footer className={classes.thumb}>
        {left.length > 0
          ? <CodeEntry onCode={scan} />
          : <button type="button" className={classes.main} data-testid="finish" onClick={finish}>{t("unload.finish")}</button>}
      </footer>
    </>
  );
}

export function FinishedStep({ route, stops }: StepProps) {
  const { t } = useTranslation("driver");
  return (
    <>
      <div className={classes.finished}>
        <IconCircleCheck size={64} stroke={1.6} />
        <strong data-testid="instruction">{t(route.state === "cancelled" ? "finished.cancelled" : "finished.title")}</strong>
      </div>
      <StopList stops={stops} next={null} />
      <footer className={classes.thumb}><Link to="/driver" className={classes.main} data-testid="done">{t("finished.to_routes")}</Link></footer>
    </>
  );
}

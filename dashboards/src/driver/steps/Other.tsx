// The steps that are no delivery: a route that waits, a break, and taking over from a van that broke down.
import { IconCoffee, IconTool, IconTruckDelivery } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { Goods } from "@/components/Goods";
import { useCatcher } from "@/handheld/useCatcher";
import { Verdict } from "../Answers";
import { CodeEntry } from "../CodeEntry";
import { completed, means, takenOverWith, type StopNow } from "../route";
import { shortSscc, useClock } from "../say";
import type { StepProps } from "./step";
import classes from "../Driver.module.css";

export function WaitStep({ what }: { what: "draft" | "broken_down" }) {
  const { t } = useTranslation("driver");
  const Mark = what === "draft" ? IconTruckDelivery : IconTool;
  return (
    <div className={classes.empty}>
      <Mark size={84} stroke={1.2} />
      <strong>{t(`wait.${what}`)}</strong>
      <p>{t(`wait.${what}_next`)}</p>
    </div>
  );
}

/** A break: it begins when the driver says so, and ends when the driver goes on. */
export function RestStep({ stop, act, actions }: StepProps & { stop: StopNow }) {
  const { t } = useTranslation("driver");
  const clock = useClock();
  const minutes = Math.round((Date.parse(stop.planned_leave_at) - Date.parse(stop.planned_start_at)) / 60_000);
  const begun = stop.arrived_at ?? begunAt(actions, stop.id);
  const resting = stop.state === "arrived";
  const say = (kind: "arrive" | "go_on") => act({ kind, stop_id: stop.id, body: { occurred_at: new Date().toISOString() } });
  return (
    <>
      <div className={classes.body}>
        <div className={classes.empty}>
          <IconCoffee size={96} stroke={1.2} />
          <strong data-testid="instruction">{t("rest.instruction")}</strong>
          <p>{t("rest.of", { n: minutes })}</p>
          <p>{resting && begun
            ? t("rest.until", { time: clock(new Date(Date.parse(begun) + minutes * 60_000).toISOString()) })
            : t("rest.between", { from: clock(stop.planned_start_at), until: clock(stop.planned_leave_at) })}</p>
        </div>
      </div>
      <footer className={classes.thumb}>
        {resting
          ? <button type="button" className={classes.main} data-testid="rest-over" onClick={() => say("go_on")}>{t("rest.over")}</button>
          : <button type="button" className={classes.main} data-testid="rest-start" onClick={() => say("arrive")}>{t("rest.start")}</button>}
      </footer>
    </>
  );
}

function begunAt(actions: StepProps["actions"], stopId: string): string | null {
  const found = actions.find((action) => action.stop_id === stopId && action.kind === "arrive");
  return found ? new Date(found.made_at).toISOString() : null;
}

/** All that this route takes from the vehicle that stands here, whichever of its deliveries it is for. */
export function TakeOverStep({ stop, stops, actions, act, verdict }: StepProps & { stop: StopNow }) {
  const { t } = useTranslation("driver");
  const { job } = stop;
  const cartons = takenOverWith(stops, stop).flatMap((one) => (one.job?.cartons ?? []).map((carton) => ({ ...carton, customer: one.job?.customer_name })));
  const codes = actions.filter((action) => action.kind === "take_over").map((action) => action.code ?? "");
  const rest = cartons.filter((carton) => carton.aboard_of !== null && !codes.some((code) => means(code, carton.sscc)));
  const scan = (code: string) => act({ kind: "take_over", stop_id: stop.id, code: completed(code, cartons) });
  useCatcher({ onScan: scan });
  return (
    <>
      <div className={classes.body}>
        {job?.stands_in && <p className={classes.who}><b data-testid="from-vehicle">{[job.stands_in, job.stands_in_plate].filter(Boolean).join(" · ")}</b>{t("drive.take_over")}</p>}
        <p className={classes.instruction} data-testid="instruction">{t(rest.length > 0 ? "take_over.instruction" : "take_over.done")}</p>
        <div className={classes.count} data-testid="amount">
          <strong>{cartons.length - rest.length}</strong>
          <span>/ {cartons.length}</span>
        </div>
        <Verdict verdict={verdict} />
        <ul className={classes.rows}>
          {rest.map((carton) => (
            <li key={carton.sscc}>
              <span className="mono">{shortSscc(carton.sscc)}</span>
              <span>{carton.customer} <Goods of={carton.goods} /></span>
            </li>
          ))}
        </ul>
      </div>
      <footer className={classes.thumb}>{rest.length > 0 && <CodeEntry onCode={scan} />}</footer>
    </>
  );
}

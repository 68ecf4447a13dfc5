// All stops of the route with what became of them. A driver who must go elsewhere first chooses the stop here.
import { IconCheck, IconClockHour4, IconCoffee, IconMapPin, IconX } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { isAhead, lateMinutes, type StopNow } from "./route";
import { useClock } from "./say";
import classes from "./Driver.module.css";

export function StopList({ stops, next, onChoose }: { stops: StopNow[]; next: string | null; onChoose?: (stopId: string) => void }) {
  const { t } = useTranslation("driver");
  const clock = useClock();
  return (
    <ol className={classes.stopList} data-testid="stops">
      {stops.map((stop) => {
        const outcome = outcomeOf(stop, next);
        const late = isAhead(stop) ? lateMinutes(stop) : 0;
        const can = onChoose !== undefined && isAhead(stop) && stop.id !== next && stop.kind !== "break";
        return (
          <li key={stop.id} data-outcome={outcome} data-testid={`stop-${stop.position}`}>
            <span className={classes.stopMark}><Mark stop={stop} outcome={outcome} /></span>
            <span className={classes.stopWords}>
              <strong>{stop.kind === "delivery" ? stop.job?.customer_name : [t(`outcome.${stop.kind}`), stop.job?.stands_in].filter(Boolean).join(" · ")}</strong>
              {stop.job && <span>{stop.kind === "delivery" ? stop.job.address : stop.job.customer_name}</span>}
              <small>
                {t(`outcome.${outcome}`)} · {clock(stop.done_at ?? stop.eta_at ?? stop.planned_arrival_at)}
                {late > 0 && <b data-tone="bad"> · {t("drive.late", { n: late })}</b>}
                {stop.pending && ` · ${t("load.pending")}`}
              </small>
            </span>
            {can && <button type="button" className={classes.side} data-testid={`do-${stop.position}`} onClick={() => onChoose(stop.id)}>{t("drive.do_this")}</button>}
          </li>
        );
      })}
    </ol>
  );
}

type Word = "delivered" | "partly_delivered" | "refused" | "nobody_there" | "open" | "under_way" | "arrived" | "not_tried" | "over";

function outcomeOf(stop: StopNow, next: string | null): Word {
  if (stop.kind !== "delivery" && stop.state === "done") return "over";
  if (stop.job?.outcome && !isAhead(stop)) return stop.job.outcome;
  if (stop.state === "done") return "delivered";
  if (stop.state === "failed") return "refused";
  if (stop.state === "skipped") return "not_tried";
  if (stop.state === "arrived") return "arrived";
  return stop.id === next ? "under_way" : "open";
}

function Mark({ stop, outcome }: { stop: StopNow; outcome: Word }) {
  if (stop.pending) return <IconClockHour4 size={22} />;
  if (outcome === "delivered" || outcome === "partly_delivered" || outcome === "over") return <IconCheck size={22} stroke={3} />;
  if (outcome === "refused" || outcome === "nobody_there" || outcome === "not_tried") return <IconX size={22} stroke={3} />;
  if (stop.kind === "break") return <IconCoffee size={22} />;
  if (outcome === "under_way" || outcome === "arrived") return <IconMapPin size={24} />;
  return <b>{stop.position}</b>;
}

// A plan on its way: its progress, then what it would change, before anybody accepts it.
import { Button, Loader } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { IconCheck, IconChevronDown, IconChevronUp, IconX } from "@tabler/icons-react";
import { useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { Shape } from "@/components/State";
import { ErrorState } from "@/components/views";
import { acceptPlan, askAgain, discardPlan, type Plan } from "@/data/dispatch";
import { sentence } from "@/i18n/sentences";
import { useMeasures } from "./measures";
import { stage } from "./stage";
import classes from "./Dispatch.module.css";

export interface PlanBarProps {
  plan: Plan;
  day: string;
  mayPlan: boolean;
  previewing: boolean;
  onPreview: (on: boolean) => void;
}

export function PlanBar({ plan, day, mayPlan, previewing, onPreview }: PlanBarProps) {
  const { t } = useTranslation(["dispatch", "common"]);
  const queries = useQueryClient();
  const [open, setOpen] = useState(true);
  const accept = useCommand(acceptPlan, {
    changes: ["deliveries"],
    onDone: () => {
      onPreview(false);
      void askAgain(queries, day);
      notifications.show({ message: t("plan.accepted"), color: "teal" });
    },
  });
  const discard = useCommand(discardPlan, { changes: ["deliveries"], onDone: () => onPreview(false) });
  const { difference, proposal } = plan;
  const away = (
    <Button size="compact-sm" variant="default" leftSection={<IconX size={14} />} loading={discard.isPending} onClick={() => discard.mutate({ id: plan.id, version: plan.version })}>
      {t(plan.state === "computing" ? "plan.stop" : "plan.discard")}
    </Button>
  );
  if (plan.state === "computing") {
    return (
      <div className={classes.planBar} role="status">
        <Loader size={16} />
        <strong>{t("plan.computing")}</strong>
        <span className="soft">{sentence(plan.progress)}</span>
        <span className={classes.spacer} />
        {mayPlan && away}
      </div>
    );
  }
  if (plan.state === "failed" || !difference || !proposal) {
    return (
      <div className={classes.planBar} role="status" data-tone="bad">
        <Shape tone="bad" size={14} />
        <strong>{t("plan.failed")}</strong>
        <span>{sentence(plan.problem)}</span>
        <span className={classes.spacer} />
        {mayPlan && away}
      </div>
    );
  }
  return (
    <section className={classes.plan} aria-label={t("plan.proposed")}>
      <div className={classes.planBar} role="status">
        <Shape tone="busy" size={14} />
        <strong>{t("plan.proposed")}</strong>
        <PlanFigures plan={plan} />
        <span className={classes.spacer} />
        <Button size="compact-sm" variant="subtle" color="gray" rightSection={open ? <IconChevronUp size={14} /> : <IconChevronDown size={14} />} onClick={() => setOpen(!open)} aria-expanded={open}>
          {t("plan.details")}
        </Button>
        <Button size="compact-sm" variant={previewing ? "light" : "default"} aria-pressed={previewing} onClick={() => onPreview(!previewing)}>
          {t(previewing ? "plan.show_now" : "plan.show")}
        </Button>
        {mayPlan && away}
        {mayPlan && (
          <Button size="compact-sm" leftSection={<IconCheck size={14} />} loading={accept.isPending} onClick={() => accept.mutate({ id: plan.id, version: plan.version })}>
            {t("plan.accept")}
          </Button>
        )}
      </div>
      {accept.error && <ErrorState error={accept.error} compact />}
      {accept.error && <Changed body={accept.error.body} />}
      {open && (
        <div className={classes.planDetails}>
          <Part title={t("plan.added", { count: difference.added.length })}>
            {difference.added.map((one) => (
              <Line key={one.job_id} id={one.job_id} who={one.customer_name} what={`→ ${one.to_route ?? ""}`} />
            ))}
          </Part>
          <Part title={t("plan.moved", { count: difference.moved.length })}>
            {difference.moved.map((one) => (
              <Line key={one.job_id} id={one.job_id} who={one.customer_name} what={`${one.from_route ?? ""} → ${one.to_route ?? ""}`} />
            ))}
            {difference.resequenced.length > 0 && <li className="soft">{t("plan.resequenced", { vehicles: difference.resequenced.join(", ") })}</li>}
          </Part>
          <Part title={t("plan.broken", { count: difference.kept_promises_broken.length })} tone={difference.kept_promises_broken.length > 0}>
            {difference.kept_promises_broken.map((one) => (
              <Line key={one.job_id} id={one.job_id} who={one.customer_name} what={one.to_route ?? ""} />
            ))}
            {difference.late_jobs.map((one) => (
              <Late key={one.job_id} id={one.job_id} who={one.customer_name} late_s={one.late_s} />
            ))}
          </Part>
          <Part title={t("plan.unserved", { count: proposal.unserved.length })} tone={proposal.unserved.length > 0}>
            {proposal.unserved.map((one) => (
              <Line key={one.job_id} id={one.job_id} who={one.customer_name} what={sentence(one.detail)} />
            ))}
            {difference.removed.map((one) => (
              <Line key={one.job_id} id={one.job_id} who={one.customer_name} what={t("plan.off", { vehicle: one.from_route })} />
            ))}
          </Part>
        </div>
      )}
    </section>
  );
}

function PlanFigures({ plan }: { plan: Plan }) {
  const { t } = useTranslation("dispatch");
  const { km, minutes } = useMeasures();
  if (!plan.difference || !plan.proposal) return null;
  const { difference, proposal } = plan;
  return (
    <span className={classes.planFigures}>
      <span>{km(difference.km * 1000, true)}</span>
      <span>{minutes(difference.minutes * 60, true)}</span>
      <span data-tone={difference.late_jobs.length > 0 ? "bad" : undefined}>{t("late_stops", { count: difference.late_jobs.length })}</span>
      <span data-tone={proposal.unserved.length > 0 ? "bad" : undefined}>{t("plan.unserved", { count: proposal.unserved.length })}</span>
    </span>
  );
}

function Part({ title, tone = false, children }: { title: string; tone?: boolean; children: ReactNode }) {
  return (
    <div className={classes.planPart}>
      <h3>
        {tone && <Shape tone="warn" size={10} />}
        {title}
      </h3>
      <ul data-scroller>{children}</ul>
    </div>
  );
}

function Line({ id, who, what }: { id: string; who: string; what: string }) {
  return (
    <li>
      <button type="button" onClick={() => stage.select(null, id)} onPointerEnter={() => stage.near(id)} onPointerLeave={() => stage.near(null)}>
        <b>{who}</b> <span className="soft">{what}</span>
      </button>
    </li>
  );
}

function Late({ id, who, late_s }: { id: string; who: string; late_s: number }) {
  const { t } = useTranslation("dispatch");
  const { minutes } = useMeasures();
  return <Line id={id} who={who} what={t("late_by", { n: minutes(late_s) })} />;
}

/** What changed on the board since the plan was made, in the backend's words. */
function Changed({ body }: { body: Record<string, unknown> }) {
  const changed = body["changed"];
  if (!Array.isArray(changed) || changed.length === 0) return null;
  return (
    <ul className={classes.changed}>
      {changed.map((one, index) => (
        <li key={index}>{typeof one === "string" ? one : Object.values(one as Record<string, unknown>).filter((value) => typeof value === "string").join(" ")}</li>
      ))}
    </ul>
  );
}

// Several stops in hand at once: how many, how heavy, and onto which van. All of them come onto its route or none; for each
// that does not fit it is said why.
import { Button, Select } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { Shape } from "@/components/State";
import { assignStops, askAgain, redraw, type Board, type Job } from "@/data/dispatch";
import { sentence } from "@/i18n/sentences";
import { useBoard } from "./context";
import { useMeasures } from "./measures";
import { canMove, jobOf, placeOf, settled } from "./moves";
import { stage, useStage } from "./stage";
import classes from "./Dispatch.module.css";

/** As many as the backend takes in one answer. */
const MOST = 50;

interface Refused {
  job_id: string;
  customer_name: string;
  violations: { detail: string; allowed_anyway: boolean }[];
}

/** Waits on the map, or stands on a draft: it may come onto another van with others. */
export function mayJoin(board: Board, job: Job): boolean {
  if (job.lat === null) return false;
  const place = placeOf(board, job.id);
  return place ? place.route.state === "draft" && canMove(place.route, place.stop) : job.state === "ready";
}

export function SelectionBar({ board }: { board: Board }) {
  const picked = useStage((s) => s.picked);
  const jobs = picked.map((id) => jobOf(board, id)).filter((job) => job !== null && mayJoin(board, job)) as Job[];
  useEffect(() => {
    if (picked.length === 0) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !stage.get().moving) stage.pick([]);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [picked.length]);
  return jobs.length > 0 ? <Bar board={board} jobs={jobs} /> : null;
}

function Bar({ board, jobs }: { board: Board; jobs: readonly Job[] }) {
  const { t } = useTranslation(["dispatch", "common"]);
  const { day } = useBoard();
  const { kg } = useMeasures();
  const queries = useQueryClient();
  const [routeId, setRouteId] = useState<string | null>(null);
  const drafts = board.routes.filter((route) => route.state === "draft");
  const to = drafts.find((route) => route.id === routeId) ?? null;
  const { mutate, isPending, error, reset } = useCommand(assignStops, {
    onDone: (done, { id, jobs }) => {
      stage.pick([]);
      stage.show(id, null);
      void redraw(queries, day, (seen) => settled(seen, done.routes));
      notifications.show({ message: t("selection.done", { count: jobs.length, vehicle: done.routes.find((route) => route.id === id)?.vehicle.code }), color: "teal" });
    },
  });
  const send = (which: readonly Job[], anyway: boolean) => {
    if (!to) return;
    mutate(
      { id: to.id, version: to.version, anyway, jobs: which.map((job) => ({ job_id: job.id, from_version: placeOf(board, job.id)?.route.version ?? null })) },
      { onError: () => void askAgain(queries, day) },
    );
  };
  const refused = (error?.body["refused"] ?? []) as Refused[];
  const fitting = jobs.filter((job) => !refused.some((one) => one.job_id === job.id));
  const overrulable = refused.length > 0 && refused.every((one) => one.violations.every((broken) => broken.allowed_anyway));
  const sum = (of: (job: Job) => number) => jobs.reduce((total, job) => total + of(job), 0);
  return (
    <section className={classes.moveBar} data-selection data-tone={error ? (overrulable ? "warn" : "bad") : undefined} aria-label={t("selection.title")}>
      <div className={classes.moveWords}>
        <strong role="status">{t("selection.count", { count: jobs.length })}</strong>
        <span className="soft">{[kg(sum((job) => job.weight_g)), t("cartons", { count: sum((job) => job.cartons) })].join(" · ")}</span>
        {jobs.length > MOST && <span className={classes.lateText}>{t("selection.too_many", { n: MOST })}</span>}
        {error && (
          <div role="alert" className={classes.refusals} data-scroller>
            <b>
              <Shape tone={overrulable ? "warn" : "bad"} size={11} /> {t(refused.length > 0 ? "selection.refused" : "selection.clash", { count: refused.length })}
            </b>
            {refused.length === 0 && <span>{error.message}</span>}
            {refused.map((one) => (
              <span key={one.job_id}>
                <b>{one.customer_name}</b> {one.violations.map((broken) => sentence(broken.detail)).join(" ")}
              </span>
            ))}
          </div>
        )}
      </div>
      <Select
        size="xs"
        w={190}
        aria-label={t("selection.onto")}
        placeholder={t("selection.onto")}
        data={drafts.map((route) => ({ value: route.id, label: `${route.vehicle.code} · ${route.number}` }))}
        value={to?.id ?? null}
        onChange={(id) => (setRouteId(id), reset())}
        nothingFoundMessage={t("selection.no_draft")}
        comboboxProps={{ position: "top" }}
      />
      {refused.length > 0 && fitting.length > 0 && (
        <Button size="compact-sm" loading={isPending} onClick={() => send(fitting, false)}>
          {t("selection.others", { count: fitting.length })}
        </Button>
      )}
      {overrulable && (
        <Button size="compact-sm" color="orange" loading={isPending} onClick={() => send(jobs, true)}>
          {t("anyway")}
        </Button>
      )}
      {refused.length === 0 && (
        <Button size="compact-sm" disabled={!to || jobs.length > MOST} loading={isPending} onClick={() => send(jobs, false)}>
          {t("selection.assign")}
        </Button>
      )}
      <Button size="compact-sm" variant="default" onClick={() => stage.pick([])}>
        {t("selection.clear")}
      </Button>
    </section>
  );
}

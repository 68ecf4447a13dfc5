// All about one stop, below its line: where, when, what; lock it, put it back in the tray, tell the customer, see the proof.
import { Button, CopyButton } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { IconArrowBackUp, IconCamera, IconKeyboard, IconLink, IconLock, IconLockOpen } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useCommand } from "@/api/command";
import { Facts } from "@/components/facts";
import { Goods } from "@/components/Goods";
import { Shape, State } from "@/components/State";
import { ErrorState } from "@/components/views";
import { lockStop, proofsQuery, redraw, trackingLink, type Job, type Route, type Stop } from "@/data/dispatch";
import { useBoard } from "./context";
import { useMeasures } from "./measures";
import { canMove, lackingFor, settled } from "./moves";
import classes from "./Dispatch.module.css";

export function JobCard({ route, stop, job }: { route: Route; stop: Stop; job: Job }) {
  const { t } = useTranslation(["dispatch", "common"]);
  const { mayPlan, moves, day } = useBoard();
  const { clock, minutes, kg, litres } = useMeasures();
  const queries = useQueryClient();
  const lock = useCommand(lockStop, { onDone: (changed) => void redraw(queries, day, (board) => settled(board, [changed])) });
  const link = useCommand(trackingLink);
  const movable = mayPlan && canMove(route, stop);
  const lacking = lackingFor(route, job);
  return (
    <div className={classes.jobCard}>
      {lacking.length > 0 && (
        <p className={classes.lacking}>
          <Shape tone="bad" size={10} />
          {t("not_for_this", { vehicle: route.vehicle.code })}
        </p>
      )}
      <Facts
        facts={[
          [t("common:field.order"), <Link key="o" to={`/orders/${job.order_id}`} className="quiet-link">{job.order_number}</Link>],
          [t("window"), `${clock(job.window_from, day)} – ${clock(job.window_until, day)}`],
          job.promised_from !== null && [t("promised"), `${clock(job.promised_from, day)} – ${clock(job.promised_until, day)}`],
          [t("plan_and_eta"), stop.arrived_at ? t("planned_and_was", { plan: clock(stop.planned_arrival_at, day), was: clock(stop.arrived_at, day) }) : stop.eta_at ? t("planned_and_eta", { plan: clock(stop.planned_arrival_at, day), eta: clock(stop.eta_at, day) }) : clock(stop.planned_arrival_at, day)],
          [t("goods"), `${t("cartons", { count: job.cartons })} · ${kg(job.weight_g)} · ${litres(job.volume_ml)}`],
          job.skills.length > 0 && [t("needs"), <Goods key="n" of={job.skills} lacking={lacking} />],
          [t("service"), minutes(job.service_s)],
          job.phone !== "" && [t("phone"), job.phone],
          job.note !== "" && [t("common:field.note"), job.note],
          job.attempt > 1 && [t("attempt"), String(job.attempt)],
          [t("common:field.state"), <State key="s" value={job.state} label={t(`job_state.${job.state}`)} />],
        ]}
      />
      {(lock.error ?? link.error) && <ErrorState error={lock.error ?? link.error} compact />}
      <div className={classes.jobActions}>
        {movable && (
          <Button size="compact-xs" variant="default" leftSection={stop.locked ? <IconLockOpen size={13} /> : <IconLock size={13} />} onClick={() => lock.mutate({ id: stop.id, locked: !stop.locked })}>
            {t(stop.locked ? "unlock_stop" : "lock_stop")}
          </Button>
        )}
        {movable && (
          <Button size="compact-xs" variant="default" leftSection={<IconKeyboard size={13} />} onClick={() => moves.pickUp(job, "keyboard")}>
            {t("move")}
          </Button>
        )}
        {movable && job.state !== "aboard" && (
          <Button size="compact-xs" variant="default" leftSection={<IconArrowBackUp size={13} />} onClick={() => void moves.toTray(job)}>
            {t("to_tray")}
          </Button>
        )}
        {mayPlan && job.finished_at === null && !link.data && (
          <Button size="compact-xs" variant="default" leftSection={<IconLink size={13} />} loading={link.isPending} onClick={() => link.mutate(job.id)}>
            {t("tracking_link")}
          </Button>
        )}
        {link.data && (
          <CopyButton value={link.data.url} timeout={2000}>
            {({ copied, copy }) => (
              <Button size="compact-xs" variant="light" leftSection={<IconLink size={13} />} onClick={copy}>
                {copied ? t("common:action.copied") : t("copy_link")}
              </Button>
            )}
          </CopyButton>
        )}
        {job.finished_at !== null && <Proof job={job} />}
      </div>
    </div>
  );
}

function Proof({ job }: { job: Job }) {
  const { t } = useTranslation("dispatch");
  const proofs = useQuery(proofsQuery(job.id));
  if (!proofs.data?.items[0]) return null;
  return (
    <Button size="compact-xs" variant="light" leftSection={<IconCamera size={13} />} component={Link} to={`/orders/${job.order_id}`}>
      {t("proof")}
    </Button>
  );
}

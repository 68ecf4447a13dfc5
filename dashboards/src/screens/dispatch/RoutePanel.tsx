// The selected route: what it is, what may be done with it, and its stops in order. Between two stops stands the way
// between them; while a stop is moved, the same line says what it would mean to put it there.
import { ActionIcon, Menu, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { IconArrowBackUp, IconArrowLeft, IconCheck, IconCoffee, IconDotsVertical, IconGripVertical, IconLock, IconLockOpen, IconRoute, IconSend, IconTool, IconX } from "@tabler/icons-react";
import { memo, useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { Confirm } from "@/components/Confirm";
import { FormDialog, text } from "@/components/CommandForm";
import { Goods } from "@/components/Goods";
import { Shape, State } from "@/components/State";
import { ErrorState } from "@/components/views";
import { askAgain, breakDown, cancelRoute, lockRoute, redraw, release, startPlan, withdraw, type Route, type Stop } from "@/data/dispatch";
import { Mark } from "@/map/Mark";
import { lookIn, useBoard } from "./context";
import { JobCard } from "./JobCard";
import { numbersOf, timesOf } from "./lanes";
import { useMeasures } from "./measures";
import { canMove, isLate, lackingFor, others, settled } from "./moves";
import { ROUTE_TONES } from "./RoutesList";
import { SlotLine } from "./SlotWords";
import { stage, useStage } from "./stage";
import classes from "./Dispatch.module.css";

export function RoutePanel({ route }: { route: Route }) {
  const moving = useStage((s) => (s.moving ? s.moving.job.id : null));
  const numbers = useMemo(() => numbersOf(route), [route]);
  const stops = useMemo(() => (moving ? others(route, moving) : route.stops), [route, moving]);
  const here = moving ? route.stops.findIndex((stop) => stop.job?.id === moving) + 1 : 0;
  const list = useRef<HTMLOListElement>(null);
  const jobId = useStage((s) => s.jobId);
  useEffect(() => {
    if (!jobId || stage.get().moving) return;
    list.current?.querySelector(`[data-stop="${jobId}"]`)?.scrollIntoView({ block: "nearest" });
  }, [jobId, route.id]);
  return (
    <div className={classes.routePanel}>
      <RouteHead route={route} />
      <ol className={classes.stops} ref={list} data-list={route.id} data-scroller>
        <Ends route={route} which="start" />
        {stops.map((stop, index) => (
          <li key={stop.id} className={classes.stopItem}>
            <Way route={route} stop={stop} position={index + 1} here={here === index + 1} />
            <StopLine route={route} stop={stop} number={numbers.get(stop.id) ?? 0} />
          </li>
        ))}
        <li className={classes.stopItem}>
          <Way route={route} stop={null} position={stops.length + 1} here={here === stops.length + 1} />
        </li>
        {route.state === "broken_down" ? <BrokenDown /> : <Ends route={route} which="end" />}
      </ol>
    </div>
  );
}

function RouteHead({ route }: { route: Route }) {
  const { t } = useTranslation(["dispatch", "common"]);
  const { looks, mayPlan, day } = useBoard();
  const { km, hours, kg, litres } = useMeasures();
  const queries = useQueryClient();
  const [breaking, setBreaking] = useState(false);
  const put = (changed: Route) => void redraw(queries, day, (board) => settled(board, [changed]));
  const lock = useCommand(lockRoute, { onDone: put });
  const send = useCommand(release, { changes: ["orders"], onDone: (done) => (put(done), notifications.show({ message: t("released", { route: done.number }), color: "teal" })) });
  const back = useCommand(withdraw, { changes: ["orders"], onDone: (done) => (put(done), notifications.show({ message: t("withdrawn", { route: done.number }), color: "teal" })) });
  const takeBack = () => back.mutate({ id: route.id, version: route.version }, { onError: () => void askAgain(queries, day) });
  const cancel = useCommand(cancelRoute, { changes: ["deliveries"], onDone: put });
  const broken = useCommand(breakDown, { changes: ["deliveries"], onDone: put });
  const replan = useCommand(startPlan, { changes: ["deliveries"] });
  const { load, vehicle } = route;
  const before = route.state === "draft" || route.state === "released" || route.state === "loading";
  const out = route.state === "under_way";
  const problem = lock.error ?? send.error ?? back.error ?? cancel.error;
  return (
    <header className={classes.routeHead}>
      <div className={classes.routeTitle}>
        <ActionIcon variant="subtle" color="gray" size="md" aria-label={t("all_routes")} onClick={() => stage.select(null, null)}>
          <IconArrowLeft size={17} stroke={1.7} />
        </ActionIcon>
        <Mark look={lookIn(looks, vehicle.code)} size={20} />
        <h2>{vehicle.code}</h2>
        <State value={route.state} label={t(`route_state.${route.state}`)} tone={ROUTE_TONES[route.state]} />
        <span className={classes.spacer} />
        {mayPlan && (
          <Tooltip label={t(route.locked ? "unlock_route" : "lock_route")}>
            <ActionIcon variant={route.locked ? "light" : "subtle"} color={route.locked ? undefined : "gray"} aria-label={t(route.locked ? "unlock_route" : "lock_route")} aria-pressed={route.locked} onClick={() => lock.mutate({ id: route.id, locked: !route.locked, version: route.version })}>
              {route.locked ? <IconLock size={16} stroke={1.7} /> : <IconLockOpen size={16} stroke={1.7} />}
            </ActionIcon>
          </Tooltip>
        )}
        {mayPlan && (before || out) && (
          <Menu position="bottom-end" shadow="md">
            <Menu.Target>
              <ActionIcon variant="subtle" color="gray" aria-label={t("more_actions")}>
                <IconDotsVertical size={16} stroke={1.7} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item leftSection={<IconRoute size={15} stroke={1.7} />} disabled={route.locked} onClick={() => replan.mutate({ day, route_ids: [route.id] })}>
                {t("replan_route")}
              </Menu.Item>
              {route.state === "loading" && (
                <Menu.Item leftSection={<IconArrowBackUp size={15} stroke={1.7} />} disabled>
                  {t("withdraw")}
                  <span className={classes.whyNot}>{t("withdraw_not")}</span>
                </Menu.Item>
              )}
              {before && (
                <Menu.Item leftSection={<IconX size={15} stroke={1.7} />} onClick={() => cancel.mutate({ id: route.id, version: route.version })}>
                  {t("cancel_route")}
                </Menu.Item>
              )}
              {out && (
                <Menu.Item color="red" leftSection={<IconTool size={15} stroke={1.7} />} onClick={() => setBreaking(true)}>
                  {t("breakdown")}
                </Menu.Item>
              )}
            </Menu.Dropdown>
          </Menu>
        )}
      </div>
      <div className={classes.routeSub}>
        <span>
          <Goods of={vehicle.skills} />
          {[route.number, vehicle.plate, route.driver?.name ?? t("no_driver"), km(route.distance_m), t("driving", { time: hours(route.drive_s) })].filter(Boolean).join(" · ")}
        </span>
        {mayPlan && route.state === "draft" && route.stops.length > 0 && (
          <Confirm size="compact-sm" leftSection={<IconSend size={14} />} loading={send.isPending} onConfirm={() => send.mutate({ id: route.id, version: route.version })}>
            {t("release")}
          </Confirm>
        )}
        {mayPlan && route.state === "released" && (
          <Confirm size="compact-sm" variant="default" leftSection={<IconArrowBackUp size={14} />} loading={back.isPending} onConfirm={takeBack}>
            {t("withdraw")}
          </Confirm>
        )}
      </div>
      <div className={classes.loads}>
        <Load part={load.weight_g} whole={vehicle.max_weight_g} label={kg(load.weight_g)} of={kg(vehicle.max_weight_g)} />
        <Load part={load.volume_ml} whole={vehicle.max_volume_ml} label={litres(load.volume_ml)} of={litres(vehicle.max_volume_ml)} />
        <Load part={load.cartons} whole={vehicle.max_cartons} label={t("cartons", { count: load.cartons })} of={String(vehicle.max_cartons)} />
      </div>
      {route.estimated && (
        <div className={classes.note}>
          <Shape tone="warn" size={10} />
          {t("estimated")}
        </div>
      )}
      {problem && <ErrorState error={problem} compact />}
      <FormDialog
        title={t("breakdown_title", { vehicle: vehicle.code })}
        opened={breaking}
        onClose={() => setBreaking(false)}
        command={broken}
        submit={t("breakdown_do")}
        danger
        before={<p className="soft" style={{ margin: 0 }}>{t("breakdown_why")}</p>}
        fields={[{ name: "note", label: t("common:field.note"), kind: "textarea" }]}
        toInput={(values) => ({ id: route.id, note: text(values["note"]) })}
      />
    </header>
  );
}

function Load({ part, whole, label, of }: { part: number; whole: number; label: string; of: string }) {
  const { t } = useTranslation("dispatch");
  const share = whole > 0 ? part / whole : 0;
  return (
    <div className={classes.load} data-over={share > 1 || undefined} title={t("of_most", { part: label, most: of })}>
      <span>
        {label} <span className="soft">/ {of}</span>
      </span>
      <i>
        <b style={{ width: `${Math.min(1, share) * 100}%` }} />
      </i>
    </div>
  );
}

/** It comes back by no plan; what it carried waits for another one. */
function BrokenDown() {
  const { t } = useTranslation("dispatch");
  return (
    <li className={classes.depot}>
      <Shape tone="bad" size={11} />
      {t("broke_down_here")}
    </li>
  );
}

/** Leaves the depot, comes back to it. */
function Ends({ route, which }: { route: Route; which: "start" | "end" }) {
  const { t } = useTranslation("dispatch");
  const { day } = useBoard();
  const { clock } = useMeasures();
  const at = which === "start" ? (route.departed_at ?? route.starts_at) : (route.eta_back_at ?? route.ends_at);
  return (
    <li className={classes.depot}>
      <Shape tone="off" size={11} />
      {t(which === "start" ? (route.departed_at ? "left_at" : "leaves_at") : "back_at", { at: clock(at, day) })}
      {which === "end" && route.late_s > 0 && <span className={classes.lateText}>{t("overtime", { n: Math.round(route.late_s / 60) })}</span>}
    </li>
  );
}

/** The way to the next stop; a place to put one while something is moved. */
const Way = memo(function Way({ route, stop, position, here }: { route: Route; stop: Stop | null; position: number; here: boolean }) {
  const { km, minutes } = useMeasures();
  const slot = useStage((s) => s.moving?.slots?.table.get(route.id)?.get(position) ?? null);
  const moving = useStage((s) => s.moving !== null);
  const over = useStage((s) => s.moving?.over && s.moving.over !== "tray" && s.moving.over.routeId === route.id && s.moving.over.position === position);
  return (
    <div className={classes.way} data-position={position} data-slot={slot ? true : undefined} data-over={over || undefined}>
      {slot ? <SlotLine slot={slot} here={here} /> : !moving && stop && stop.leg_m > 0 ? <span className="soft">{km(stop.leg_m)} · {minutes(stop.leg_s)}</span> : null}
    </div>
  );
});

const StopLine = memo(function StopLine({ route, stop, number }: { route: Route; stop: Stop; number: number }) {
  const { t } = useTranslation("dispatch");
  const { looks, mayPlan, moves, day } = useBoard();
  const { clock, minutes } = useMeasures();
  const job = stop.job;
  const movable = mayPlan && job !== null && canMove(route, stop);
  const chosen = useStage((s) => job !== null && s.jobId === job.id && s.moving === null);
  const near = useStage((s) => job !== null && s.nearJobId === job.id);
  if (!job) {
    return (
      <div className={classes.pauseLine}>
        <IconCoffee size={15} stroke={1.7} aria-hidden />
        {t(`stop_kind.${stop.kind}`)}
        <span className={classes.when}>
          {clock(stop.planned_start_at, day)} – {clock(stop.planned_leave_at, day)}
        </span>
      </div>
    );
  }
  const late = isLate(stop);
  const { start } = timesOf(stop);
  const onKey = (event: KeyboardEvent<HTMLElement>) => {
    if (event.target !== event.currentTarget) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      event.stopPropagation();
      const all = [...(event.currentTarget.closest("ol")?.querySelectorAll<HTMLElement>("[data-stop]") ?? [])];
      all[all.indexOf(event.currentTarget) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    } else if (event.key === "Enter") {
      event.preventDefault();
      event.stopPropagation();
      stage.select(route.id, chosen ? null : job.id);
    } else if ((event.key === " " || event.key === "m") && movable) {
      event.preventDefault();
      event.stopPropagation();
      moves.pickUp(job, "keyboard");
    }
  };
  return (
    <>
      <div
        className={classes.stop}
        role="button"
        tabIndex={0}
        aria-expanded={chosen}
        aria-roledescription={movable ? t("movable") : undefined}
        data-stop={job.id}
        data-chosen={chosen || undefined}
        data-near={near || undefined}
        data-movable={movable ? job.id : undefined}
        onClick={() => stage.select(route.id, chosen ? null : job.id)}
        onPointerEnter={() => stage.near(job.id)}
        onPointerLeave={() => stage.near(null)}
        onKeyDown={onKey}
      >
        <IconGripVertical className={classes.grip} size={14} stroke={1.7} aria-hidden />
        <Mark look={lookIn(looks, route.vehicle.code)} text={number} size={24} hollow={stop.state === "done" || stop.state === "failed"} />
        <span className={classes.stopWho}>
          <span className={classes.stopName}>
            <strong>{job.customer_name}</strong>
            <Goods of={job.skills} lacking={lackingFor(route, job)} />
          </span>
          <span className="soft">{job.address}</span>
        </span>
        <span className={classes.stopWhen}>
          <span className={late ? classes.lateText : undefined} data-was={stop.state === "done" || undefined}>
            {late && <Shape tone={stop.state === "done" ? "warn" : "bad"} size={9} />}
            {stop.state === "done" && <IconCheck size={13} stroke={2.4} className={classes.doneMark} aria-label={t("stop_state.done")} />}
            {stop.state === "failed" && <Shape tone="bad" size={10} />}
            <b>{clock(start, day)}</b>
          </span>
          <span className="soft">{stop.state === "failed" ? t(`job_state.${job.state}`) : late ? t("late_by", { n: minutes(stop.late_s) }) : `${clock(job.window_from, day)}–${clock(job.window_until, day)}`}</span>
        </span>
        {stop.locked && <IconLock size={13} stroke={2} aria-label={t("locked")} />}
      </div>
      {chosen && <JobCard route={route} stop={stop} job={job} />}
    </>
  );
});

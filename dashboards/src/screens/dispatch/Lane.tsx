// One vehicle's day on the time axis. Drawn again only when its route changes; what is selected or moved over it is followed
// part by part.
import { IconAlertTriangleFilled, IconCheck, IconCoffee, IconLock, IconLockFilled, IconX } from "@tabler/icons-react";
import { memo, useMemo, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { Shape, useWord } from "@/components/State";
import type { Route, Slot, Stop } from "@/data/dispatch";
import { Mark } from "@/map/Mark";
import { lookIn, useBoard } from "./context";
import { piecesOf, timesOf, type Span } from "./lanes";
import { useMeasures } from "./measures";
import { canMove, isLate, others, verdictOf } from "./moves";
import { SLOT_TONES } from "./SlotWords";
import { stage, useStage } from "./stage";
import classes from "./Timeline.module.css";

export function at(span: Span, moment: number): string {
  return `${(((moment - span.from) / (span.until - span.from)) * 100).toFixed(3)}%`;
}

function between(span: Span, from: number, until: number): { left: string; width: string } {
  return { left: at(span, from), width: `${((Math.max(0, until - from) / (span.until - span.from)) * 100).toFixed(3)}%` };
}

export const Lane = memo(function Lane({ route, span, width }: { route: Route; span: Span; width: number }) {
  const { t } = useTranslation("dispatch");
  const { looks } = useBoard();
  const { clock } = useMeasures();
  const look = lookIn(looks, route.vehicle.code);
  const selected = useStage((s) => s.routeId === route.id);
  const pieces = useMemo(() => piecesOf(route), [route]);
  const off = route.state === "cancelled" || route.state === "broken_down";
  const late = route.stops.filter((stop) => isLate(stop) && stop.state !== "done" && stop.state !== "failed").length;
  const deliveries = route.stops.filter((stop) => stop.kind === "delivery" || stop.kind === "take_over");
  const done = deliveries.filter((stop) => stop.state === "done" || stop.state === "failed").length;
  const full = Math.max(route.load.weight_g / route.vehicle.max_weight_g, route.load.volume_ml / route.vehicle.max_volume_ml, route.load.cartons / route.vehicle.max_cartons);
  return (
    <div className={classes.lane} data-selected={selected || undefined} data-off={off || undefined} data-route={route.id} data-version={route.version} role="row" style={{ "--route": `var(${look.colour})` } as React.CSSProperties}>
      <button type="button" className={classes.name} role="rowheader" onClick={() => stage.select(route.id, null)} title={[route.number, route.vehicle.plate, route.driver?.name].filter(Boolean).join(" · ")}>
        <Mark look={look} size={15} />
        <span className={classes.code}>{route.vehicle.code}</span>
        {route.locked && <IconLockFilled size={12} aria-label={t("locked")} />}
        <span className={classes.count}>
          {late > 0 && (
            <span className={classes.lateCount} title={t("late_stops", { count: late })}>
              <Shape tone="bad" size={9} />
              {late}
            </span>
          )}
          {route.departed_at ? deliveries.length > 0 && `${done}/${deliveries.length}` : deliveries.length}
        </span>
        <span className={classes.driver}>{route.driver?.name ?? t("no_driver")}</span>
        <span className={classes.fill} title={t("load_percent", { n: Math.round(full * 100) })} data-over={full > 1 || undefined}>
          <i style={{ width: `${Math.min(1, full) * 100}%` }} />
        </span>
      </button>
      <div className={classes.track} data-lane={route.id} role="gridcell">
        <div className={classes.shift} style={between(span, Date.parse(route.shift.starts_at), Date.parse(route.shift.ends_at))} title={t("shift_of", { from: clock(route.shift.starts_at), until: clock(route.shift.ends_at) })} />
        <Window route={route} span={span} />
        {pieces.map((piece) =>
          piece.kind === "stop" ? (
            <Block key={piece.key} route={route} stop={piece.stop} number={piece.number} place={between(span, piece.from, piece.until)} />
          ) : (
            <div key={piece.key} className={piece.kind === "drive" ? classes.drive : classes.wait} style={between(span, piece.from, piece.until)} />
          ),
        )}
        {route.late_s > 0 && <div className={classes.overtime} style={between(span, Date.parse(route.shift.ends_at), Date.parse(route.shift.ends_at) + route.late_s * 1000)} title={t("overtime", { n: Math.round(route.late_s / 60) })} />}
        <SlotMarks route={route} span={span} width={width} />
      </div>
    </div>
  );
});

/** The promised window of the stop that is selected or under the pointer; of one in hand, on every lane. */
function Window({ route, span }: { route: Route; span: Span }) {
  const near = useStage((s) => s.nearJobId);
  const chosen = useStage((s) => s.jobId);
  const held = useStage((s) => s.moving?.job ?? null);
  const job = held ?? (route.stops.find((stop) => stop.job?.id === near) ?? route.stops.find((stop) => stop.job?.id === chosen))?.job;
  if (!job) return null;
  const from = Math.max(span.from, Date.parse(job.window_from)), until = Math.min(span.until, Date.parse(job.window_until));
  if (until <= from) return null;
  return <div className={classes.window} style={between(span, from, until)} />;
}

const Block = memo(function Block({ route, stop, number, place }: { route: Route; stop: Stop; number: number; place: { left: string; width: string } }) {
  const { t } = useTranslation("dispatch");
  const { mayPlan, moves } = useBoard();
  const { clock, minutes } = useMeasures();
  const word = useWord();
  const job = stop.job;
  const movable = mayPlan && job !== null && canMove(route, stop);
  const chosen = useStage((s) => job !== null && s.jobId === job.id);
  const near = useStage((s) => job !== null && s.nearJobId === job.id);
  const lifted = useStage((s) => job !== null && s.moving?.job.id === job.id);
  const late = isLate(stop);
  if (!job) {
    return (
      <div className={classes.pause} style={place} title={t(`stop_kind.${stop.kind}`)}>
        {stop.kind === "break" && <IconCoffee size={12} stroke={1.8} />}
      </div>
    );
  }
  const { start } = timesOf(stop);
  const says = [
    `${number}. ${job.customer_name}`, t("at_time", { at: clock(start) }), t("window_of", { from: clock(job.window_from), until: clock(job.window_until) }),
    job.skills.map((one) => word("storage", one)).join(", "), late ? t("late_by", { n: minutes(stop.late_s) }) : null, stop.locked ? t("locked") : null, t(`stop_state.${stop.state}`),
  ].filter(Boolean).join(", ");
  const onKey = (event: KeyboardEvent<HTMLElement>) => {
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      event.preventDefault();
      event.stopPropagation();
      const all = [...(event.currentTarget.parentElement?.querySelectorAll<HTMLElement>("[data-block]") ?? [])];
      all[all.indexOf(event.currentTarget) + (event.key === "ArrowRight" ? 1 : -1)]?.focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      event.stopPropagation();
      const tracks = [...document.querySelectorAll<HTMLElement>("[data-lane]")];
      const own = tracks.findIndex((track) => track.contains(event.currentTarget));
      tracks[own + (event.key === "ArrowDown" ? 1 : -1)]?.querySelector<HTMLElement>("[data-block]")?.focus();
    } else if (event.key === "Enter") {
      event.preventDefault();
      event.stopPropagation();
      stage.select(route.id, job.id);
    } else if ((event.key === " " || event.key === "m") && movable) {
      event.preventDefault();
      event.stopPropagation();
      moves.pickUp(job, "keyboard");
    }
  };
  return (
    <div
      className={classes.block}
      style={place}
      role="button"
      tabIndex={chosen || number === 1 ? 0 : -1}
      aria-label={says}
      aria-pressed={chosen}
      title={says}
      data-block={job.id}
      data-state={stop.state}
      data-late={!late || stop.state === "failed" ? undefined : stop.state === "done" ? "was" : "will"}
      data-chosen={chosen || undefined}
      data-near={near || undefined}
      data-lifted={lifted || undefined}
      data-movable={movable ? job.id : undefined}
      onClick={() => stage.select(route.id, job.id)}
      onPointerEnter={() => stage.near(job.id)}
      onPointerLeave={() => stage.near(null)}
      onKeyDown={onKey}
    >
      <span className={classes.number}>{stop.state === "done" ? <IconCheck size={11} stroke={3} /> : stop.state === "failed" ? <IconX size={11} stroke={3} /> : number}</span>
      {late && <IconAlertTriangleFilled className={classes.lateMark} size={11} />}
      {stop.locked && <IconLock className={classes.lockMark} size={10} stroke={2.4} />}
    </div>
  );
});

/** While something is being moved: each place on this route, and what it would mean. */
function SlotMarks({ route, span, width }: { route: Route; span: Span; width: number }) {
  const slots = useStage((s) => s.moving?.slots?.table.get(route.id) ?? null);
  const jobId = useStage((s) => s.moving?.job.id ?? null);
  const over = useStage((s) => (s.moving?.over && s.moving.over !== "tray" && s.moving.over.routeId === route.id ? s.moving.over.position : null));
  const stops = useMemo(() => (jobId ? others(route, jobId) : []), [route, jobId]);
  if (!slots) return null;
  const marks = [...slots.values()].sort((a, b) => a.position - b.position).map((slot) => ({ slot, moment: slotMoment(route, stops, slot.position) }));
  const px = width / (span.until - span.from);
  return (
    <div className={classes.slots}>
      {marks.map(({ slot, moment }, index) => {
        const apart = Math.min(moment - (marks[index - 1]?.moment ?? -Infinity), (marks[index + 1]?.moment ?? Infinity) - moment) * px;
        return <SlotMark key={slot.position} slot={slot} left={at(span, moment)} over={over === slot.position} roomy={apart > 26} />;
      })}
    </div>
  );
}

export function slotMoment(route: Route, stops: readonly Stop[], position: number): number {
  const before = stops[position - 2], after = stops[position - 1];
  const from = before ? timesOf(before).leave : Date.parse(route.starts_at);
  const until = after ? timesOf(after).start : before ? from + 10 * 60_000 : Date.parse(route.ends_at);
  return (from + Math.max(from, until)) / 2;
}

function SlotMark({ slot, left, over, roomy }: { slot: Slot; left: string; over: boolean; roomy: boolean }) {
  const verdict = verdictOf(slot);
  const min = Math.round(slot.extra_s / 60);
  return (
    <div className={classes.slot} style={{ left }} data-verdict={verdict} data-slot-mark={verdict} data-over={over || undefined}>
      <Shape tone={SLOT_TONES[verdict]} size={verdict === "best" || over ? 12 : 8} />
      {verdict !== "forbidden" && (roomy || over || verdict === "best") && <span>{min >= 0 ? `+${min}` : min}</span>}
    </div>
  );
}

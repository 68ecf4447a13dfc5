// Vehicle by vehicle over the hours of the day, in the site's zone; a day of work may go past midnight.
import { ActionIcon, Button, Tooltip } from "@mantine/core";
import { IconPlus, IconZoomIn, IconZoomOut } from "@tabler/icons-react";
import { useElementSize } from "@mantine/hooks";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { useNow } from "@/components/now";
import { weekDay } from "@/components/times";
import { newRoute, type Board, type Shift } from "@/data/dispatch";
import { Mark } from "@/map/Mark";
import { lookIn, useBoard } from "./context";
import { at, Lane } from "./Lane";
import { HOUR, spanOf, ticksOf, type Span, type Tick } from "./lanes";
import { useMeasures } from "./measures";
import { stage } from "./stage";
import classes from "./Timeline.module.css";

const ZOOMS = [1, 1.6, 2.6, 4];
const STEPS_H = [1, 2, 3, 4, 6];
/** What the words of an hour need. */
const ROOM_PX = 44;

export function Timeline({ board }: { board: Board }) {
  const { t, i18n } = useTranslation("dispatch");
  const { zone, clock } = useMeasures();
  const [zoom, setZoom] = useState(0);
  const routes = useMemo(() => [...board.routes].sort((a, b) => a.vehicle.code.localeCompare(b.vehicle.code, "en", { numeric: true }) || Date.parse(a.starts_at) - Date.parse(b.starts_at)), [board.routes]);
  // The axis stays while its ends stay, so that lanes are not drawn again for a change of one route.
  const { from, until } = spanOf(board, zone);
  const span = useMemo(() => ({ from, until }), [from, until]);
  const hours = (until - from) / HOUR;
  const wide = ZOOMS[zoom] ?? 1;
  const { ref: track, width } = useElementSize<HTMLDivElement>();
  const step = width > 0 ? (STEPS_H.find((step) => (width / hours) * step >= ROOM_PX) ?? 12) : hours / wide > 16 ? 2 : 1;
  const ticks = useMemo(() => ticksOf(span, zone, step), [span, zone, step]);
  return (
    <section className={classes.timeline} aria-label={t("timeline")}>
      <div className={classes.scroller} data-scroller>
        <div className={classes.grid} role="grid" aria-label={t("timeline")} style={{ "--wide": wide } as React.CSSProperties}>
          <div className={classes.axis} role="row">
            <div className={classes.corner}>
              <Tooltip label={t("zoom_out")}>
                <ActionIcon size="sm" variant="subtle" color="gray" disabled={zoom === 0} onClick={() => setZoom(zoom - 1)} aria-label={t("zoom_out")}>
                  <IconZoomOut size={15} stroke={1.7} />
                </ActionIcon>
              </Tooltip>
              <Tooltip label={t("zoom_in")}>
                <ActionIcon size="sm" variant="subtle" color="gray" disabled={zoom === ZOOMS.length - 1} onClick={() => setZoom(zoom + 1)} aria-label={t("zoom_in")}>
                  <IconZoomIn size={15} stroke={1.7} />
                </ActionIcon>
              </Tooltip>
              <span className={classes.zone}>{zone}</span>
            </div>
            <div className={classes.hours} ref={track}>
              {ticks.filter((tick) => isWhole(tick, span)).map((tick) => (
                <span key={tick.at} className={classes.hour} style={{ left: at(span, tick.at) }} data-day={tick.day ?? undefined}>
                  {tick.day ? weekDay(tick.day, i18n.language) : clock(tick.at)}
                </span>
              ))}
            </div>
          </div>
          <div className={classes.lanes}>
            <div className={classes.lines} aria-hidden>
              {ticks.map((tick) => (
                <i key={tick.at} style={{ left: at(span, tick.at) }} data-day={tick.day ? true : undefined} />
              ))}
              <NowLine span={span} />
            </div>
            {routes.map((route) => (
              <Lane key={route.id} route={route} span={span} width={width} />
            ))}
            {board.free_shifts.map((shift) => (
              <FreeShift key={shift.id} shift={shift} span={span} />
            ))}
          </div>
        </div>
      </div>
    </section>
  );
}

/** Its label has room: at the very edge it would be cut. */
function isWhole({ at }: Tick, { from, until }: Span): boolean {
  const share = (at - from) / (until - from);
  return share > 0.02 && share < 0.985;
}

function NowLine({ span }: { span: Span }) {
  const now = useNow();
  if (now < span.from || now > span.until) return null;
  return <b className={classes.now} style={{ left: at(span, now) }} />;
}

/** A vehicle with a shift and nothing to drive yet. */
function FreeShift({ shift, span }: { shift: Shift; span: Span }) {
  const { t } = useTranslation("dispatch");
  const { mayPlan, looks } = useBoard();
  const { clock } = useMeasures();
  const create = useCommand(newRoute, { changes: ["deliveries"], onDone: (route) => stage.select(route.id, null) });
  return (
    <div className={classes.lane} data-free role="row">
      <div className={classes.name} role="rowheader">
        <Mark look={lookIn(looks, shift.vehicle_code)} size={15} hollow />
        <span className={classes.code}>{shift.vehicle_code}</span>
        <span className={classes.driver}>{shift.driver_name ?? t("no_driver")}</span>
      </div>
      <div className={classes.track} role="gridcell">
        <div className={classes.freeShift} style={{ left: at(span, Date.parse(shift.starts_at)), width: `${((Date.parse(shift.ends_at) - Date.parse(shift.starts_at)) / (span.until - span.from)) * 100}%` }}>
          <span>{t("free_shift", { from: clock(shift.starts_at), until: clock(shift.ends_at) })}</span>
          {mayPlan && (
            <Button size="compact-xs" variant="subtle" leftSection={<IconPlus size={12} />} loading={create.isPending} onClick={() => create.mutate({ shift_id: shift.id })}>
              {t("new_route")}
            </Button>
          )}
        </div>
      </div>
    </div>
  );
}

// The dispatcher's day: who drives where, who will be late, what is not planned and why. Map, timeline, lists and trays show
// the same board and follow one selection; `?show=map` and `?show=board` are the halves for two monitors.
import { ActionIcon, Button, Menu, TextInput, Tooltip } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { IconChevronLeft, IconChevronRight, IconDeviceDesktop, IconRoute } from "@tabler/icons-react";
import { useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { useFilter } from "@/components/filters";
import { Shape } from "@/components/State";
import { weekDay } from "@/components/times";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { boardQuery, jobQuery, openPlanQuery, routeQuery, startPlan, vehiclesQuery, type Board } from "@/data/dispatch";
import { useSite, useZone } from "@/data/site";
import { BoardView, type Shown } from "./BoardView";
import { dayAfter, dayIn } from "./lanes";
import { useMeasures } from "./measures";
import { jobOf, placeOf, tallyOf } from "./moves";
import { PlanBar } from "./PlanBar";
import { proposed } from "./proposal";
import { FLEET } from "./RoutesList";
import { stage } from "./stage";
import classes from "./Dispatch.module.css";

export default function Dispatch() {
  const { t } = useTranslation(["dispatch", "common"]);
  const site = useSite();
  useEffect(() => {
    document.title = `${t("title")} · Stowage`;
  }, [t]);
  // The day is the site's: wait for its zone.
  return site ? <Day /> : null;
}

function Day() {
  const { t } = useTranslation(["dispatch", "common"]);
  const zone = useZone();
  const may = useMay();
  const today = useToday(zone);
  const [day, setDay] = useFilter("day", today);
  const [show] = useFilter("show", "all");
  const shown: Shown = show === "map" || show === "board" ? show : "all";
  const [previewing, setPreviewing] = useState(false);
  const board = useQuery(boardQuery(day));
  const positions = useQuery(vehiclesQuery);
  const plan = useQuery(openPlanQuery(day));
  const start = useCommand(startPlan, { changes: ["deliveries"] });
  const open = plan.data ?? null;
  const preview = previewing && open?.state === "proposed";
  const seen = useMemo(() => (board.data && open && preview ? proposed(board.data, open) : board.data), [board.data, open, preview]);
  useAsked(seen);
  const planned = (board.data?.routes.length ?? 0) > 0;
  return (
    <section className={classes.screen} data-whole>
      <header className={classes.head}>
        <h1>{t("title")}</h1>
        <DayChoice day={day} today={today} onChange={setDay} />
        {board.data && <Figures board={board.data} />}
        <span className={classes.spacer} />
        <Windows day={day} shown={shown} />
        {may("dispatcher", "lead") && (
          <Button size="compact-md" leftSection={<IconRoute size={16} stroke={1.8} />} loading={start.isPending} disabled={open !== null && open.state !== "failed"} onClick={() => start.mutate({ day })}>
            {t(planned ? "replan" : "plan_day")}
          </Button>
        )}
      </header>
      {start.error && <ErrorState error={start.error} compact />}
      {open && <PlanBar plan={open} day={day} mayPlan={may("dispatcher", "lead")} previewing={preview} onPreview={setPreviewing} />}
      {preview && (
        <div className={classes.previewNote} role="status">
          {t("plan.previewing")}
        </div>
      )}
      <LiveView query={{ ...board, data: seen }} empty={(b) => noFleet(b) && <EmptyState title={t("no_vehicles")} next={t("no_vehicles_next")} action={{ label: t("add_vehicles"), to: FLEET }} />}>
        {(b) => <BoardView board={b} vehicles={positions.data?.items ?? b.vehicles} day={day} shown={shown} fixed={preview} />}
      </LiveView>
    </section>
  );
}

/** The site's calendar day; it changes at its midnight. */
function useToday(zone: string): string {
  const [today, setToday] = useState(() => dayIn(zone, Date.now()));
  useEffect(() => {
    const look = () => setToday(dayIn(zone, Date.now()));
    const timer = setInterval(look, 20_000);
    return () => clearInterval(timer);
  }, [zone]);
  return today;
}

const noFleet = (board: Board): boolean =>
  board.depots.length === 0 && board.routes.length === 0 && board.free_shifts.length === 0 && board.vehicles.length === 0 && board.trays.unplanned.length + board.trays.review.length + board.trays.unroutable.length === 0;

const ID = /^[0-9a-f-]{36}$/;

/** `?route=` (its id, or a vehicle's code) and `?job=` of a link open with that selected, on the day it belongs to. */
function useAsked(board: Board | undefined): void {
  const [params, setParams] = useSearchParams();
  const queries = useQueryClient();
  const route = params.get("route"), job = params.get("job");
  useEffect(() => {
    if (!board || (!route && !job)) return;
    let gone = false;
    const settle = (change: (next: URLSearchParams) => void) =>
      setParams((now) => {
        const next = new URLSearchParams(now);
        change(next);
        return next;
      }, { replace: true });
    const done = () => settle((next) => ["route", "job"].forEach((name) => next.delete(name)));
    const here = board.routes.find((one) => one.id === route || one.vehicle.code === route) ?? (job ? placeOf(board, job)?.route : undefined);
    if (here ?? (job && jobOf(board, job))) {
      stage.select(here?.id ?? null, job);
      done();
      return;
    }
    const find = async () => {
      const of = job && ID.test(job) ? (await queries.fetchQuery(jobQuery(job))).route_id : route && ID.test(route) ? route : null;
      const day = of ? (await queries.fetchQuery(routeQuery(of))).day : null;
      if (gone) return;
      if (day && day !== board.day) settle((next) => next.set("day", day));
      else done();
    };
    find().catch(done);
    return () => {
      gone = true;
    };
  }, [route, job, board, setParams, queries]);
}

function DayChoice({ day, today, onChange }: { day: string; today: string; onChange: (day: string) => void }) {
  const { t, i18n } = useTranslation("dispatch");
  return (
    <div className={classes.dayChoice}>
      <Tooltip label={t("day_before")}>
        <ActionIcon variant="default" size={30} aria-label={t("day_before")} onClick={() => onChange(dayAfter(day, -1))}>
          <IconChevronLeft size={16} stroke={1.8} />
        </ActionIcon>
      </Tooltip>
      <TextInput type="date" size="xs" aria-label={t("day")} value={day} required onChange={(event) => event.currentTarget.value && onChange(event.currentTarget.value)} />
      <Tooltip label={t("day_after")}>
        <ActionIcon variant="default" size={30} aria-label={t("day_after")} onClick={() => onChange(dayAfter(day, 1))}>
          <IconChevronRight size={16} stroke={1.8} />
        </ActionIcon>
      </Tooltip>
      <span className={classes.weekDay}>{weekDay(day, i18n.language)}</span>
      {day === today ? (
        <span className={classes.today}>{t("today")}</span>
      ) : (
        <Button size="compact-sm" variant="subtle" onClick={() => onChange(today)}>
          {t("today")}
        </Button>
      )}
    </div>
  );
}

function Figures({ board }: { board: Board }) {
  const { t } = useTranslation("dispatch");
  const { km } = useMeasures();
  const tally = tallyOf(board);
  return (
    <div className={classes.figures}>
      <span>
        <b>{tally.routes}</b> {t("routes", { count: tally.routes })}
      </span>
      <span>
        <b>{tally.done > 0 ? `${tally.done}/${tally.stops}` : tally.stops}</b> {t("figure_stops")}
      </span>
      <span>
        <b>{km(tally.km * 1000)}</b>
      </span>
      <span data-tone={tally.late > 0 ? "bad" : undefined}>
        <Shape tone={tally.late > 0 ? "bad" : "ok"} size={10} />
        <b>{tally.late}</b> {t("figure_late")}
      </span>
      <span data-tone={tally.waiting > 0 ? "warn" : undefined}>
        <Shape tone={tally.waiting > 0 ? "warn" : "ok"} size={10} />
        <b>{tally.waiting}</b> {t("figure_waiting")}
      </span>
    </div>
  );
}

function Windows({ day, shown }: { day: string; shown: Shown }) {
  const { t } = useTranslation("dispatch");
  const [, set] = useFilter("show", "all");
  const open = (what: Shown) => window.open(`/dispatch?day=${day}&show=${what}`, `stowage-${what}`, "popup,width=1440,height=900");
  return (
    <Menu position="bottom-end" shadow="md">
      <Menu.Target>
        <Tooltip label={t("windows")}>
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t("windows")}>
            <IconDeviceDesktop size={18} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          onClick={() => {
            open("map");
            set("board");
          }}
        >
          {t("map_apart")}
        </Menu.Item>
        {shown !== "all" && <Menu.Item onClick={() => set("all")}>{t("all_here")}</Menu.Item>}
        {shown !== "map" && <Menu.Item onClick={() => set("map")}>{t("only_map")}</Menu.Item>}
        {shown !== "board" && <Menu.Item onClick={() => set("board")}>{t("only_board")}</Menu.Item>}
      </Menu.Dropdown>
    </Menu>
  );
}

// What is on no route, and why: not planned, the address has to be reviewed, no road leads there.
import { Button, SegmentedControl, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { IconArrowRight, IconGripVertical, IconKeyboard, IconMapPin, IconSearch } from "@tabler/icons-react";
import { memo, useEffect, useRef, useState, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useCommand } from "@/api/command";
import { Goods } from "@/components/Goods";
import { Shape } from "@/components/State";
import { EmptyState, ErrorState, LoadingRows } from "@/components/views";
import { askAgain, pinJob, slotsQuery, type Board, type Job } from "@/data/dispatch";
import { addressesQuery } from "@/data/map";
import { sentence } from "@/i18n/sentences";
import { useBoard } from "./context";
import { dayIn } from "./lanes";
import { useMeasures } from "./measures";
import { verdictOf } from "./moves";
import { SlotLine } from "./SlotWords";
import { stage, useStage } from "./stage";
import classes from "./Dispatch.module.css";

const TRAYS = ["unplanned", "review", "unroutable"] as const;
type Tray = (typeof TRAYS)[number];

export function Trays({ board }: { board: Board }) {
  const { t } = useTranslation("dispatch");
  const [chosen, setChosen] = useState<Tray | null>(null);
  const [seen, setSeen] = useState<string | null>(null);
  const jobId = useStage((s) => s.jobId);
  const holding = TRAYS.find((tray) => board.trays[tray].some((job) => job.id === jobId));
  // A job selected elsewhere opens the tray it lies in, once.
  if (jobId !== seen) {
    setSeen(jobId);
    if (holding) setChosen(holding);
  }
  const tray = chosen ?? TRAYS.find((one) => board.trays[one].length > 0) ?? "unplanned";
  const over = useStage((s) => s.moving?.over === "tray");
  const jobs = board.trays[tray];
  return (
    <section className={classes.trays} data-tray data-over={over || undefined} aria-label={t("trays")}>
      <header className={classes.trayHead}>
        <SegmentedControl
          fullWidth
          value={tray}
          onChange={(value) => setChosen(value as Tray)}
          aria-label={t("trays")}
          data={TRAYS.map((one) => ({ value: one, label: t(`tray.${one}`, { n: board.trays[one].length }) }))}
        />
      </header>
      {over ? (
        <p className={classes.trayDrop}>{t("drop_in_tray")}</p>
      ) : jobs.length === 0 ? (
        <EmptyState title={t(`tray_empty.${tray}`)} tone="ok" />
      ) : (
        <ul className={classes.trayJobs} data-scroller>
          {jobs.map((job) => (
            <TrayJob key={job.id} job={job} tray={tray} />
          ))}
        </ul>
      )}
    </section>
  );
}

const TrayJob = memo(function TrayJob({ job, tray }: { job: Job; tray: Tray }) {
  const { t, i18n } = useTranslation(["dispatch", "common"]);
  const { mayPlan, moves } = useBoard();
  const { clock, kg, zone } = useMeasures();
  const chosen = useStage((s) => s.jobId === job.id);
  const near = useStage((s) => s.nearJobId === job.id);
  const picked = useStage((s) => s.picked.includes(job.id));
  const movable = mayPlan && tray !== "review" && job.lat !== null;
  const key = `dispatch:reason.${job.reason ?? ""}`;
  const reason = tray === "review" ? t("reason.unknown_address") : !job.reason ? t("reason.not_tried") : i18n.exists(key) ? t(key as "dispatch:reason.too_heavy") : job.reason.replaceAll("_", " ");
  const item = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (chosen) item.current?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  const onKey = (event: KeyboardEvent<HTMLElement>) => {
    if (event.target !== event.currentTarget) return;
    if (event.key === "Enter") {
      event.preventDefault();
      stage.select(stage.get().routeId, chosen ? null : job.id);
    } else if ((event.key === " " || event.key === "m") && movable) {
      event.preventDefault();
      event.stopPropagation();
      moves.pickUp(job, "keyboard");
    }
  };
  return (
    <li ref={item} className={classes.trayJob} data-chosen={chosen || undefined} data-near={near || undefined} data-picked={picked || undefined}>
      <div
        className={classes.trayLine}
        role="button"
        tabIndex={0}
        aria-expanded={chosen}
        data-job={job.id}
        data-movable={movable ? job.id : undefined}
        onClick={(event) => (event.shiftKey && movable ? stage.pickAlso(job.id) : stage.select(stage.get().routeId, chosen ? null : job.id))}
        onPointerEnter={() => stage.near(job.id)}
        onPointerLeave={() => stage.near(null)}
        onKeyDown={onKey}
      >
        <IconGripVertical className={classes.grip} size={14} stroke={1.7} aria-hidden />
        <span className={classes.stopWho}>
          <span className={classes.stopName}>
            <strong>{job.customer_name}</strong>
            <Goods of={job.skills} />
          </span>
          <span className="soft">{job.address}</span>
        </span>
        <span className={classes.stopWhen}>
          <b>
            {clock(job.window_from)}–{clock(job.window_until, dayIn(zone, Date.parse(job.window_from)))}
          </b>
          <span className="soft">{kg(job.weight_g)}</span>
        </span>
        <span className={classes.reason}>
          <Shape tone={job.reason || tray !== "unplanned" ? "warn" : "wait"} size={10} />
          {reason}
        </span>
      </div>
      {chosen && (
        <div className={classes.jobCard}>
          {job.detail !== "" && <p className={classes.detail}>{sentence(job.detail)}</p>}
          <p className={classes.small}>
            <Link to={`/orders/${job.order_id}`} className="quiet-link">
              {job.order_number}
            </Link>
            {" · "}
            {t("cartons", { count: job.cartons })}
            {job.attempt > 1 && ` · ${t("attempt_n", { n: job.attempt })}`}
            {job.goods_on_route_id !== null && ` · ${t("goods_aboard")}`}
          </p>
          {tray === "review" ? mayPlan && <PutPin job={job} /> : <WhyNot job={job} movable={movable} />}
        </div>
      )}
    </li>
  );
});

/** Why not, and what would it take: the cheapest slots there are, and sentences of what would have to give. */
function WhyNot({ job, movable }: { job: Job; movable: boolean }) {
  const { t } = useTranslation("dispatch");
  const { day, moves } = useBoard();
  const slots = useQuery({ ...slotsQuery(job.id, day), enabled: job.lat !== null });
  const queries = useQueryClient();
  if (job.lat === null) return null;
  if (slots.isPending) return <LoadingRows rows={2} />;
  if (slots.error || !slots.data) return <ErrorState error={slots.error} compact retry={() => void slots.refetch()} />;
  const board = queries.getQueryData<Board>(["delivery-board", day]);
  const order = { best: 0, good: 1, late: 2, forbidden: 3 } as const;
  const shown = [...slots.data.slots].filter((slot) => verdictOf(slot) !== "forbidden").sort((a, b) => order[verdictOf(a)] - order[verdictOf(b)] || a.extra_cents - b.extra_cents).slice(0, 3);
  return (
    <>
      {slots.data.what_would_it_take.length > 0 && (
        <div className={classes.takes}>
          <strong>{t("what_would_it_take")}</strong>
          <ul>
            {slots.data.what_would_it_take.map((way) => (
              <li key={way}>{sentence(way)}</li>
            ))}
          </ul>
        </div>
      )}
      {shown.length > 0 && (
        <ul className={classes.offers}>
          {shown.map((slot) => (
            <li key={`${slot.route_id}:${slot.position}`}>
              <span>
                <b>{board?.routes.find((route) => route.id === slot.route_id)?.vehicle.code}</b> {t("as_stop", { n: slot.position })}
              </span>
              <SlotLine slot={slot} />
              {movable && (
                <Button size="compact-xs" variant="light" rightSection={<IconArrowRight size={12} />} onClick={() => void moves.place(job, { routeId: slot.route_id, position: slot.position }, slot)}>
                  {t("put_there")}
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
      {movable && (
        <div className={classes.jobActions}>
          <Button size="compact-xs" variant="default" leftSection={<IconKeyboard size={13} />} onClick={() => moves.pickUp(job, "keyboard")}>
            {t("move")}
          </Button>
        </div>
      )}
    </>
  );
}

/** The map does not know the address: choose one that it knows, or put a pin. */
function PutPin({ job }: { job: Job }) {
  const { t } = useTranslation(["dispatch", "common"]);
  const { day } = useBoard();
  const queries = useQueryClient();
  const [q, setQ] = useState(job.address);
  const [asked, setAsked] = useState(job.address);
  const found = useQuery({ ...addressesQuery(asked), enabled: asked.trim() !== "" });
  const at = useStage((s) => (s.pin?.job.id === job.id ? s.pin.at : null));
  const pinning = useStage((s) => s.pin?.job.id === job.id);
  const save = useCommand(pinJob, {
    changes: ["deliveries"],
    onDone: () => {
      stage.become({ pin: null });
      void askAgain(queries, day);
    },
  });
  return (
    <div className={classes.pinForm}>
      <TextInput
        size="xs"
        leftSection={<IconSearch size={13} />}
        aria-label={t("find_address")}
        placeholder={t("find_address")}
        value={q}
        onChange={(event) => setQ(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && setAsked(q)}
        onBlur={() => setAsked(q)}
      />
      {found.data?.matches.map((match) => (
        <button type="button" key={match.label} className={classes.match} onClick={() => stage.become({ pin: { job, at: [match.lon, match.lat] } })}>
          <IconMapPin size={13} stroke={1.8} /> {match.label}
        </button>
      ))}
      {found.data?.matches.length === 0 && <p className={classes.small}>{t("no_address")}</p>}
      {save.error && <ErrorState error={save.error} compact />}
      <div className={classes.jobActions}>
        {!pinning && (
          <Button size="compact-xs" variant="default" leftSection={<IconMapPin size={13} />} onClick={() => stage.become({ pin: { job, at: null } })}>
            {t("put_pin")}
          </Button>
        )}
        {pinning && !at && <span className={classes.small}>{t("press_map")}</span>}
        {at && (
          <Button size="compact-xs" leftSection={<IconMapPin size={13} />} loading={save.isPending} onClick={() => save.mutate({ id: job.id, version: job.version, lon: at[0], lat: at[1] })}>
            {t("save_pin", { lat: at[1].toFixed(5), lon: at[0].toFixed(5) })}
          </Button>
        )}
        {pinning && (
          <Button size="compact-xs" variant="subtle" color="gray" onClick={() => stage.become({ pin: null })}>
            {t("common:action.cancel")}
          </Button>
        )}
      </div>
    </div>
  );
}

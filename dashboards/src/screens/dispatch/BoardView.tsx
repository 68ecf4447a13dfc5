// Map, timeline, stop list and trays of one day, and the one hand that moves stops between them: by pointer onto a slot, or
// by keyboard from slot to slot.
import { Button } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { DndContext, DragOverlay, PointerSensor, useDraggable, useSensor, useSensors, type DragStartEvent, type Modifier } from "@dnd-kit/core";
import { useEffect, useMemo, useRef, type PointerEvent as ReactPointerEvent, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Shape } from "@/components/State";
import type { Board, BoardVehicle, Route } from "@/data/dispatch";
import { looksOf } from "@/map/marks";
import { useMay } from "@/app/may";
import { BoardContext } from "./context";
import { BoardMap } from "./BoardMap";
import { timesOf } from "./lanes";
import { jobOf, nearest, others, positionAt } from "./moves";
import { RoutePanel } from "./RoutePanel";
import { RoutesList } from "./RoutesList";
import { SelectionBar } from "./Selection";
import { SlotCard } from "./SlotWords";
import { stage, useStage } from "./stage";
import { Timeline } from "./Timeline";
import { Trays } from "./Trays";
import { useMoves, type Moves, type Verdict } from "./useMoves";
import classes from "./Dispatch.module.css";

export type Shown = "all" | "map" | "board";

export function BoardView({ board, vehicles, day, shown, fixed }: { board: Board; vehicles: readonly BoardVehicle[]; day: string; shown: Shown; fixed: boolean }) {
  const { t } = useTranslation("dispatch");
  const may = useMay();
  const [moves, verdict] = useMoves(day);
  const mayPlan = may("dispatcher", "lead") && !fixed;
  const codes = [...board.routes.map((route) => route.vehicle.code), ...board.free_shifts.map((shift) => shift.vehicle_code), ...vehicles.map((one) => one.code)].join("|");
  const looks = useMemo(() => looksOf(codes.split("|")), [codes]);
  const tools = useMemo(() => ({ day, looks, mayPlan, moves }), [day, looks, mayPlan, moves]);
  const routeId = useStage((s) => s.routeId);
  const selected = board.routes.find((route) => route.id === routeId) ?? null;
  const sensors = useSensors(useSensor(StopSensor, { activationConstraint: { distance: 5 } }));
  usePointer(board.routes);
  useKeys(board.routes, moves);
  useEffect(() => () => stage.reset(), [day]);

  const start = ({ activatorEvent }: DragStartEvent) => {
    const job = jobOf(board, movableAt(activatorEvent) ?? "");
    if (job) moves.pickUp(job, "pointer");
  };
  // Lists and timeline first; the map draws what the backend made of a drop, not also what we took it for.
  const [mapped] = useDebouncedValue(board, 120);
  return (
    <BoardContext value={tools}>
      <DndContext
        sensors={sensors}
        onDragStart={start}
        onDragEnd={moves.putDown}
        onDragCancel={moves.letGo}
        autoScroll={{ threshold: { x: 0.08, y: 0.14 }, canScroll: (element) => element.hasAttribute("data-scroller") }}
        accessibility={{ announcements: SILENT, screenReaderInstructions: { draggable: t("keys_hint") } }}
      >
        <Hand shown={shown}>
          {shown !== "board" && <BoardMap board={mapped} vehicles={vehicles} />}
          {shown !== "map" && (
            <>
              <div className={classes.lanes}>
                <Timeline board={board} />
              </div>
              <aside className={classes.side}>
                <section className={classes.list} aria-label={t("list")}>
                  {selected ? <RoutePanel key={selected.id} route={selected} /> : <RoutesList board={board} />}
                </section>
                <Trays board={board} />
              </aside>
            </>
          )}
        </Hand>
        <DragOverlay dropAnimation={null} className={classes.overlay} modifiers={AT_POINTER}>
          <InHand />
        </DragOverlay>
        {mayPlan && <SelectionBar board={board} />}
        <MoveBar moves={moves} verdict={verdict} routes={board.routes} />
      </DndContext>
    </BoardContext>
  );
}

const movableAt = (event: Event): string | undefined => (event.target as Element | null)?.closest<HTMLElement>("[data-movable]")?.dataset["movable"];

/** Picks up whatever stop lies under the pointer. One for the whole board: a sensor on each of 300 stops would draw them all again with every drag. */
class StopSensor extends PointerSensor {
  static override activators = [
    { eventName: "onPointerDown" as const, handler: ({ nativeEvent }: ReactPointerEvent) => nativeEvent.isPrimary && nativeEvent.button === 0 && movableAt(nativeEvent) !== undefined },
  ];
}

function Hand({ shown, children }: { shown: Shown; children: ReactNode }) {
  const { setNodeRef, listeners } = useDraggable({ id: "hand" });
  return (
    <div ref={setNodeRef} {...listeners} className={classes.board} data-shown={shown}>
      {children}
    </div>
  );
}

/** What is dragged is the board's hand, so the card stands where the pointer is, not where the board begins. */
const AT_POINTER: Modifier[] = [
  ({ activatorEvent, activeNodeRect, transform }) => {
    if (!(activatorEvent instanceof PointerEvent) || !activeNodeRect) return transform;
    return { ...transform, x: transform.x + activatorEvent.clientX - activeNodeRect.left, y: transform.y + activatorEvent.clientY - activeNodeRect.top };
  },
];

const SILENT = { onDragStart: () => undefined, onDragOver: () => undefined, onDragEnd: () => undefined, onDragCancel: () => undefined };

/** What is under the pointer while dragging: a slot of a lane, a slot of the list, or the trays. */
function usePointer(routes: readonly Route[]): void {
  const known = useRef(routes);
  useEffect(() => {
    known.current = routes;
  });
  const dragging = useStage((s) => s.moving?.by === "pointer");
  useEffect(() => {
    if (!dragging) return;
    let frame = 0;
    const look = (x: number, y: number) => {
      const { moving } = stage.get();
      if (!moving) return;
      const found = document.elementFromPoint(x, y)?.closest<HTMLElement>("[data-lane], [data-list], [data-tray]");
      if (!found) return stage.over(null);
      if (found.hasAttribute("data-tray")) return stage.over(moving.from ? "tray" : null);
      const routeId = found.dataset["lane"] ?? found.dataset["list"] ?? "";
      const route = known.current.find((one) => one.id === routeId);
      if (!route) return stage.over(null);
      const wished = found.dataset["lane"] ? onLane(found, route, moving.job.id, x) : onList(found, y);
      const slots = moving.slots?.table.get(routeId);
      const slot = nearest(slots, wished);
      if (moving.slots && !slot) return stage.over(null);
      stage.over({ routeId, position: slot?.position ?? wished });
    };
    const move = (event: PointerEvent) => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => look(event.clientX, event.clientY));
    };
    const up = (event: PointerEvent) => {
      cancelAnimationFrame(frame);
      look(event.clientX, event.clientY);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up, { capture: true });
    return () => {
      cancelAnimationFrame(frame);
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up, { capture: true });
    };
  }, [dragging]);
}

function onLane(track: HTMLElement, route: Route, jobId: string, x: number): number {
  // The lane's own stops tell where their middles are, whatever the zoom.
  const box = track.getBoundingClientRect();
  const stops = others(route, jobId);
  const blocks = new Map([...track.querySelectorAll<HTMLElement>("[data-block]")].map((block) => [block.dataset["block"], block.getBoundingClientRect()]));
  const spans = stops.map((stop) => {
    const block = blocks.get(stop.job?.id);
    const times = timesOf(stop);
    return block ? { from: block.left, until: block.right } : { from: -Infinity, until: times.leave === 0 ? -Infinity : box.left };
  });
  // What has no block (a break) stands with the stop before it.
  spans.forEach((span, index) => {
    if (span.from === -Infinity) spans[index] = { from: spans[index - 1]?.until ?? box.left, until: spans[index - 1]?.until ?? box.left };
  });
  return positionAt(spans, x);
}

function onList(list: HTMLElement, y: number): number {
  let found = 1, distance = Infinity;
  for (const way of list.querySelectorAll<HTMLElement>("[data-position]")) {
    const box = way.getBoundingClientRect();
    const away = Math.abs((box.top + box.bottom) / 2 - y);
    if (away < distance) {
      distance = away;
      found = Number(way.dataset["position"]);
    }
  }
  return found;
}

/** Keys while a stop is in hand: left and right go through the slots of a route, up and down through the routes. */
function useKeys(routes: readonly Route[], moves: Moves): void {
  const known = useRef({ routes, moves });
  useEffect(() => {
    known.current = { routes, moves };
  });
  const carrying = useStage((s) => s.moving?.by === "keyboard");
  useEffect(() => {
    if (!carrying) return;
    const onKey = (event: KeyboardEvent) => {
      const { moving } = stage.get();
      if (!moving) return;
      const { routes, moves } = known.current;
      const table = moving.slots?.table;
      const open = [...routes].filter((route) => table?.has(route.id)).sort((a, b) => a.vehicle.code.localeCompare(b.vehicle.code, "en", { numeric: true }));
      const over = moving.over && moving.over !== "tray" ? moving.over : null;
      const stop = () => {
        event.preventDefault();
        event.stopPropagation();
      };
      const go = (route: Route | undefined, position: number) => {
        const slot = route && nearest(table?.get(route.id), position);
        if (route && slot) stage.over({ routeId: route.id, position: slot.position });
      };
      const step = event.key === "ArrowRight" || event.key === "ArrowDown" ? 1 : -1;
      if (event.key === "Escape") {
        stop();
        moves.letGo();
      } else if (event.key === "Enter" || event.key === " ") {
        stop();
        moves.putDown();
      } else if (event.key === "t" || event.key === "Delete") {
        stop();
        if (moving.from) stage.over("tray");
      } else if (event.key === "b") {
        stop();
        const best = moving.slots?.answer.slots.find((slot) => slot.best);
        if (best) stage.over({ routeId: best.route_id, position: best.position });
      } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
        stop();
        if (!over) return go(open[0], 1);
        const positions = [...(table?.get(over.routeId)?.keys() ?? [])].sort((a, b) => a - b);
        const next = positions[positions.indexOf(over.position) + step];
        if (next !== undefined) stage.over({ routeId: over.routeId, position: next });
      } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
        stop();
        if (!over) return go(open[0], 1);
        go(open[open.findIndex((route) => route.id === over.routeId) + step], over.position);
      }
    };
    window.addEventListener("keydown", onKey, { capture: true });
    return () => window.removeEventListener("keydown", onKey, { capture: true });
  }, [carrying]);
}

function useHand() {
  const moving = useStage((s) => s.moving);
  const over = moving?.over ?? null;
  const slot = over && over !== "tray" ? (moving?.slots?.table.get(over.routeId)?.get(over.position) ?? null) : null;
  return { moving, over, slot };
}

/** The stop under the pointer and what it would mean to let it go here. */
function InHand() {
  const { t } = useTranslation("dispatch");
  const { moving, over, slot } = useHand();
  if (moving?.by !== "pointer") return null;
  return (
    <div className={classes.hand}>
      <strong>{moving.job.customer_name}</strong>
      {over === "tray" ? <span>{t("drop_in_tray")}</span> : slot ? <SlotCard slot={slot} /> : moving.problem ? <span>{t("slots_failed")}</span> : !moving.slots ? <span className="soft">{t("asking_slots")}</span> : <span className="soft">{t("over_nothing")}</span>}
    </div>
  );
}

/** What waits for a word of the dispatcher, what was refused, what somebody else changed; and the keys while moving by them. */
function MoveBar({ moves, verdict, routes }: { moves: Moves; verdict: Verdict | null; routes: readonly Route[] }) {
  const { t } = useTranslation(["dispatch", "common"]);
  const { moving, over, slot } = useHand();
  const vehicle = over && over !== "tray" ? routes.find((route) => route.id === over.routeId)?.vehicle.code : null;
  if (moving?.by === "keyboard") {
    return (
      <div className={classes.moveBar} role="status" aria-live="assertive">
        <div className={classes.moveWords}>
          <strong>{t("moving", { who: moving.job.customer_name })}</strong>
          {over === "tray" ? <span>{t("drop_in_tray")}</span> : over ? <span>{t("onto", { vehicle, n: over.position })}</span> : <span className="soft">{moving.slots ? t("choose_slot") : t("asking_slots")}</span>}
          {slot && <SlotCard slot={slot} />}
        </div>
        <span className={classes.keys}>{t("keys")}</span>
      </div>
    );
  }
  if (!verdict) return null;
  return (
    <div className={classes.moveBar} role="alert" data-tone={verdict.kind === "sure" ? "warn" : "bad"}>
      <Shape tone={verdict.kind === "sure" ? "warn" : "bad"} size={16} />
      <div className={classes.moveWords}>
        <strong>{t(`verdict.${verdict.kind}`, { who: verdict.job.customer_name })}</strong>
        {verdict.kind === "clash" ? (
          <>
            {verdict.clashes.length === 0 && <span>{verdict.detail}</span>}
            {verdict.clashes.map((clash) => (
              <span key={clash.route}>
                <b>{clash.route}</b>{" "}
                {[clash.come.length > 0 && t("clash.come", { who: clash.come.join(", ") }), clash.gone.length > 0 && t("clash.gone", { who: clash.gone.join(", ") }), clash.reordered && t("clash.reordered")].filter(Boolean).join(" · ")}
              </span>
            ))}
          </>
        ) : (
          verdict.reasons.map((reason) => <span key={reason}>{reason}</span>)
        )}
      </div>
      {verdict.kind === "sure" && (
        <Button size="compact-sm" color="orange" autoFocus onClick={() => void moves.place(verdict.job, verdict.target, null, true)}>
          {t("anyway")}
        </Button>
      )}
      <Button size="compact-sm" variant="default" onClick={moves.forget}>
        {t(verdict.kind === "sure" ? "common:action.cancel" : "common:action.close")}
      </Button>
    </div>
  );
}

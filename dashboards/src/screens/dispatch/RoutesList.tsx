// Who drives where: every route in a line, while none is selected.
import { useTranslation } from "react-i18next";
import { IconChevronRight } from "@tabler/icons-react";
import { Shape, State } from "@/components/State";
import { EmptyState } from "@/components/views";
import type { Board, Route } from "@/data/dispatch";
import { Mark } from "@/map/Mark";
import { lookIn, useBoard } from "./context";
import { useMeasures } from "./measures";
import { isLate } from "./moves";
import { stage } from "./stage";
import classes from "./Dispatch.module.css";

export function RoutesList({ board }: { board: Board }) {
  const { t } = useTranslation("dispatch");
  if (board.routes.length === 0) return <EmptyState title={t("no_routes")} next={board.free_shifts.length > 0 ? t("no_routes_next") : t("no_shifts_next")} action={board.free_shifts.length > 0 ? undefined : { label: t("add_shifts"), to: SHIFTS }} />;
  return (
    <ul className={classes.routes}>
      {board.routes.map((route) => (
        <RouteLine key={route.id} route={route} />
      ))}
    </ul>
  );
}

/** Where depots come from, then vehicles, then shifts. */
export const FLEET = "/settings/depots";
const SHIFTS = "/settings/shifts";

function RouteLine({ route }: { route: Route }) {
  const { t } = useTranslation("dispatch");
  const { looks, day } = useBoard();
  const { km, clock } = useMeasures();
  const stops = route.stops.filter((stop) => stop.kind === "delivery" || stop.kind === "take_over");
  const done = stops.filter((stop) => stop.state === "done" || stop.state === "failed").length;
  const late = stops.filter((stop) => isLate(stop) && stop.state === "planned").length;
  return (
    <li>
      <button type="button" className={classes.routeLine} onClick={() => stage.select(route.id, null)}>
        <Mark look={lookIn(looks, route.vehicle.code)} size={18} />
        <span className={classes.routeName}>
          <strong>{route.vehicle.code}</strong>
          <span className="soft">{route.driver?.name ?? t("no_driver")}</span>
        </span>
        <span className={classes.routeFacts}>
          <State value={route.state} group="dispatch:route_state" label={t(`route_state.${route.state}`)} tone={ROUTE_TONES[route.state]} />
          <span className="soft">
            {route.state === "broken_down" ? stops.length > 0 && t("done_of", { done, all: stops.length })
              : `${route.departed_at ? t("done_of", { done, all: stops.length }) : t("stops", { count: stops.length })} · ${km(route.distance_m)} · ${t("back_at", { at: clock(route.eta_back_at ?? route.ends_at, day) })}`}
          </span>
        </span>
        {late > 0 && (
          <span className={classes.lateBadge}>
            <Shape tone="bad" size={10} />
            {t("late_stops", { count: late })}
          </span>
        )}
        <IconChevronRight size={15} stroke={1.6} className="soft" aria-hidden />
      </button>
    </li>
  );
}

export const ROUTE_TONES = {
  draft: "wait", released: "busy", loading: "busy", under_way: "ok", back: "ok", finished: "ok", cancelled: "off", broken_down: "bad",
} as const;

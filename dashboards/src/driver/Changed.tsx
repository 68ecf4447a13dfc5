// A route that was planned anew while it is driven: what is new is said at the edge and stays until the driver has seen it.
import { IconRoute } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { DriverRoute } from "@/data/driver";
import { signal } from "@/handheld/signals";
import { changeOf, type StopNow } from "./route";
import classes from "./Driver.module.css";

const keyOf = (routeId: string) => `stowage.driver.known.${routeId}`;

function known(routeId: string): string[] | null {
  try {
    return JSON.parse(localStorage.getItem(keyOf(routeId)) ?? "null") as string[] | null;
  } catch {
    return null;
  }
}

export function Changed({ route, stops }: { route: DriverRoute; stops: StopNow[] }) {
  const { t } = useTranslation("driver");
  const [before, setBefore] = useState(() => known(route.id));
  const ids = stops.map((stop) => stop.id);
  const accept = () => {
    localStorage.setItem(keyOf(route.id), JSON.stringify(ids));
    setBefore(ids);
  };
  const change = before === null ? null : changeOf(before, stops);
  const text = change && JSON.stringify([change.added.map((stop) => stop.id), change.removed, change.moved.map((stop) => stop.id)]);
  useEffect(() => {
    // The first look is the route as it was given.
    if (before === null && stops.length > 0) localStorage.setItem(keyOf(route.id), JSON.stringify(stops.map((stop) => stop.id)));
  }, [before, route.id, stops]);
  useEffect(() => {
    if (text) signal("warn");
  }, [text]);
  if (before === null && stops.length > 0) setBefore(ids);
  if (!change) return null;
  const rows = [...change.added.map((stop) => ({ stop, word: t("change.new") })), ...change.moved.map((stop) => ({ stop, word: t("change.moved") }))];
  return (
    <section className={classes.changed} role="status" data-testid="changed">
      <header>
        <IconRoute size={28} />
        <strong>{t("change.title")}</strong>
      </header>
      <p>
        {[
          change.added.length > 0 && t("change.added", { count: change.added.length }),
          change.removed.length > 0 && t("change.removed", { count: change.removed.length }),
          change.moved.length > 0 && t("change.moved", { count: change.moved.length }),
        ].filter(Boolean).join(" · ")}
      </p>
      <ul>
        {rows.slice(0, 4).map(({ stop, word }) => (
          <li key={stop.id}><b>{word}</b> {stop.position}. {stop.job?.customer_name ?? t(`outcome.${stop.kind === "delivery" ? "open" : stop.kind}`)}</li>
        ))}
      </ul>
      <button type="button" className={classes.side} data-strong data-testid="change-accept" onClick={accept}>{t("change.accept")}</button>
    </section>
  );
}

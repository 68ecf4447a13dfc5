// Today's routes of the one who drives. Where there is one that is under way, it is the only thing to press.
import { IconChevronRight, IconLanguage, IconLogout, IconMoon, IconSun, IconTruckDelivery } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { newKey } from "@/api/command";
import { useSession } from "@/api/session";
import { myRoutesQuery, type DriverRoute } from "@/data/driver";
import { logOut } from "@/data/people";
import { setScheme, shownScheme } from "@/design/scheme";
import { speak } from "@/i18n";
import { Banners } from "./Banners";
import { isAhead } from "./route";
import { useClock, useProblemSentence } from "./say";
import { useOutbox } from "./useOutbox";
import classes from "./Driver.module.css";

const ORDER: Record<DriverRoute["state"], number> = { under_way: 0, back: 1, loading: 2, released: 3, broken_down: 4, draft: 5, finished: 6, cancelled: 7 };

export function Home() {
  const { t, i18n } = useTranslation("driver");
  const user = useSession()?.user;
  const [scheme, choose] = useState(shownScheme);
  const routes = useQuery(myRoutesQuery);
  const { outbox, state } = useOutbox();
  const say = useProblemSentence();
  const sorted = [...(routes.data ?? [])].sort((a, b) => ORDER[a.state] - ORDER[b.state] || a.starts_at.localeCompare(b.starts_at));
  const paint = () => {
    const next = scheme === "dark" ? "light" : "dark";
    setScheme(next);
    choose(next);
  };
  return (
    <main className={classes.screen} data-testid="driver-home">
      <header className={classes.bar}>
        <h1>{t("home.hello", { name: user?.name ?? "" })}</h1>
        <button type="button" className={classes.plain} data-testid="theme" onClick={paint} aria-label={t(scheme === "dark" ? "home.light" : "home.dark")}>
          {scheme === "dark" ? <IconSun size={26} /> : <IconMoon size={26} />}
        </button>
        <button type="button" className={classes.plain} data-testid="language" onClick={() => void speak(i18n.language === "zh" ? "en" : "zh")} aria-label={t("home.other_language")}>
          <IconLanguage size={28} />
        </button>
        <button type="button" className={classes.plain} data-testid="log-out" onClick={() => void logOut({ "idempotency-key": newKey() })} aria-label={t("home.log_out")}>
          <IconLogout size={26} />
        </button>
      </header>
      <Banners outbox={outbox} state={state} query={routes} />
      <div className={classes.body}>
        {routes.isPending && <p className={classes.hint} role="status">{t("home.loading")}</p>}
        {!routes.data && routes.error && (
          <div className={classes.empty} role="alert">
            <strong>{t("home.failed")}</strong>
            <p>{say(routes.error)}</p>
            <button type="button" className={classes.side} onClick={() => void routes.refetch()}>{t("home.retry")}</button>
          </div>
        )}
        {routes.data && sorted.length === 0 && (
          <div className={classes.empty} data-testid="no-routes">
            <IconTruckDelivery size={84} stroke={1.2} />
            <strong>{t("home.none")}</strong>
            <p>{t("home.none_next")}</p>
          </div>
        )}
        {sorted.map((route) => <RouteCard key={route.id} route={route} />)}
      </div>
    </main>
  );
}

const WORD: Record<DriverRoute["state"], "load" | "go_on" | "unload" | "look"> = {
  draft: "look", released: "load", loading: "load", under_way: "go_on", back: "unload", finished: "look", cancelled: "look", broken_down: "look",
};

function RouteCard({ route }: { route: DriverRoute }) {
  const { t } = useTranslation("driver");
  const clock = useClock();
  const deliveries = route.stops.filter((stop) => stop.kind === "delivery");
  const left = deliveries.filter(isAhead).length;
  const over = WORD[route.state] === "look";
  return (
    <Link to={`/driver/${route.id}`} className={classes.routeCard} data-testid={`route-${route.number}`} data-over={over || undefined}>
      <span className={classes.routeHead}>
        <strong>{route.vehicle.code}</strong>
        <span>{[route.vehicle.plate, route.number].filter(Boolean).join(" · ")}</span>
      </span>
      <span className={classes.routeFacts}>
        <b>{clock(route.starts_at)} – {clock(route.ends_at)}</b>
        <span>{t("home.stops", { count: deliveries.length })} · {t("home.cartons", { count: route.cartons })}</span>
      </span>
      <span className={classes.progress} aria-hidden>
        <span style={{ width: `${deliveries.length > 0 ? (100 * (deliveries.length - left)) / deliveries.length : 0}%` }} />
      </span>
      <span className={classes.routeGo} data-strong={!over || undefined}>
        {t(`home.${WORD[route.state]}`)}
        <IconChevronRight size={24} />
      </span>
    </Link>
  );
}

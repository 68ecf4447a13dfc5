// The next stop: where, until when, what to know, and the way there.
import { IconChevronUp, IconDots, IconNavigation, IconPhone } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Goods } from "@/components/Goods";
import { NAVIGATION_APPS, chooseApp, chosenApp, linkTo, type Target } from "../navigate";
import { lateMinutes, takenOverWith, type StopNow } from "../route";
import { useClock } from "../say";
import type { StepProps } from "./step";
import classes from "../Driver.module.css";

export function DriveStep({ route, stops, stop, number, own, onOrder, act, say }: StepProps & { stop: StopNow; number: number; own: boolean; onOrder: () => void }) {
  const { t } = useTranslation("driver");
  const clock = useClock();
  const { job } = stop;
  const all = stops.filter((one) => one.kind !== "break").length;
  const arrival = stop.eta_at ?? stop.planned_arrival_at;
  const late = lateMinutes(stop);
  const fetches = stop.kind === "take_over";
  const early = job !== null && Date.parse(arrival) < Date.parse(job.window_from) - 60_000;
  const target: Target = job ? { lat: stop.lat ?? job.lat, lon: stop.lon ?? job.lon, label: (fetches && job.stands_in) || job.customer_name } : { lat: route.depot.lat, lon: route.depot.lon, label: route.depot.name };
  const [street, town] = !job ? [route.depot.name, route.depot.address]
    : fetches ? [[job.stands_in, job.stands_in_plate].filter(Boolean).join(" · "), t("drive.stands_at", { at: `${target.lat.toFixed(5)}, ${target.lon.toFixed(5)}` })] : addressLines(job.address);
  const phone = job && !fetches ? job.phone : "";
  const arrive = () => {
    act({ kind: "arrive", stop_id: stop.id, body: { occurred_at: new Date().toISOString() } });
    say({ tone: "good", title: t("answer.arrived") });
  };
  return (
    <>
      <div className={classes.body}>
        <p className={classes.small}>
          <b>{stop.kind === "take_over" ? t("drive.take_over") : stop.kind === "reload" ? t("outcome.reload") : t("drive.next")}</b> {t("drive.of", { n: number, all })}
        </p>
        {own && <button type="button" className={classes.link} onClick={onOrder}>{t("drive.elsewhere")}</button>}
        <section className={classes.where}>
          <h2 data-testid="address" data-long={street.length > 14 || undefined}>{together(street)}</h2>
          <p>{town}</p>
          <strong data-testid="customer">{fetches ? t("drive.for", { who: takenOverWith(stops, stop).map((one) => one.job?.customer_name).join(", ") }) : job?.customer_name}</strong>
        </section>
        <section className={classes.times} data-tone={late > 0 ? "bad" : undefined}>
          <div>
            <small>{t(route.eta_by === "position" ? "drive.eta" : "drive.eta_about")}</small>
            <strong data-testid="eta">{clock(arrival)}</strong>
          </div>
          {job && !fetches && (
            <div>
              <small>{t("drive.promised")}</small>
              <span data-testid="window">{clock(job.window_from)} – {clock(job.window_until)}</span>
              <b data-tone={late > 0 ? "bad" : "good"}>{late > 0 ? t("drive.late", { n: late }) : early ? t("drive.early", { time: clock(job.window_from) }) : t("drive.in_time")}</b>
            </div>
          )}
        </section>
        {job && !fetches && job.note !== "" && (
          <section className={classes.note} data-testid="note">
            <small>{t("drive.note")}</small>
            <p>{job.note}</p>
          </section>
        )}
        {job && !fetches && (
          <p className={classes.small}>
            {t("home.cartons", { count: job.cartons.length })}
            {job.weight_g > 0 && ` · ${t("drive.weight", { kg: kilograms(job.weight_g) })}`}
            {` · ${t("drive.order", { number: job.order_number })}`}
            {job.attempt > 1 && ` · ${t("drive.attempt", { n: job.attempt })}`} <Goods of={job.skills} />
          </p>
        )}
      </div>
      <footer className={classes.thumb}>
        <div className={classes.sides} data-ratio={phone ? "way" : undefined}>
          <Navigate target={target} />
          {phone && (
            <a className={classes.side} href={`tel:${phone.replace(/[^+\d]/g, "")}`} data-testid="call">
              <IconPhone size={26} />
              {t("drive.call")}
            </a>
          )}
        </div>
        <button type="button" className={classes.main} data-testid="arrived" onClick={arrive}>{t("drive.arrived")}</button>
      </footer>
    </>
  );
}

export function Navigate({ target }: { target: Target }) {
  const { t } = useTranslation("driver");
  const [app, setApp] = useState(chosenApp);
  const [open, setOpen] = useState(false);
  return (
    <div className={classes.navigate}>
      <a className={classes.side} href={linkTo(app, target)} target={app === "geo" ? undefined : "_blank"} rel="noreferrer" data-testid="navigate" data-app={app}>
        <IconNavigation size={26} />
        {t("drive.navigate")}
      </a>
      <button type="button" className={classes.side} data-testid="navigate-other" aria-expanded={open} onClick={() => setOpen(!open)} aria-label={t("drive.other_app")}>
        {open ? <IconChevronUp size={26} /> : <IconDots size={26} />}
      </button>
      {open && (
        <ul className={classes.apps}>
          {NAVIGATION_APPS.map((one) => (
            <li key={one}>
              <button type="button" className={classes.side} data-testid={`app-${one}`} aria-pressed={one === app} onClick={() => {
                chooseApp(one);
                setApp(one);
                setOpen(false);
              }}>
                {t(`drive.app.${one}`)}
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Street and number stand large; the postcode and the city below. */
function addressLines(address: string): [string, string] {
  const [first = "", ...rest] = address.split(",");
  return [first.trim(), rest.join(",").trim()];
}

/** A house number stays with the end of its street. */
const together = (street: string): string => street.replace(/\s+(?=\S*\d\S*$)/, "\u00a0");

export const kilograms = (weight_g: number): string => (weight_g / 1000).toLocaleString("en", { maximumFractionDigits: 1 });

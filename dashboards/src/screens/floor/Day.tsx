// The day's flow against its plan, what waits, what is wrong, who works: each line leads to the list behind it.
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { Bar } from "@/components/facts";
import { groupDigits } from "@/components/numbers";
import { Quantity, useUnit } from "@/components/Quantity";
import { Shape, useWord, type Tone } from "@/components/State";
import { Age } from "@/components/Time";
import { overviewQuery, type Floor } from "@/data/floor";
import { sentence } from "@/i18n/sentences";
import classes from "./Day.module.css";

export function Day({ floor }: { floor: Floor }) {
  return (
    <>
      <Flow floor={floor} />
      <Waiting floor={floor} />
      <Alerts floor={floor} />
      <People floor={floor} />
      <Health />
    </>
  );
}

function Flow({ floor: { today } }: { floor: Floor }) {
  const { t } = useTranslation(["floor", "common"]);
  const rows = [
    { key: "received", part: today.received, plan: today.received_plan, to: "/receipts" },
    { key: "put_away", part: today.put_away, plan: today.received, to: "/movements?cause_kind=putaway" },
    { key: "picked", part: today.picked, plan: today.picked_plan, to: "/movements?cause_kind=pick" },
    { key: "shipped", part: today.shipped, plan: today.shipped_plan, to: "/orders?tab=shipments" },
  ] as const;
  return (
    <section className={classes.card}>
      <h2>{t("today")}</h2>
      {rows.map((row) => {
        const part = Number(row.part);
        const plan = Number(row.plan);
        return (
          <Link key={row.key} to={row.to} className={classes.flow}>
            <span className={classes.name}>{t(`flow.${row.key}`)}</span>
            <span className={classes.number}>
              <Quantity value={row.part} />
              {plan > 0 && <span className={classes.plan}> / {groupDigits(row.plan)}</span>}
            </span>
            <Bar part={part} whole={Math.max(plan, part)} tone={plan > 0 && part >= plan ? "ok" : "busy"} label={plan > 0 ? t("of_plan", { percent: Math.round((100 * part) / plan) }) : undefined} />
          </Link>
        );
      })}
      <p className={classes.foot}>{t("orders_today", { shipped: today.orders_shipped, due: today.orders_due })}</p>
    </section>
  );
}

function Waiting({ floor: { today } }: { floor: Floor }) {
  const { t } = useTranslation("floor");
  const rows: { key: "open_receipts" | "putaway_waiting" | "picks_waiting" | "discrepancies_open" | "postings_waiting" | "postings_parked"; to: string; tone: (n: number) => Tone }[] = [
    { key: "open_receipts", to: "/receipts", tone: (n) => (n > 0 ? "busy" : "ok") },
    { key: "putaway_waiting", to: "/receipts?tab=putaway", tone: (n) => (n > 0 ? "wait" : "ok") },
    { key: "picks_waiting", to: "/orders", tone: (n) => (n > 0 ? "wait" : "ok") },
    { key: "discrepancies_open", to: "/discrepancies", tone: (n) => (n > 0 ? "warn" : "ok") },
    { key: "postings_waiting", to: "/outbox", tone: (n) => (n > 0 ? "wait" : "ok") },
    { key: "postings_parked", to: "/outbox?state=parked", tone: (n) => (n > 0 ? "bad" : "ok") },
  ];
  return (
    <section className={classes.card}>
      <h2>{t("waiting")}</h2>
      {rows.map(({ key, to, tone }) => (
        <Link key={key} to={to} className={classes.row}>
          <Shape tone={tone(today[key])} />
          <span>{t(`wait.${key}`)}</span>
          <strong>{today[key]}</strong>
        </Link>
      ))}
    </section>
  );
}

function Alerts({ floor: { alerts } }: { floor: Floor }) {
  const { t } = useTranslation("floor");
  return (
    <section className={classes.card}>
      <h2>{t("alerts")}</h2>
      {alerts.length === 0 && (
        <p className={classes.calm}>
          <Shape tone="ok" /> {t("no_alerts")}
        </p>
      )}
      {alerts.slice(0, 6).map((alert) => (
        <Link key={alert.id} to="/devices?tab=alerts" className={classes.alert}>
          <Shape tone={alert.acknowledged ? "warn" : "bad"} />
          <span>{sentence(alert.message)}</span>
          <span className={classes.when}>
            <Age at={alert.opened_at} />
          </span>
        </Link>
      ))}
      {alerts.length > 6 && <Link to="/devices?tab=alerts">{t("more_alerts", { n: alerts.length - 6 })}</Link>}
    </section>
  );
}

function People({ floor: { people } }: { floor: Floor }) {
  const { t } = useTranslation("floor");
  const word = useWord();
  return (
    <section className={classes.card}>
      <h2>{t("people")}</h2>
      {people.length === 0 && <p className={classes.calm}>{t("no_people")}</p>}
      {people.slice(0, 8).map((person) => (
        <div key={person.actor} className={classes.row}>
          <span className={classes.face}>{(person.actor.split(":").at(-1) ?? "").slice(0, 2).toUpperCase()}</span>
          <span className={classes.doing}>
            {word("floor:doing", person.doing)} <span className="soft">{person.label}</span>
          </span>
          <span className={classes.when}>
            <Age at={person.at} />
          </span>
        </div>
      ))}
    </section>
  );
}

function Health() {
  const { t } = useTranslation("floor");
  const unit = useUnit();
  const overview = useQuery(overviewQuery);
  if (!overview.data) return null;
  return (
    <section className={classes.card}>
      <h2>{t("health", { days: overview.data.days })}</h2>
      {overview.data.kpis.map((kpi) => (
        <div key={kpi.name} className={classes.row}>
          <span>{t(`kpi.${kpi.name}` as "kpi.stock_accuracy")}</span>
          <strong title={t("made_of", { n: kpi.of })}>{kpi.value === null ? "–" : `${groupDigits(kpi.value)} ${unit(kpi.unit)}`}</strong>
        </div>
      ))}
    </section>
  );
}

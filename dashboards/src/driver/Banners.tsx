// What the driver must know beside the one instruction: no network, old data, and what Stowage did not take.
import { IconAlertOctagon, IconCloudOff } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useAge } from "@/components/Time";
import type { DriverRoute } from "@/data/driver";
import type { Action, Outbox, OutboxState } from "./outbox";
import { shortSscc, useRefusal } from "./say";
import classes from "./Driver.module.css";

interface BannersProps {
  outbox: Outbox | null;
  state: OutboxState;
  query: { data: unknown; error: unknown; dataUpdatedAt: number };
  route?: DriverRoute;
}

export function Banners({ outbox, state, query, route }: BannersProps) {
  const { t } = useTranslation("driver");
  const age = useAge(query.dataUpdatedAt ? new Date(query.dataUpdatedAt).toISOString() : null);
  const cutOff = state.cutOffSince !== null && state.pending.length > 0;
  return (
    <>
      {cutOff && (
        <p className={classes.banner} data-tone="warn" role="status" data-testid="cut-off">
          <IconCloudOff size={26} />
          {t("net.cut_off", { count: state.pending.length })}
        </p>
      )}
      {!cutOff && query.error !== null && query.data !== undefined && (
        <p className={classes.banner} data-tone="warn" role="status" data-testid="stale">
          <IconCloudOff size={26} />
          {t("net.no_answer", { age })}
        </p>
      )}
      {!state.keeps && state.pending.length > 0 && <p className={classes.banner} data-tone="warn" role="status">{t("net.not_kept")}</p>}
      {state.refused.map((action) => <Refused key={action.id} action={action} outbox={outbox} route={route} />)}
    </>
  );
}

/** A proof that was not taken: it stays on this phone until the driver decides. */
function Refused({ action, outbox, route }: { action: Action; outbox: Outbox | null; route: DriverRoute | undefined }) {
  const { t } = useTranslation("driver");
  const refusal = useRefusal();
  const [sure, setSure] = useState(false);
  useEffect(() => {
    if (!sure) return;
    const timer = setTimeout(() => setSure(false), 4000);
    return () => clearTimeout(timer);
  }, [sure]);
  if (!action.refused) return null;
  const { detail } = refusal(action.refused, action.code);
  const stop = route?.stops.find((one) => one.id === action.stop_id);
  return (
    <section className={classes.banner} data-tone="bad" role="alert" data-testid="not-taken">
      <IconAlertOctagon size={28} />
      <div>
        <strong>{t("net.refused_title")}: {t(`action.${action.kind}`, { what: stop?.job?.customer_name ?? (action.code ? shortSscc(action.code) : "") })}</strong>
        <p>{detail}</p>
        <div className={classes.bannerActions}>
          <button type="button" onClick={() => void outbox?.again(action.id)} data-testid="not-taken-again">{t("net.again")}</button>
          <button type="button" onClick={() => (sure ? void outbox?.drop(action.id) : setSure(true))} data-testid="not-taken-drop">{t(sure ? "net.drop_sure" : "net.drop")}</button>
        </div>
      </div>
    </section>
  );
}

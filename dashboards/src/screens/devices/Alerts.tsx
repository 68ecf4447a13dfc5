// What is wrong: newest first, acknowledged by whom, closed when it was over.
import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { Actor } from "@/components/Actor";
import { DataTable, type Column } from "@/components/DataTable";
import { Choice, useFilter } from "@/components/filters";
import { PlaceLink } from "@/components/MovementTable";
import { Panel } from "@/components/Page";
import { State, useWord, type Tone } from "@/components/State";
import { Time } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { acknowledge, alertsQuery, type Alert } from "@/data/alerts";
import { useList } from "@/data/queries";
import { sentence } from "@/i18n/sentences";

const TONE: Record<Alert["severity"], Tone> = { info: "busy", warning: "warn", critical: "bad" };

export function Alerts({ deviceId }: { deviceId?: string }) {
  const { t } = useTranslation(["devices", "common"]);
  const word = useWord();
  const may = useMay();
  const [state] = useFilter("alert", deviceId ? "all" : "open");
  const list = useList(alertsQuery({ state: state === "all" ? undefined : (state as "open"), device_id: deviceId }));
  const see = useCommand(acknowledge, { changes: ["alerts"] });
  const columns: Column<Alert>[] = [
    { key: "severity", header: t("severity"), cell: (a) => <State value={a.severity} group="devices:severity_word" tone={a.state === "closed" ? "off" : TONE[a.severity]} /> },
    { key: "kind", header: t("common:field.kind"), cell: (a) => word("devices:alert", a.kind) },
    { key: "message", header: t("what"), wrap: true, cell: (a) => <>{sentence(a.message)}{a.kind === "job_failed" && may("integrator") && <> <Link className="quiet-link" to="/outbox?tab=work">{t("look_at_work")}</Link></>}</> },
    ...(deviceId ? [] : [{ key: "device", header: t("common:field.device"), cell: (a: Alert) => (a.device_id && a.device ? <Link className="quiet-link" to={`/devices/${a.device_id}`}>{a.device}</Link> : <span className="soft">–</span>) }]),
    { key: "place", header: t("common:field.place"), cell: (a) => <PlaceLink id={a.place_id} code={a.place} /> },
    { key: "opened", header: t("since"), cell: (a) => <Time at={a.opened_at} age /> },
    { key: "seen", header: t("seen_by"), cell: (a) => (a.acknowledged_by ? <Actor actor={a.acknowledged_by} /> : <span className="soft">–</span>) },
    { key: "closed", header: t("over"), cell: (a) => <Time at={a.closed_at} /> },
    { key: "act", header: "", align: "right", cell: (a) => a.state === "open" && (
      <Button size="compact-xs" variant="light" loading={see.isPending && see.variables === a.id} onClick={() => see.mutate(a.id)}>
        {t("acknowledge")}
      </Button>
    ) },
  ];
  return (
    <>
      {!deviceId && <Choice name="alert" fallback="open" options={[{ value: "open", label: t("open") }, { value: "acknowledged", label: t("acknowledged") }, { value: "closed", label: t("closed") }, { value: "all", label: t("common:action.all") }]} />}
      {see.error && <ErrorState error={see.error} compact />}
      <Panel flush title={deviceId ? t("tab.alerts") : undefined}>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState tone="ok" title={t("no_alerts")} next={deviceId ? undefined : t("no_alerts_next")} />}>
          {(rows) => <DataTable label={t("tab.alerts")} rows={rows} columns={columns} rowKey={(a) => a.id} tone={(a) => (a.state === "open" ? (a.severity === "critical" ? "bad" : "warn") : undefined)} more={list.more} />}
        </LiveView>
      </Panel>
    </>
  );
}

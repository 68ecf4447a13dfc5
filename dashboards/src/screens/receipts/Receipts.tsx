// What arrives and what arrived: receipts against their notices, notices to come, and what waits to be put away.
import { Button } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";
import { useCommand } from "@/api/command";
import { Actor } from "@/components/Actor";
import { Code } from "@/components/Code";
import { FormDialog, orNull } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Bar } from "@/components/facts";
import { Choice, SearchFilter, useFilter } from "@/components/filters";
import { PlaceLink } from "@/components/MovementTable";
import { groupDigits, isZero } from "@/components/numbers";
import { Page, Panel } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State } from "@/components/State";
import { ScreenTabs } from "@/components/tabs";
import { Age, Time } from "@/components/Time";
import { useReturnReason } from "@/components/useReturnReason";
import { EmptyState, LiveView } from "@/components/views";
import { placesQuery } from "@/data/catalog";
import { useList } from "@/data/queries";
import { asnsQuery, openReceipt, putawayQuery, receiptsQuery, returnsQuery, type AsnSummary, type PutawayTask, type ReceiptSummary, type Return } from "@/data/receiving";
import { words } from "@/i18n/sentences";

export default function Receipts() {
  const { t } = useTranslation(["receipts", "common"]);
  return (
    <Page title={t("title")} lead={t("lead")}>
      <ScreenTabs
        tabs={[
          { value: "receipts", label: t("tab.receipts"), content: () => <ReceiptList /> },
          { value: "asns", label: t("tab.asns"), content: () => <AsnList /> },
          { value: "putaway", label: t("tab.putaway"), content: () => <PutawayList /> },
          { value: "returns", label: t("tab.returns"), content: () => <ReturnList /> },
        ]}
      />
    </Page>
  );
}

function ReceiptList() {
  const { t } = useTranslation(["receipts", "common"]);
  const navigate = useNavigate();
  const [state] = useFilter("state", "all");
  const [opening, setOpening] = useState(false);
  const list = useList(receiptsQuery({ state: state === "all" ? undefined : (state as "open") }));
  const open = useCommand(openReceipt, { changes: ["receipts"] });
  const doors = useList({ ...placesQuery({ kind: "dock_door" }) });
  const columns: Column<ReceiptSummary>[] = [
    { key: "number", header: t("receipt"), cell: (r) => <strong style={{ fontWeight: 560 }}>{r.number}</strong> },
    { key: "asn", header: t("notice"), cell: (r) => (r.asn ? <Link className="quiet-link" to={`/asns/${r.asn.id}`}>{r.asn.code}</Link> : <span className="soft">{t("without")}</span>) },
    { key: "supplier", header: t("common:field.supplier"), grow: true, cell: (r) => r.supplier?.code ?? "–" },
    { key: "door", header: t("common:field.door"), cell: (r) => <PlaceLink id={r.dock_door.id} code={r.dock_door.code} /> },
    { key: "progress", header: t("received_of"), width: 190, cell: (r) => <Progress receipt={r} /> },
    { key: "short", header: t("common:state.short"), align: "right", cell: (r) => <Difference value={r.short} sign="−" /> },
    { key: "over", header: t("common:state.over"), align: "right", cell: (r) => <Difference value={r.over} sign="+" /> },
    { key: "unknown", header: t("unknown"), align: "right", cell: (r) => (r.unknown_tags_count > 0 ? <span style={{ color: "var(--tone-warn-ink)" }}>{r.unknown_tags_count}</span> : <span className="soft">0</span>) },
    { key: "activity", header: t("last_activity"), cell: (r) => <Age at={r.last_activity_at} /> },
    { key: "state", header: t("common:field.state"), cell: (r) => <State value={r.state} /> },
  ];
  return (
    <>
      <div style={{ display: "flex", gap: 10 }}>
        <Choice name="state" fallback="all" options={[{ value: "all", label: t("common:action.all") }, { value: "open", label: t("common:state.open") }, { value: "closed", label: t("common:state.closed") }]} />
        <Button ml="auto" variant="light" onClick={() => setOpening(true)}>
          {t("open_receipt")}
        </Button>
      </div>
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState title={t("none")} next={t("none_next")} />}>
          {(rows) => (
            <DataTable label={t("title")} rows={rows} columns={columns} rowKey={(r) => r.id} rowTo={(r) => `/receipts/${r.id}`} more={list.more}
              tone={(r) => (r.state === "closed" && (!isZero(r.short) || !isZero(r.over)) ? "warn" : undefined)} />
          )}
        </LiveView>
      </Panel>
      <FormDialog
        title={t("open_receipt")}
        opened={opening}
        onClose={() => setOpening(false)}
        command={open}
        fields={[
          { name: "asn_number", label: t("notice"), hint: t("notice_hint") },
          { name: "dock_door_id", label: t("common:field.door"), kind: "select", options: (doors.data ?? []).map((door) => ({ value: door.id, label: door.code })) },
        ]}
        toInput={(values) => ({ asn_number: orNull(values["asn_number"]), dock_door_id: orNull(values["dock_door_id"]) })}
        submit={t("open_receipt")}
        onDone={(receipt) => void navigate(`/receipts/${receipt.id}`)}
      />
    </>
  );
}

export function Progress({ receipt }: { receipt: Pick<ReceiptSummary, "received" | "expected"> }) {
  const received = Number(receipt.received);
  const expected = Number(receipt.expected);
  return (
    <span style={{ display: "flex", alignItems: "center", gap: 10 }}>
      <Bar part={received} whole={expected || received} tone={expected > 0 && received > expected ? "warn" : received === expected ? "ok" : "busy"} />
      <span className="nowrap">
        <Quantity value={receipt.received} />
        {expected > 0 && (
          <span className="soft">
            {" / "}
            <Quantity value={receipt.expected} />
          </span>
        )}
      </span>
    </span>
  );
}

export function Difference({ value, sign }: { value: string; sign: "+" | "−" }) {
  if (isZero(value)) return <span className="soft">0</span>;
  return (
    <span style={{ color: "var(--tone-warn-ink)", fontWeight: 560 }}>
      {sign}
      <Quantity value={value} />
    </span>
  );
}

function AsnList() {
  const { t } = useTranslation(["receipts", "common"]);
  const [state] = useFilter("asn", "open");
  const [q] = useFilter("q");
  const list = useList(asnsQuery({ state: state === "all" ? undefined : (state as "open"), q }));
  const columns: Column<AsnSummary>[] = [
    { key: "number", header: t("notice"), cell: (a) => <strong style={{ fontWeight: 560 }}>{a.number}</strong> },
    { key: "supplier", header: t("common:field.supplier"), grow: true, cell: (a) => a.supplier?.code ?? "–" },
    { key: "expected", header: t("common:state.expected"), cell: (a) => <Time at={a.expected_at} age /> },
    { key: "door", header: t("common:field.door"), cell: (a) => <PlaceLink id={a.dock_door?.id} code={a.dock_door?.code} /> },
    { key: "lines", header: t("common:field.lines"), align: "right", cell: (a) => a.lines_count },
    { key: "plates", header: t("plates"), align: "right", cell: (a) => a.plates_count },
    { key: "tags", header: t("tags"), align: "right", cell: (a) => a.tags_count },
    { key: "order", header: t("purchase_order"), cell: (a) => <span className="mono">{a.source_ref ?? "–"}</span> },
    { key: "state", header: t("common:field.state"), cell: (a) => <State value={a.state} tone={a.state === "arriving" ? "busy" : undefined} /> },
  ];
  return (
    <>
      <div style={{ display: "flex", gap: 10 }}>
        <Choice name="asn" fallback="open" options={[{ value: "open", label: t("to_come") }, { value: "received", label: t("common:state.received") }, { value: "cancelled", label: t("common:state.cancelled") }, { value: "all", label: t("common:action.all") }]} />
        <SearchFilter placeholder={t("search_asn")} width={220} />
      </div>
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState title={t("no_asns")} next={t("no_asns_next")} action={{ label: t("import_asns"), to: "/settings/imports" }} />}>
          {(rows) => <DataTable label={t("tab.asns")} rows={rows} columns={columns} rowKey={(a) => a.id} rowTo={(a) => `/asns/${a.id}`} more={list.more} />}
        </LiveView>
      </Panel>
    </>
  );
}

function PutawayList() {
  const { t } = useTranslation(["receipts", "common"]);
  const [state] = useFilter("putaway", "todo");
  const list = useList(putawayQuery(state as "todo"));
  const columns: Column<PutawayTask>[] = [
    { key: "what", header: t("what"), grow: true, cell: (task) => task.what },
    { key: "plate", header: t("common:field.license_plate"), cell: (task) => <Code value={task.license_plate} to={task.license_plate ? `/units/${task.license_plate}` : undefined} /> },
    { key: "quantity", header: t("common:field.quantity"), align: "right", cell: (task) => <Quantity value={task.quantity} /> },
    { key: "from", header: t("common:field.from"), cell: (task) => <PlaceLink id={task.from_place_id} code={task.from_place} /> },
    { key: "to", header: t("proposed"), cell: (task) => (
      <span title={task.reasons.map(words).join(", ")}>
        <PlaceLink id={task.proposed_place_id} code={task.place ?? task.proposed_place} />
        {task.overridden && <span className="soft"> · {t("overridden")}</span>}
      </span>
    ) },
    { key: "why", header: t("common:field.why"), cell: (task) => <span className="soft">{words(task.reasons[0]) ?? "–"}</span> },
    { key: "who", header: t("common:field.who"), cell: (task) => <Actor actor={task.done_by ?? task.claimed_by} /> },
    { key: "waits", header: t("waits_since"), cell: (task) => <Age at={task.done_at ?? task.created_at} /> },
    { key: "state", header: t("common:field.state"), cell: (task) => <State value={task.state} tone={task.state === "open" ? "wait" : undefined} /> },
  ];
  return (
    <>
      <Choice name="putaway" fallback="todo" options={[{ value: "todo", label: t("todo") }, { value: "done", label: t("common:state.done") }, { value: "cancelled", label: t("common:state.cancelled") }]} />
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState tone="ok" title={t("nothing_to_put_away")} next={t("nothing_to_put_away_next")} />}>
          {(rows) => <DataTable label={t("tab.putaway")} rows={rows} columns={columns} rowKey={(task) => task.id} more={list.more} />}
        </LiveView>
      </Panel>
    </>
  );
}

function ReturnList() {
  const { t } = useTranslation(["receipts", "common"]);
  const reasonOf = useReturnReason();
  const list = useList(returnsQuery);
  const columns: Column<Return>[] = [
    { key: "number", header: t("return"), cell: (r) => <strong style={{ fontWeight: 560 }}>{r.number}</strong> },
    { key: "order", header: t("common:field.order"), cell: (r) => (r.order_id ? <Link className="quiet-link" to={`/orders/${r.order_id}`}>{r.order_number}</Link> : <span className="soft">{t("without_order")}</span>) },
    { key: "customer", header: t("common:field.customer"), cell: (r) => r.customer ?? "–" },
    { key: "lines", header: t("common:field.lines"), grow: true, cell: (r) => standing(r).map((line) => `${groupDigits(line.quantity)} × ${line.sku} (${reasonOf(line.reason)})`).join(", ") || <span className="soft">{t("taken_back")}</span> },
    { key: "status", header: t("common:field.status"), cell: (r) => <span style={{ display: "inline-flex", gap: 6 }}>{[...new Set(standing(r).map((line) => line.status))].map((status) => <State key={status} value={status} />)}</span> },
    { key: "when", header: t("common:field.when"), cell: (r) => <Time at={r.created_at} age /> },
    { key: "who", header: t("common:field.who"), cell: (r) => <Actor actor={r.created_by} /> },
  ];
  return (
    <Panel flush>
      <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState title={t("no_returns")} next={t("no_returns_next")} />}>
        {(rows) => <DataTable label={t("tab.returns")} rows={rows} columns={columns} rowKey={(r) => r.id} rowTo={(r) => `/returns/${r.id}`} more={list.more} />}
      </LiveView>
    </Panel>
  );
}

const standing = (r: Return) => r.lines.filter((line) => !line.taken_back);

// What went to the ERP, what waits, what failed in its own words; drift between its stock and ours; webhooks; the keys of
// other systems; and the work in the background.
import { Button, Switch } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { FormDialog, orNull, text } from "@/components/CommandForm";
import { Confirm } from "@/components/Confirm";
import { Code } from "@/components/Code";
import { DataTable, type Column } from "@/components/DataTable";
import { Evidence } from "@/components/Evidence";
import { Figure, Figures } from "@/components/facts";
import { Choice, useFilter } from "@/components/filters";
import { Cause, ItemLink } from "@/components/MovementTable";
import { Page, Panel } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State, useWord, type Tone } from "@/components/State";
import { ScreenTabs } from "@/components/tabs";
import { Age, Time } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import {
  ERP_IMPORTS, erpImportsQuery, erpOrdersQuery, erpStatusQuery, groupsQuery, importFromErp, postingsQuery, reconcile, reconciliationsQuery, retryErpOrder, retryPosting,
  type ErpImport, type ErpOrder, type ErpStatus, type Posting, type PostingGroup, type Reconciliation,
} from "@/data/outbox";
import { useList } from "@/data/queries";
import { changeSubscription, deliveriesQuery, removeSubscription, retryDelivery, subscribe, subscriptionsQuery, type Delivery, type Subscription } from "@/data/webhooks";
import { sentence } from "@/i18n/sentences";
import { Keys } from "./Keys";
import { Work } from "./Work";
import classes from "./Outbox.module.css";

export default function Outbox() {
  const { t } = useTranslation(["outbox", "common"]);
  const may = useMay();
  return (
    <Page title={t("title")} lead={t("lead")}>
      <Health />
      <ScreenTabs
        tabs={[
          { value: "postings", label: t("tab.postings"), content: () => <Postings /> },
          { value: "documents", label: t("tab.documents"), content: () => <Documents /> },
          { value: "orders", label: t("tab.orders"), content: () => <ErpOrders /> },
          { value: "drift", label: t("tab.drift"), content: () => <Drift /> },
          { value: "imports", label: t("tab.imports"), content: () => <Imports /> },
          { value: "webhooks", label: t("tab.webhooks"), content: () => <Webhooks /> },
          { value: "deliveries", label: t("tab.deliveries"), content: () => <Deliveries /> },
          ...(may("lead", "integrator") ? [{ value: "keys", label: t("tab.keys"), content: () => <Keys /> }] : []),
          ...(may("integrator") ? [{ value: "work", label: t("tab.work"), content: () => <Work /> }] : []),
        ]}
      />
    </Page>
  );
}

const ERP_TONE: Record<ErpStatus["state"], Tone> = { reachable: "ok", busy: "warn", unreachable: "bad", login: "bad", off: "off", unknown: "wait" };

function Health() {
  const { t } = useTranslation(["outbox", "common"]);
  const status = useQuery(erpStatusQuery);
  if (!status.data) return status.error ? <ErrorState error={status.error} compact /> : null;
  const s = status.data;
  return (
    <Figures>
      <Figure label={t("erp")} note={sentence(s.words) ?? (s.last_ok_at ? <>{t("last_ok")} <Age at={s.last_ok_at} /></> : (s.identity ?? undefined))}>
        <State value={s.state} group="outbox:erp_state" tone={ERP_TONE[s.state]} />
      </Figure>
      <Figure label={t("common:state.waiting")} to="/outbox?state=waiting" tone={s.waiting > 0 ? "wait" : "ok"} note={s.oldest_waiting_at ? <>{t("oldest")} <Age at={s.oldest_waiting_at} /></> : t("nothing_waits")}>
        <Quantity size="xl" value={s.waiting} unit="lines" />
      </Figure>
      <Figure label={t("common:state.sending")} to="/outbox?state=sending" tone="busy">
        <Quantity size="xl" value={s.sending} unit="lines" />
      </Figure>
      <Figure label={t("common:state.parked")} to="/outbox?state=parked" tone={s.parked > 0 ? "bad" : "ok"} note={s.parked > 0 ? t("parked_note") : t("none_parked")}>
        <Quantity size="xl" value={s.parked} unit="lines" />
      </Figure>
      <Figure label={t("last_hour")} to="/outbox?state=posted" note={t("posted_note")}>
        <Quantity size="xl" value={s.posted_last_hour} unit="lines" />
      </Figure>
      <Figure label={t("tab.orders")} to="/outbox?tab=orders" tone={s.orders_parked + s.orders_not_taken > 0 ? "bad" : "ok"} note={t("orders_note", { waiting: s.orders_waiting, parked: s.orders_parked })}>
        <Quantity size="xl" value={s.orders_waiting + s.orders_parked} unit="orders" />
      </Figure>
    </Figures>
  );
}

export function postingTone(state: string): Tone | undefined {
  return state === "waiting" ? "wait" : undefined;
}

function Postings() {
  const { t } = useTranslation(["outbox", "common"]);
  const word = useWord();
  const may = useMay();
  const [state] = useFilter("state", "all");
  const list = useList(postingsQuery({ state: state === "all" ? undefined : (state as Posting["state"]) }));
  const retry = useCommand(retryPosting, { changes: ["postings"] });
  const columns: Column<Posting>[] = [
    { key: "state", header: t("common:field.state"), cell: (p) => <State value={p.state} /> },
    { key: "item", header: t("common:field.item"), cell: (p) => <ItemLink id={p.item_id} sku={p.sku} /> },
    { key: "lot", header: t("common:field.lot"), cell: (p) => <span className="mono">{p.lot ?? p.serial ?? "–"}</span> },
    { key: "quantity", header: t("common:field.quantity"), align: "right", cell: (p) => <Quantity value={p.quantity} unit={p.unit} to={`/movements/${p.id}`} /> },
    { key: "way", header: t("erp_way"), cell: (p) => <span className="mono">{p.erp_from ?? "?"} → {p.erp_to ?? "?"}</span> },
    { key: "cause", header: t("common:field.cause"), cell: (p) => <Cause kind={p.cause_kind} id={p.cause_id} word={word("cause", p.cause_kind)} /> },
    { key: "reference", header: t("document"), cell: (p) => (p.group_id ? <span className="mono">{p.erp_number ?? p.reference}</span> : <span className="soft">–</span>) },
    { key: "words", header: t("erp_words"), wrap: true, cell: (p) => (p.words ? sentence(p.words) : p.held_by ? <Link className="quiet-link" to={`/outbox/${p.held_by}`}>{t("held")}</Link> : <span className="soft">–</span>) },
    { key: "attempts", header: t("tries"), align: "right", cell: (p) => p.attempts },
    { key: "when", header: t("common:field.when"), cell: (p) => <Age at={p.settled_at ?? p.recorded_at} /> },
    ...(may("integrator", "lead")
      ? [{ key: "retry", header: "", align: "right" as const, cell: (p: Posting) => (p.state === "parked" || (p.state === "waiting" && p.attempts > 0)) && (
          <Button size="compact-xs" variant="light" loading={retry.isPending && retry.variables.id === p.id} onClick={() => retry.mutate({ id: p.id, erp_date: null })}>
            {t("retry")}
          </Button>
        ) }]
      : []),
  ];
  return (
    <>
      <Choice name="state" fallback="all" options={[{ value: "all", label: t("common:action.all") }, ...(["waiting", "sending", "posted", "parked"] as const).map((value) => ({ value, label: t(`common:state.${value}`) }))]} />
      {retry.error && <ErrorState error={retry.error} compact />}
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState tone={state === "parked" ? "ok" : "wait"} title={state === "parked" ? t("none_parked") : t("no_postings")} next={t("no_postings_next")} />}>
          {(rows) => <DataTable label={t("tab.postings")} rows={rows} columns={columns} rowKey={(p) => p.id} rowTo={(p) => `/outbox/${p.id}`} tone={(p) => (p.state === "parked" ? "bad" : undefined)} more={list.more} />}
        </LiveView>
      </Panel>
    </>
  );
}

function Documents() {
  const { t } = useTranslation(["outbox", "common"]);
  const list = useList(groupsQuery());
  const columns: Column<PostingGroup>[] = [
    { key: "state", header: t("common:field.state"), cell: (g) => <State value={g.state} tone={g.state === "frozen" ? "wait" : undefined} /> },
    { key: "reference", header: t("common:field.reference"), cell: (g) => <span className="mono">{g.reference}</span> },
    { key: "number", header: t("erp_number"), cell: (g) => <span className="mono">{g.erp_number ?? "–"}</span> },
    { key: "kind", header: t("common:field.kind"), cell: (g) => t(`kind.${g.kind}` as "kind.receipt") },
    { key: "order", header: t("erp_order"), cell: (g) => <span className="mono">{g.erp_order ?? g.erp_partner ?? "–"}</span> },
    { key: "lines", header: t("common:field.lines"), align: "right", cell: (g) => g.lines },
    { key: "words", header: t("erp_words"), grow: true, cell: (g) => sentence(g.words) ?? <span className="soft">–</span> },
    { key: "tries", header: t("tries"), align: "right", cell: (g) => g.attempts },
    { key: "when", header: t("common:field.when"), cell: (g) => <Age at={g.settled_at ?? g.created_at} /> },
  ];
  return (
    <Panel flush>
      <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState title={t("no_documents")} next={t("no_documents_next")} />}>
        {(rows) => <DataTable label={t("tab.documents")} rows={rows} columns={columns} rowKey={(g) => g.id} tone={(g) => (g.state === "parked" ? "bad" : undefined)} more={list.more} />}
      </LiveView>
    </Panel>
  );
}

function ErpOrders() {
  const { t } = useTranslation(["outbox", "common"]);
  const [state] = useFilter("order", "all");
  const list = useList(erpOrdersQuery(state === "all" ? undefined : (state as ErpOrder["state"])));
  const retry = useCommand(retryErpOrder, { changes: ["postings"] });
  const columns: Column<ErpOrder>[] = [
    { key: "state", header: t("common:field.state"), cell: (o) => <State value={o.state} /> },
    { key: "kind", header: t("common:field.kind"), cell: (o) => t(`order_kind.${o.kind}`) },
    { key: "reference", header: t("common:field.reference"), cell: (o) => (o.kind === "sale" ? <Link className="quiet-link mono" to={`/orders/${o.our_id}`}>{o.reference}</Link> : <span className="mono">{o.reference}</span>) },
    { key: "partner", header: t("partner"), cell: (o) => o.partner },
    { key: "number", header: t("erp_number"), cell: (o) => <span className="mono">{o.erp_number ?? "–"}</span> },
    { key: "words", header: t("erp_words"), grow: true, cell: (o) => sentence(o.words) ?? <span className="soft">–</span> },
    { key: "tries", header: t("tries"), align: "right", cell: (o) => o.attempts },
    { key: "when", header: t("common:field.when"), cell: (o) => <Age at={o.settled_at ?? o.created_at} /> },
    { key: "retry", header: "", align: "right", cell: (o) => o.state !== "done" && (
      <Button size="compact-xs" variant="light" loading={retry.isPending && retry.variables === o.id} onClick={() => retry.mutate(o.id)}>
        {t("retry")}
      </Button>
    ) },
  ];
  return (
    <>
      <Choice name="order" fallback="all" options={[{ value: "all", label: t("common:action.all") }, ...(["waiting", "done", "parked"] as const).map((value) => ({ value, label: t(`common:state.${value}`) }))]} />
      {retry.error && <ErrorState error={retry.error} compact />}
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState title={t("no_orders")} next={t("no_orders_next")} />}>
          {(rows) => <DataTable label={t("tab.orders")} rows={rows} columns={columns} rowKey={(o) => o.id} tone={(o) => (o.state === "parked" ? "bad" : undefined)} more={list.more} />}
        </LiveView>
      </Panel>
    </>
  );
}

function Drift() {
  const { t } = useTranslation(["outbox", "common"]);
  const list = useQuery(reconciliationsQuery);
  const start = useCommand(reconcile, { changes: ["postings"] });
  const [open, setOpen] = useState<string | null>(null);
  const columns: Column<Reconciliation>[] = [
    { key: "when", header: t("common:field.when"), cell: (r) => <Time at={r.finished_at ?? r.requested_at} age /> },
    { key: "state", header: t("common:field.state"), cell: (r) => <State value={r.state === "requested" ? "running" : r.state === "done" && r.drifting > 0 ? "drifting" : r.state === "done" ? "matched" : r.state} tone={r.drifting > 0 ? "warn" : undefined} group="outbox:drift_state" /> },
    { key: "compared", header: t("compared"), align: "right", cell: (r) => r.compared },
    { key: "drifting", header: t("drifting"), align: "right", cell: (r) => r.drifting },
    { key: "by", header: t("common:field.who"), cell: (r) => r.requested_by.replace("user:", "") },
    { key: "words", header: t("erp_words"), grow: true, cell: (r) => sentence(r.words) ?? <span className="soft">–</span> },
  ];
  const latest = list.data?.items.find((r) => r.state === "done")?.id;
  return (
    <>
      <div className={classes.bar}>
        <span className="soft">{t("drift_lead")}</span>
        <Button loading={start.isPending} onClick={() => start.mutate(null)}>
          {t("reconcile")}
        </Button>
      </div>
      {start.error && <ErrorState error={start.error} compact />}
      <Panel flush>
        <LiveView query={list} empty={(page) => page.items.length === 0 && <EmptyState title={t("no_drift")} next={t("no_drift_next")} action={{ label: t("reconcile"), onClick: () => start.mutate(null) }} />}>
          {(page) => (
            <DataTable
              label={t("tab.drift")}
              rows={page.items}
              columns={columns}
              rowKey={(r) => r.id}
              onOpen={(r) => setOpen(open === r.id ? "none" : r.id)}
              expanded={(r) => (r.id === (open ?? latest) && (r.drifts?.length ?? 0) > 0 ? <Drifts reconciliation={r} /> : undefined)}
            />
          )}
        </LiveView>
      </Panel>
    </>
  );
}

function Drifts({ reconciliation }: { reconciliation: Reconciliation }) {
  const { t } = useTranslation(["outbox", "common"]);
  return (
    <DataTable
      label={t("tab.drift")}
      rows={reconciliation.drifts ?? []}
      rowKey={(d) => d.sku + d.location}
      rowTo={(d) => (d.item_id ? `/movements?item_id=${d.item_id}` : undefined)}
      columns={[
        { key: "item", header: t("common:field.item"), cell: (d) => (d.item_id ? <ItemLink id={d.item_id} sku={d.sku} /> : <span>{d.sku}</span>) },
        { key: "location", header: t("location"), grow: true, cell: (d) => <span className="mono">{d.location}</span> },
        { key: "ours", header: t("ours"), align: "right", cell: (d) => <Quantity value={d.ours} /> },
        { key: "pending", header: t("not_yet"), align: "right", cell: (d) => <Quantity value={d.not_yet_posted} /> },
        { key: "theirs", header: t("theirs"), align: "right", cell: (d) => <Quantity value={d.theirs} /> },
        { key: "drift", header: t("drift"), align: "right", cell: (d) => <Quantity value={d.drift} signed /> },
      ]}
    />
  );
}

function Imports() {
  const { t } = useTranslation(["outbox", "common"]);
  const list = useQuery(erpImportsQuery);
  const start = useCommand(importFromErp, { changes: ["postings"] });
  const columns: Column<ErpImport>[] = [
    { key: "kind", header: t("common:field.kind"), cell: (i) => t(`import.${i.kind}` as "import.items") },
    { key: "when", header: t("common:field.when"), cell: (i) => <Time at={i.finished_at ?? i.requested_at} age /> },
    { key: "state", header: t("common:field.state"), cell: (i) => <State value={i.state === "requested" ? "running" : i.state} tone={i.errors.length > 0 ? "warn" : undefined} /> },
    { key: "created", header: t("new"), align: "right", cell: (i) => i.created },
    { key: "changed", header: t("changed"), align: "right", cell: (i) => i.changed },
    { key: "unchanged", header: t("unchanged"), align: "right", cell: (i) => i.unchanged },
    { key: "errors", header: t("errors"), align: "right", cell: (i) => i.errors.length },
    { key: "words", header: t("erp_words"), grow: true, cell: (i) => sentence(i.words) ?? <span className="soft">–</span> },
  ];
  return (
    <>
      <div className={classes.bar}>
        <span className="soft">{t("import_lead")}</span>
        <div className={classes.buttons}>
          {ERP_IMPORTS.map((kind) => (
            <Button key={kind} size="xs" variant="default" loading={start.isPending && start.variables === kind} onClick={() => start.mutate(kind)}>
              {t(`import.${kind}`)}
            </Button>
          ))}
        </div>
      </div>
      {start.error && <ErrorState error={start.error} compact />}
      <Panel flush>
        <LiveView query={list} empty={(page) => page.items.length === 0 && <EmptyState title={t("no_imports")} next={t("no_imports_next")} />}>
          {(page) => (
            <DataTable
              label={t("tab.imports")}
              rows={page.items}
              columns={columns}
              rowKey={(i) => i.id}
              expanded={(i) => (i.errors.length > 0 ? <ul className={classes.errors}>{i.errors.slice(0, 20).map((e) => <li key={e.key}><span className="mono">{e.key}</span> {sentence(e.words)}</li>)}</ul> : undefined)}
            />
          )}
        </LiveView>
      </Panel>
    </>
  );
}

function Webhooks() {
  const { t } = useTranslation(["outbox", "common"]);
  const list = useQuery(subscriptionsQuery);
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const add = useCommand(subscribe, { changes: ["deliveries"] });
  const change = useCommand(changeSubscription, { changes: ["deliveries"] });
  const remove = useCommand(removeSubscription, { changes: ["deliveries"] });
  const columns: Column<Subscription>[] = [
    { key: "name", header: t("common:field.name"), cell: (s) => <strong style={{ fontWeight: 560 }}>{s.name}</strong> },
    { key: "url", header: t("common:field.address"), grow: true, cell: (s) => <span className="mono">{s.url}</span> },
    { key: "types", header: t("events"), cell: (s) => (s.types.length === 0 ? t("every_event") : s.types.join(", ")) },
    { key: "state", header: t("common:field.state"), cell: (s) => <span title={s.disabled_because ?? undefined}><State value={s.active ? "active" : "paused"} tone={s.disabled_because ? "bad" : undefined} /></span> },
    { key: "created", header: t("common:field.created"), cell: (s) => <Time at={s.created_at} /> },
    { key: "active", header: t("send"), cell: (s) => <Switch size="sm" checked={s.active} aria-label={t("send")} onChange={(event) => change.mutate({ id: s.id, active: event.currentTarget.checked })} /> },
    { key: "remove", header: "", align: "right", cell: (s) => <Confirm size="compact-xs" variant="subtle" color="gray" onConfirm={() => remove.mutate(s.id)}>{t("remove")}</Confirm> },
  ];
  return (
    <>
      <div className={classes.bar}>
        <span className="soft">{t("webhook_lead")}</span>
        <Button onClick={() => setAdding(true)}>{t("add_webhook")}</Button>
      </div>
      {secret && (
        <Panel title={t("secret")} actions={<Button size="xs" variant="default" onClick={() => setSecret(null)}>{t("common:action.done")}</Button>}>
          <Code value={secret} keep={80} /> <span className="soft">{t("secret_once")}</span>
        </Panel>
      )}
      {(change.error ?? remove.error) && <ErrorState error={change.error ?? remove.error} compact />}
      <Panel flush>
        <LiveView query={list} empty={(page) => page.items.length === 0 && <EmptyState title={t("no_webhooks")} next={t("no_webhooks_next")} action={{ label: t("add_webhook"), onClick: () => setAdding(true) }} />}>
          {(page) => <DataTable label={t("tab.webhooks")} rows={page.items} columns={columns} rowKey={(s) => s.id} tone={(s) => (s.disabled_because ? "bad" : undefined)} />}
        </LiveView>
      </Panel>
      <FormDialog
        title={t("add_webhook")}
        opened={adding}
        onClose={() => setAdding(false)}
        command={add}
        fields={[
          { name: "name", label: t("common:field.name"), required: true },
          { name: "url", label: t("common:field.address"), hint: t("url_hint"), required: true },
          { name: "types", label: t("events"), hint: t("types_hint") },
          { name: "secret", label: t("secret"), hint: t("secret_hint") },
        ]}
        toInput={(values) => ({ name: text(values["name"]), url: text(values["url"]), types: text(values["types"]).split(/[\s,]+/).filter(Boolean), secret: orNull(values["secret"]) })}
        submit={t("common:action.create")}
        onDone={(made) => setSecret(made.secret)}
      />
    </>
  );
}

function Deliveries() {
  const { t } = useTranslation(["outbox", "common"]);
  const [state] = useFilter("delivery", "all");
  const [open, setOpen] = useState<string | null>(null);
  const list = useList(deliveriesQuery(state === "all" ? undefined : (state as "waiting")));
  const retry = useCommand(retryDelivery, { changes: ["deliveries"] });
  const columns: Column<Delivery>[] = [
    { key: "state", header: t("common:field.state"), cell: (d) => <State value={d.state} /> },
    { key: "type", header: t("event"), cell: (d) => <span className="mono">{d.type}</span> },
    { key: "subject", header: t("subject"), cell: (d) => <span className="mono">{d.subject}</span> },
    { key: "to", header: t("common:field.to"), cell: (d) => d.subscription_name },
    { key: "answer", header: t("answer"), cell: (d) => (d.last_status === null ? <span className="soft">–</span> : <span className="mono">{d.last_status}</span>) },
    { key: "words", header: t("their_words"), grow: true, cell: (d) => d.last_words ?? <span className="soft">–</span> },
    { key: "tries", header: t("tries"), align: "right", cell: (d) => d.attempts },
    { key: "when", header: t("common:field.when"), cell: (d) => <Age at={d.delivered_at ?? d.occurred_at} /> },
    { key: "retry", header: "", align: "right", cell: (d) => d.state !== "delivered" && (
      <Button size="compact-xs" variant="light" loading={retry.isPending && retry.variables === d.id} onClick={() => retry.mutate(d.id)}>
        {t("retry")}
      </Button>
    ) },
  ];
  return (
    <>
      <Choice name="delivery" fallback="all" options={[{ value: "all", label: t("common:action.all") }, ...(["waiting", "delivered", "parked"] as const).map((value) => ({ value, label: t(`common:state.${value}`) }))]} />
      {retry.error && <ErrorState error={retry.error} compact />}
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState title={t("no_deliveries")} next={t("no_deliveries_next")} />}>
          {(rows) => (
            <DataTable label={t("tab.deliveries")} rows={rows} columns={columns} rowKey={(d) => d.id} more={list.more} onOpen={(d) => setOpen(open === d.id ? null : d.id)}
              tone={(d) => (d.state === "parked" ? "bad" : undefined)} expanded={(d) => (d.id === open ? <Evidence value={d.data} /> : undefined)} />
          )}
        </LiveView>
      </Panel>
    </>
  );
}

// What runs out when, what is suggested, from whom and why; approve many at once.
import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { FormDialog, orNull, text, type Field } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Bar } from "@/components/facts";
import { Choice, useFilter } from "@/components/filters";
import { ItemLink } from "@/components/MovementTable";
import { groupDigits } from "@/components/numbers";
import { Page, Panel } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State, type Tone } from "@/components/State";
import { ScreenTabs } from "@/components/tabs";
import { Age, Day } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { itemsQuery, partnersQuery } from "@/data/catalog";
import { useList } from "@/data/queries";
import { approveSuggestion, expectDelivery, onOrderQuery, putRule, rejectSuggestion, rulesQuery, suggestionsQuery, type OnOrder, type ReorderRule, type Suggestion, type SuggestionState } from "@/data/replenishment";
import { sentence } from "@/i18n/sentences";
import classes from "./Replenishment.module.css";

export default function Replenishment() {
  const { t } = useTranslation(["replenishment", "common"]);
  return (
    <Page title={t("title")} lead={t("lead")}>
      <ScreenTabs
        tabs={[
          { value: "suggestions", label: t("tab.suggestions"), content: () => <Suggestions /> },
          { value: "rules", label: t("tab.rules"), content: () => <Rules /> },
          { value: "on_order", label: t("tab.on_order"), content: () => <Ordered /> },
        ]}
      />
    </Page>
  );
}

const STATES: SuggestionState[] = ["proposed", "approved", "ordered", "received", "refused", "rejected"];
const TONE: Record<string, Tone> = { proposed: "warn", approved: "busy", ordered: "ok", received: "ok", refused: "bad", rejected: "off" };

function Suggestions() {
  const { t } = useTranslation(["replenishment", "common"]);
  const may = useMay();
  const [state] = useFilter("state", "proposed");
  const [selected, setSelected] = useState<Set<string>>(new Set());
  const [rejecting, setRejecting] = useState<Suggestion | null>(null);
  const [busy, setBusy] = useState(false);
  const list = useList(suggestionsQuery(state === "all" ? undefined : (state as SuggestionState)));
  const approve = useCommand(approveSuggestion, { changes: ["replenishment"] });
  const reject = useCommand(rejectSuggestion, { changes: ["replenishment"] });

  const approveAll = async () => {
    setBusy(true);
    let done = 0;
    try {
      // One after the other: each is its own action with its own key, and the first refusal stops the rest.
      for (const id of selected) {
        await approve.mutateAsync({ id, quantity: null });
        done += 1;
      }
      setSelected(new Set());
      notifications.show({ message: t("approved_many", { count: done }), color: "teal" });
    } catch {
      // shown below from approve.error
    } finally {
      setBusy(false);
    }
  };
  const columns: Column<Suggestion>[] = [
    { key: "item", header: t("common:field.item"), grow: true, cell: (s) => <ItemLink id={s.item_id} sku={s.sku} name={s.item_name} /> },
    { key: "why", header: t("common:field.why"), cell: (s) => <Why suggestion={s} /> },
    { key: "supplier", header: t("common:field.supplier"), cell: (s) => s.supplier_name ?? <span style={{ color: "var(--tone-bad-ink)" }}>{t("no_supplier")}</span> },
    { key: "quantity", header: t("order"), align: "right", cell: (s) => <strong><Quantity value={s.quantity} unit={s.unit} /></strong> },
    { key: "amount", header: t("amount"), align: "right", cell: (s) => (s.amount === null ? "–" : <span className="nowrap">{groupDigits(s.amount)} <span className="soft">{s.currency}</span></span>) },
    { key: "wanted", header: t("arrives"), cell: (s) => <Day on={s.wanted_on} /> },
    { key: "since", header: t("since"), cell: (s) => <Age at={s.decided_at ?? s.created_at} /> },
    { key: "state", header: t("common:field.state"), cell: (s) => <span title={sentence(s.words) ?? undefined}><State value={s.state} group="replenishment:state" tone={TONE[s.state]} />{s.erp_number && <span className="mono soft"> {s.erp_number}</span>}</span> },
    ...(may("lead", "integrator")
      ? [{ key: "act", header: "", align: "right" as const, cell: (s: Suggestion) => s.state === "proposed" && (
          <Button size="compact-xs" variant="subtle" color="gray" onClick={() => setRejecting(s)}>
            {t("reject")}
          </Button>
        ) }]
      : []),
  ];
  return (
    <>
      <div style={{ display: "flex", gap: 10, minHeight: 34 }}>
        <Choice name="state" fallback="proposed" options={[...STATES.map((value) => ({ value, label: t(`state.${value}`) })), { value: "all", label: t("common:action.all") }]} />
        {selected.size > 0 && (
          <Button ml="auto" loading={busy} onClick={() => void approveAll()}>
            {t("approve", { count: selected.size })}
          </Button>
        )}
      </div>
      {approve.error && <ErrorState error={approve.error} compact />}
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState tone="ok" title={t("none")} next={t("none_next")} action={{ label: t("tab.rules"), to: "/replenishment?tab=rules" }} />}>
          {(rows) => (
            <DataTable
              label={t("tab.suggestions")}
              rows={rows}
              columns={columns}
              rowKey={(s) => s.id}
              tone={(s) => (s.state === "refused" ? "bad" : undefined)}
              expanded={(s) => (s.words && s.state !== "ordered" ? <span>{sentence(s.words)}</span> : undefined)}
              selection={may("lead", "integrator") ? { selected, onChange: setSelected, canSelect: (s) => s.state === "proposed" && s.supplier_id !== null } : undefined}
              more={list.more}
            />
          )}
        </LiveView>
      </Panel>
      {rejecting && (
        <FormDialog
          key={rejecting.id}
          title={`${t("reject")}: ${rejecting.sku}`}
          opened
          onClose={() => setRejecting(null)}
          command={reject}
          fields={[{ name: "reason", label: t("common:field.reason"), required: true }]}
          toInput={(values) => ({ id: rejecting.id, reason: text(values["reason"]) })}
          submit={t("reject")}
        />
      )}
    </>
  );
}

/** The figures a suggestion was made of, drawn: the position against the point to reorder and the level to reach. */
function Why({ suggestion: { reason } }: { suggestion: Suggestion }) {
  const { t } = useTranslation("replenishment");
  const of = (name: string) => (typeof reason[name] === "string" || typeof reason[name] === "number" ? String(reason[name]) : "0");
  const title = ["on_hand", "reserved", "waiting", "on_order", "need", "min_order_qty", "pack_multiple", "lead_time_d"]
    .filter((name) => reason[name] !== null && reason[name] !== undefined)
    .map((name) => `${t(`why.${name}` as "why.on_hand")} ${of(name)}`)
    .join(", ");
  return (
    <span className={classes.why} title={title}>
      <Level position={Number(of("position"))} point={Number(of("reorder_point"))} target={Number(of("target_level"))} />
      <span className="soft">{t("below", { position: groupDigits(of("position")), point: groupDigits(of("reorder_point")) })}</span>
    </span>
  );
}

function Level({ position, point, target }: { position: number; point: number; target: number }) {
  const whole = Math.max(target, position, point, 1);
  return (
    <span className={classes.level}>
      <Bar part={Math.max(0, position)} whole={whole} tone={position < point ? "warn" : "ok"} />
      <i style={{ left: `${(100 * point) / whole}%` }} />
    </span>
  );
}

function Rules() {
  const { t } = useTranslation(["replenishment", "common"]);
  const may = useMay();
  const [editing, setEditing] = useState<ReorderRule | "new" | null>(null);
  const list = useList(rulesQuery);
  const columns: Column<ReorderRule>[] = [
    { key: "item", header: t("common:field.item"), grow: true, cell: (r) => <ItemLink id={r.item_id} sku={r.sku} name={r.item_name} /> },
    { key: "out", header: t("runs_out"), cell: (r) => (r.runs_out_on ? <Day on={r.runs_out_on} near={7} /> : <span className="soft">{t("not_soon")}</span>) },
    { key: "level", header: t("level"), width: 130, cell: (r) => <Level position={Number(r.position)} point={Number(r.reorder_point)} target={Number(r.target_level)} /> },
    { key: "on_hand", header: t("common:field.on_hand"), align: "right", cell: (r) => <Quantity value={r.on_hand} unit={r.unit} to={`/items/${r.item_id}`} /> },
    { key: "reserved", header: t("common:field.reserved"), align: "right", cell: (r) => <Quantity value={r.reserved} /> },
    { key: "waiting", header: t("waiting"), align: "right", cell: (r) => <Quantity value={r.waiting} /> },
    { key: "on_order", header: t("tab.on_order"), align: "right", cell: (r) => <Quantity value={r.on_order} /> },
    { key: "position", header: t("position"), align: "right", cell: (r) => <strong><Quantity value={r.position} /></strong> },
    { key: "point", header: t("reorder_point"), align: "right", cell: (r) => <Quantity value={r.reorder_point} /> },
    { key: "target", header: t("target"), align: "right", cell: (r) => <Quantity value={r.target_level} /> },
    { key: "per_day", header: t("per_day"), align: "right", cell: (r) => <Quantity value={r.per_day} /> },
    { key: "crm", header: t("recommend"), cell: (r) => <State value={r.recommendable ? "yes" : "no"} tone={r.recommendable ? "ok" : "warn"} group="replenishment:recommendable" /> },
  ];
  return (
    <>
      {may("lead", "integrator") && (
        <Button style={{ alignSelf: "flex-end" }} onClick={() => setEditing("new")}>
          {t("add_rule")}
        </Button>
      )}
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState title={t("no_rules")} next={t("no_rules_next")} action={may("lead", "integrator") ? { label: t("add_rule"), onClick: () => setEditing("new") } : undefined} />}>
          {(rows) => (
            <DataTable label={t("tab.rules")} rows={rows} columns={columns} rowKey={(r) => r.item_id} onOpen={may("lead", "integrator") ? setEditing : undefined} more={list.more}
              tone={(r) => (Number(r.position) < Number(r.reorder_point) ? "warn" : undefined)} />
          )}
        </LiveView>
      </Panel>
      {editing && <RuleDialog key={editing === "new" ? "new" : editing.item_id} rule={editing === "new" ? null : editing} onClose={() => setEditing(null)} />}
    </>
  );
}

function RuleDialog({ rule, onClose }: { rule: ReorderRule | null; onClose: () => void }) {
  const { t } = useTranslation(["replenishment", "common"]);
  const items = useList(itemsQuery(""));
  const suppliers = useList(partnersQuery({ role: "supplier" }));
  const put = useCommand(putRule, { changes: ["replenishment"] });
  const fields: Field[] = [
    ...(rule ? [] : ([{ name: "item_id", label: t("common:field.item"), kind: "select", required: true, options: (items.data ?? []).map((item) => ({ value: item.id, label: `${item.sku} ${item.name}` })) }] satisfies Field[])),
    { name: "reorder_point", label: t("reorder_point"), hint: t("reorder_point_hint"), kind: "quantity", required: true, half: true, initial: rule?.reorder_point },
    { name: "target_level", label: t("target"), hint: t("target_hint"), kind: "quantity", required: true, half: true, initial: rule?.target_level },
    { name: "safety_stock", label: t("safety"), hint: t("safety_hint"), kind: "quantity", half: true, initial: rule?.safety_stock ?? "0" },
    { name: "approve_above", label: t("approve_above"), hint: t("approve_above_hint"), kind: "quantity", half: true, initial: rule?.approve_above ?? "0" },
    { name: "supplier_id", label: t("common:field.supplier"), hint: t("supplier_hint"), kind: "select", half: true, initial: rule?.supplier_id ?? "", options: (suppliers.data ?? []).map((one) => ({ value: one.id, label: one.name })) },
    { name: "active", label: t("active"), kind: "check", half: true, initial: rule?.active ?? true },
  ];
  return (
    <FormDialog
      title={rule ? `${rule.sku} ${rule.item_name}` : t("add_rule")}
      opened
      onClose={onClose}
      command={put}
      fields={fields}
      toInput={(values) => ({
        item_id: rule?.item_id ?? text(values["item_id"]), reorder_point: text(values["reorder_point"]), target_level: text(values["target_level"]), safety_stock: text(values["safety_stock"]) || "0",
        approve_above: text(values["approve_above"]) || "0", supplier_id: orNull(values["supplier_id"]), active: values["active"] === true, version: rule?.version ?? null,
      })}
      submit={t("common:action.save")}
      done={t("common:action.saved")}
    />
  );
}

function Ordered() {
  const { t } = useTranslation(["replenishment", "common"]);
  const may = useMay();
  const list = useList(onOrderQuery);
  const expect = useCommand(expectDelivery, {
    changes: ["replenishment", "receipts"],
    onDone: (made) => notifications.show({ message: <Link to={`/asns/${made.asn_id}`}>{t("notice_made", { number: made.number })}</Link>, color: "teal" }),
  });
  const first = new Map<string, OnOrder>();
  for (const line of list.data ?? []) if (!first.has(line.number)) first.set(line.number, line);
  const columns: Column<OnOrder>[] = [
    { key: "number", header: t("purchase_order"), cell: (o) => <strong style={{ fontWeight: 560 }}>{o.number}</strong> },
    { key: "item", header: t("common:field.item"), grow: true, cell: (o) => <ItemLink id={o.item_id} sku={o.sku} name={o.item_name} /> },
    { key: "supplier", header: t("common:field.supplier"), cell: (o) => o.supplier_name ?? "–" },
    { key: "ordered", header: t("order"), align: "right", cell: (o) => <Quantity value={o.ordered} unit={o.unit} /> },
    { key: "open", header: t("still_open"), align: "right", cell: (o) => <Quantity value={o.open_quantity} unit={o.unit} /> },
    { key: "price", header: t("unit_price"), align: "right", cell: (o) => <span className="nowrap">{groupDigits(o.unit_price)} <span className="soft">{o.currency}</span></span> },
    { key: "wanted", header: t("arrives"), cell: (o) => <Day on={o.wanted_on} near={0} /> },
    { key: "state", header: t("common:field.state"), cell: (o) => <State value={o.state} /> },
    { key: "notice", header: t("notice"), cell: (o) => first.get(o.number) === o && (
      <span className={classes.notice}>
        {o.asn_id && <Link className="quiet-link" to={`/asns/${o.asn_id}`}><State value={o.asn_state} /></Link>}
        {may("lead", "integrator") && (!o.asn_id || o.asn_state === "cancelled" || (o.asn_state === "expected" && o.asn_source === "erp")) && (
          <Button size="compact-xs" variant={o.asn_id ? "subtle" : "light"} title={t("notice_hint")} loading={expect.isPending && expect.variables === o.number} onClick={() => expect.mutate(o.number)}>
            {t(o.asn_state === "expected" ? "notice_again" : "notice_make")}
          </Button>
        )}
      </span>
    ) },
  ];
  return (
    <>
      {expect.error && <ErrorState error={expect.error} compact />}
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState title={t("nothing_on_order")} next={t("nothing_on_order_next")} />}>
          {(rows) => <DataTable label={t("tab.on_order")} rows={rows} columns={columns} rowKey={(o) => o.number + o.item_id} more={list.more} />}
        </LiveView>
      </Panel>
    </>
  );
}

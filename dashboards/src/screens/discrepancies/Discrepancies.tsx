// Where reality and books differ, and the counts that settle it.
import { Button } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useQuery } from "@tanstack/react-query";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { Actor } from "@/components/Actor";
import { FormDialog, orNull, text } from "@/components/CommandForm";
import { Confirm } from "@/components/Confirm";
import { DataTable, type Column } from "@/components/DataTable";
import { Choice, useFilter } from "@/components/filters";
import { ItemLink, PlaceLink } from "@/components/MovementTable";
import { minus } from "@/components/numbers";
import { Page, Panel } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State, useWord } from "@/components/State";
import { ScreenTabs } from "@/components/tabs";
import { Time } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { actOnCount, countTasksQuery, differencesQuery, discrepanciesQuery, newCount, recountDiscrepancy, type CountState, type CountTask, type Discrepancy } from "@/data/discrepancies";
import { useList } from "@/data/queries";
import { WrongScans } from "./WrongScans";

export default function Discrepancies() {
  const { t } = useTranslation(["discrepancies", "common"]);
  return (
    <Page title={t("title")} lead={t("lead")}>
      <ScreenTabs
        tabs={[
          { value: "discrepancies", label: t("tab.discrepancies"), content: () => <List /> },
          { value: "counts", label: t("tab.counts"), content: () => <Counts /> },
          { value: "wrong-scans", label: t("tab.wrong_scans"), content: () => <WrongScans /> },
        ]}
      />
    </Page>
  );
}

function List() {
  const { t } = useTranslation(["discrepancies", "common"]);
  const word = useWord();
  const [state] = useFilter("state", "open");
  const list = useList(discrepanciesQuery({ state: state === "all" ? undefined : (state as "open") }));
  const recount = useCommand(recountDiscrepancy, { changes: ["discrepancies", "tasks"] });
  const columns: Column<Discrepancy>[] = [
    { key: "when", header: t("common:field.when"), cell: (d) => <Time at={d.raised_at} age /> },
    { key: "kind", header: t("what"), cell: (d) => <strong style={{ fontWeight: 560 }}>{word("discrepancies:kind", d.kind)}</strong> },
    { key: "item", header: t("common:field.item"), grow: true, cell: (d) => (d.item_id && d.sku ? <ItemLink id={d.item_id} sku={d.sku} name={d.item_name} /> : <span className="soft">–</span>) },
    { key: "place", header: t("common:field.place"), cell: (d) => <PlaceLink id={d.place_id} code={d.place_code} /> },
    { key: "expected", header: t("books"), align: "right", cell: (d) => <Quantity value={d.expected} /> },
    { key: "observed", header: t("reality"), align: "right", cell: (d) => <Quantity value={d.observed} /> },
    { key: "difference", header: t("difference"), align: "right", cell: (d) => (d.expected !== null && d.observed !== null ? <Quantity value={minus(d.observed, d.expected)} signed /> : <span className="soft">–</span>) },
    { key: "count", header: t("count"), cell: (d) => (d.count_task_state ? <State value={d.count_task_state} group="discrepancies:count_state" /> : <span className="soft">–</span>) },
    { key: "state", header: t("common:field.state"), cell: (d) => <State value={d.state} tone={d.state === "open" ? "warn" : undefined} /> },
    { key: "act", header: "", align: "right", cell: (d) => d.state === "open" && !d.count_task_id && (
      <Button size="compact-xs" variant="light" loading={recount.isPending && recount.variables === d.id} onClick={() => recount.mutate(d.id)}>
        {t("recount")}
      </Button>
    ) },
  ];
  return (
    <>
      <Choice name="state" fallback="open" options={[{ value: "open", label: t("open") }, { value: "resolved", label: t("resolved") }, { value: "all", label: t("common:action.all") }]} />
      {recount.error && <ErrorState error={recount.error} compact />}
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState tone="ok" title={t("none")} next={t("none_next")} />}>
          {(rows) => <DataTable label={t("title")} rows={rows} columns={columns} rowKey={(d) => d.id} rowTo={(d) => `/discrepancies/${d.id}`} more={list.more} />}
        </LiveView>
      </Panel>
    </>
  );
}

const COUNT_STATES: CountState[] = ["open", "recount", "to_approve", "done", "cancelled"];

function Counts() {
  const { t } = useTranslation(["discrepancies", "common"]);
  const word = useWord();
  const may = useMay();
  const [state] = useFilter("count", "to_approve");
  const [starting, setStarting] = useState(false);
  const [open, setOpen] = useState<string | null>(null);
  const list = useList(countTasksQuery({ state: state === "all" ? undefined : (state as CountState) }));
  const start = useCommand(newCount, { changes: ["tasks"] });
  const columns: Column<CountTask>[] = [
    { key: "place", header: t("common:field.place"), cell: (task) => <PlaceLink id={task.place_id} code={task.place_code} /> },
    { key: "item", header: t("common:field.item"), grow: true, cell: (task) => (task.item_id && task.sku ? <ItemLink id={task.item_id} sku={task.sku} name={task.item_name} /> : t("whole_place")) },
    { key: "reason", header: t("common:field.reason"), cell: (task) => task.reason || "–" },
    { key: "round", header: t("round"), align: "right", cell: (task) => task.round },
    { key: "by", header: t("counted_by"), cell: (task) => (task.counted_by.length > 0 ? task.counted_by.map((who) => <Actor key={who} actor={who} />) : <span className="soft">–</span>) },
    { key: "tolerance", header: t("tolerance"), align: "right", cell: (task) => <Quantity value={task.tolerance} /> },
    { key: "created", header: t("common:field.created"), cell: (task) => <Time at={task.created_at} age /> },
    { key: "state", header: t("common:field.state"), cell: (task) => <State value={task.state} group="discrepancies:count_state" tone={task.state === "to_approve" ? "warn" : undefined} /> },
  ];
  return (
    <>
      <div style={{ display: "flex", gap: 10 }}>
        <Choice name="count" fallback="to_approve" options={[...COUNT_STATES.map((value) => ({ value, label: word("discrepancies:count_state", value) })), { value: "all", label: t("common:action.all") }]} />
        {may("lead") && (
          <Button ml="auto" onClick={() => setStarting(true)}>
            {t("start_count")}
          </Button>
        )}
      </div>
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState tone="ok" title={t("no_counts")} next={t("no_counts_next")} />}>
          {(rows) => (
            <DataTable
              label={t("tab.counts")}
              rows={rows}
              columns={columns}
              rowKey={(task) => task.id}
              onOpen={(task) => setOpen(open === task.id ? null : task.id)}
              expanded={(task) => (task.id === open ? <Differences task={task} /> : undefined)}
              more={list.more}
            />
          )}
        </LiveView>
      </Panel>
      <FormDialog
        title={t("start_count")}
        opened={starting}
        onClose={() => setStarting(false)}
        command={start}
        fields={[
          { name: "place", label: t("common:field.place"), required: true, half: true },
          { name: "item", label: t("common:field.item"), hint: t("item_hint"), half: true },
          { name: "tolerance", label: t("tolerance"), hint: t("tolerance_hint"), kind: "quantity", half: true, initial: "0" },
          { name: "reason", label: t("common:field.reason"), half: true },
        ]}
        toInput={(values) => ({ place: text(values["place"]), item: orNull(values["item"]), tolerance: text(values["tolerance"]) || "0", reason: text(values["reason"]) || t("cycle_count") })}
        submit={t("start_count")}
        done={t("count_started")}
      />
    </>
  );
}

function Differences({ task }: { task: CountTask }) {
  const { t } = useTranslation(["discrepancies", "common"]);
  const may = useMay();
  const differences = useQuery(differencesQuery(task.id));
  const act = useCommand(actOnCount, { changes: ["tasks", "discrepancies", "stock", "movements"] });
  return (
    <>
      <LiveView query={differences} empty={(page) => page.items.length === 0 && <EmptyState tone="ok" title={t("no_difference")} />}>
        {(page) => (
          <DataTable
            label={t("difference")}
            rows={page.items}
            rowKey={(row) => row.item_id + (row.lot_code ?? "") + (row.serial ?? "")}
            columns={[
              { key: "item", header: t("common:field.item"), cell: (row) => <ItemLink id={row.item_id} sku={row.sku} /> },
              { key: "lot", header: t("common:field.lot"), grow: true, cell: (row) => <span className="mono">{row.lot_code ?? row.serial ?? "–"}</span> },
              { key: "booked", header: t("books"), align: "right", cell: (row) => <Quantity value={row.booked} /> },
              { key: "counted", header: t("counted"), align: "right", cell: (row) => <Quantity value={row.counted} /> },
              { key: "change", header: t("difference"), align: "right", cell: (row) => <Quantity value={row.change} signed /> },
            ]}
          />
        )}
      </LiveView>
      {act.error && <ErrorState error={act.error} compact />}
      {may("lead") && (
        <div style={{ display: "flex", gap: 8, justifyContent: "flex-end", marginTop: 10 }}>
          {["open", "recount", "to_approve"].includes(task.state) && (
            <Confirm size="xs" variant="subtle" color="gray" onConfirm={() => act.mutate({ id: task.id, action: "cancel" })}>
              {t("cancel_count")}
            </Confirm>
          )}
          {task.state === "to_approve" && (
            <>
              <Button size="xs" variant="default" onClick={() => act.mutate({ id: task.id, action: "recount" })}>
                {t("count_again")}
              </Button>
              <Button size="xs" loading={act.isPending} onClick={() => act.mutate({ id: task.id, action: "approve" })}>
                {t("approve")}
              </Button>
            </>
          )}
        </div>
      )}
    </>
  );
}

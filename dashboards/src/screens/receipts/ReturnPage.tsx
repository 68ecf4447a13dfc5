// A customer's return: what came back, why, in which condition, and where it went.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { Actor } from "@/components/Actor";
import { FormDialog, text } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Facts } from "@/components/facts";
import { ItemLink, PlaceLink } from "@/components/MovementTable";
import { Columns, Page, Panel } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State, useWord } from "@/components/State";
import { Time } from "@/components/Time";
import { useReturnReason } from "@/components/useReturnReason";
import { LiveView } from "@/components/views";
import { returnQuery, takeBackLine, type Return, type ReturnLine } from "@/data/receiving";

export default function ReturnPage() {
  const { t } = useTranslation(["receipts", "common"]);
  const { returnId = "" } = useParams();
  const found = useQuery(returnQuery(returnId));
  const known = found.data;
  return (
    <Page
      name={known?.number}
      title={known?.number ?? "…"}
      crumbs={[
        { label: t("title"), to: "/receipts" },
        { label: t("tab.returns"), to: "/receipts?tab=returns" },
      ]}
      lead={known?.customer ?? undefined}
    >
      <LiveView query={found}>{(r) => <Details entry={r} />}</LiveView>
    </Page>
  );
}

function Details({ entry }: { entry: Return }) {
  const { t } = useTranslation(["receipts", "common"]);
  const word = useWord();
  const reasonOf = useReturnReason();
  const may = useMay();
  const [wrong, setWrong] = useState<ReturnLine | null>(null);
  const command = useCommand(takeBackLine, { changes: ["receipts", "stock", "movements"] });
  const lines: Column<ReturnLine>[] = [
    { key: "item", header: t("common:field.item"), grow: true, cell: (line) => <ItemLink id={line.item_id} sku={line.sku} name={line.name} /> },
    { key: "lot", header: t("lot_or_serial"), cell: (line) => <span className="mono">{line.lot ?? line.serial ?? "–"}</span> },
    { key: "quantity", header: t("common:field.quantity"), align: "right", cell: (line) => <Quantity value={line.quantity} unit={line.unit} /> },
    { key: "reason", header: t("common:field.reason"), cell: (line) => reasonOf(line.reason) },
    { key: "grade", header: t("grade"), cell: (line) => word("grade", line.grade) },
    { key: "place", header: t("went_to"), cell: (line) => <PlaceLink id={line.place_id} code={line.place} /> },
    { key: "status", header: t("common:field.status"), cell: (line) => (line.taken_back ? <State value="cancelled" label={t("taken_back")} /> : <State value={line.status} />) },
    ...(may("lead") ? [{ key: "back", header: "", align: "right" as const, cell: (line: ReturnLine) => !line.taken_back && (
      <Button size="compact-xs" variant="subtle" color="gray" onClick={() => setWrong(line)}>{t("take_back")}</Button>
    ) }] : []),
  ];
  return (
    <Columns ratio="minmax(0, 1fr) 260px">
      <Panel title={t("common:field.lines")} flush>
        <DataTable label={t("common:field.lines")} rows={entry.lines} columns={lines} rowKey={(line) => line.id} rowTo={(line) => `/movements/${line.movement_id}`} />
        <FormDialog
          title={t("take_back")}
          opened={wrong !== null}
          onClose={() => setWrong(null)}
          fields={[{ name: "reason", label: t("common:field.reason"), hint: t("take_back_hint"), required: true }]}
          command={command}
          submit={t("take_back")}
          done={t("taken_back")}
          toInput={(values) => ({ id: entry.id, line_id: wrong?.id ?? "", reason: text(values["reason"]) })}
        />
      </Panel>
      <Panel title={t("about")}>
        <Facts
          facts={[
            [t("common:field.order"), entry.order_id ? <Link key="o" to={`/orders/${entry.order_id}`}>{entry.order_number}</Link> : t("without_order")],
            [t("common:field.customer"), entry.customer ?? "–"],
            [t("common:field.when"), <Time key="w" at={entry.created_at} age />],
            [t("common:field.who"), <Actor key="b" actor={entry.created_by} />],
            entry.note !== "" && [t("common:field.note"), entry.note],
            [t("movements"), <Link key="m" to={`/movements?cause_kind=return&cause_id=${entry.id}`}>{t("all_movements")}</Link>],
          ]}
        />
      </Panel>
    </Columns>
  );
}

// Stock on its way between sites: made here, sent off there, received with what really came.
import { Button } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { Actor } from "@/components/Actor";
import { FormDialog, orNull, text, type Field } from "@/components/CommandForm";
import { Confirm } from "@/components/Confirm";
import { DataTable, type Column } from "@/components/DataTable";
import { ItemLink } from "@/components/MovementTable";
import { Page, Panel } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State } from "@/components/State";
import { Time } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { useList } from "@/data/queries";
import { useSite, useSites } from "@/data/site";
import { createTransfer, dispatchTransfer, receiveTransfer, transfersQuery, type NewTransfer, type Transfer } from "@/data/transfers";

export default function Transfers() {
  const { t } = useTranslation(["stock", "common"]);
  const may = useMay();
  const sites = useSites();
  const here = useSite();
  const [adding, setAdding] = useState(false);
  const [receiving, setReceiving] = useState<Transfer | null>(null);
  const [open, setOpen] = useState<string | null>(null);
  const list = useList(transfersQuery);
  const create = useCommand(createTransfer, { changes: ["stock", "movements"] });
  const send = useCommand(dispatchTransfer, { changes: ["stock", "movements"] });
  const nameOf = (id: string) => sites.find((site) => site.id === id)?.name ?? id.slice(0, 8);
  const others = sites.filter((site) => site.id !== here?.id);
  const columns: Column<Transfer>[] = [
    { key: "number", header: t("transfer.one"), cell: (transfer) => <strong style={{ fontWeight: 560 }}>{transfer.number}</strong> },
    { key: "from", header: t("common:field.from"), cell: (transfer) => nameOf(transfer.from_site_id) },
    { key: "to", header: t("common:field.to"), cell: (transfer) => nameOf(transfer.to_site_id) },
    { key: "lines", header: t("common:field.lines"), grow: true, cell: (transfer) => transfer.lines.map((line) => `${line.quantity} × ${line.sku}`).join(", ") },
    { key: "created", header: t("common:field.created"), cell: (transfer) => <Time at={transfer.created_at} age /> },
    { key: "who", header: t("common:field.who"), cell: (transfer) => <Actor actor={transfer.created_by} /> },
    { key: "state", header: t("common:field.state"), cell: (transfer) => <State value={transfer.state} /> },
    ...(may("lead", "worker")
      ? [{ key: "act", header: "", align: "right" as const, cell: (transfer: Transfer) =>
          transfer.dispatched_at === null ? (
            transfer.from_site_id === here?.id && <Confirm size="compact-xs" variant="light" onConfirm={() => send.mutate(transfer.id)}>{t("transfer.dispatch")}</Confirm>
          ) : transfer.received_at === null && transfer.to_site_id === here?.id ? (
            <Button size="compact-xs" variant="light" onClick={() => setReceiving(transfer)}>{t("transfer.receive")}</Button>
          ) : null }]
      : []),
  ];
  return (
    <Page
      title={t("transfer.title")}
      crumbs={[{ label: t("title"), to: "/stock" }]}
      lead={t("transfer.lead")}
      actions={may("lead") && others.length > 0 && <Button onClick={() => setAdding(true)}>{t("transfer.add")}</Button>}
    >
      {send.error && <ErrorState error={send.error} compact />}
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState title={t("transfer.none")} next={t(others.length > 0 ? "transfer.none_next" : "transfer.one_site")} />}>
          {(rows) => (
            <DataTable label={t("transfer.title")} rows={rows} columns={columns} rowKey={(transfer) => transfer.id} more={list.more}
              onOpen={(transfer) => setOpen(open === transfer.id ? null : transfer.id)} expanded={(transfer) => (transfer.id === open ? <Lines transfer={transfer} /> : undefined)} />
          )}
        </LiveView>
      </Panel>
      <FormDialog
        title={t("transfer.add")}
        opened={adding}
        onClose={() => setAdding(false)}
        command={create}
        fields={[
          { name: "to_site_id", label: t("transfer.to_site"), kind: "select", required: true, options: others.map((site) => ({ value: site.id, label: site.name })) },
          { name: "item", label: t("common:field.item"), hint: t("item_hint"), required: true, half: true },
          { name: "quantity", label: t("common:field.quantity"), kind: "quantity", required: true, half: true },
          { name: "from_place", label: t("transfer.from_place"), hint: t("place_hint"), required: true, half: true },
          { name: "lot", label: t("common:field.lot"), half: true },
          { name: "serial", label: t("common:field.serial"), half: true },
        ]}
        toInput={(values): NewTransfer => ({
          to_site_id: text(values["to_site_id"]),
          lines: [{ item: text(values["item"]), quantity: text(values["quantity"]), from_place: text(values["from_place"]), lot: orNull(values["lot"]), serial: orNull(values["serial"]) }],
        })}
        submit={t("common:action.create")}
        done={t("common:action.saved")}
      />
      {receiving && <ReceiveDialog key={receiving.id} transfer={receiving} onClose={() => setReceiving(null)} />}
    </Page>
  );
}

function Lines({ transfer }: { transfer: Transfer }) {
  const { t } = useTranslation(["stock", "common"]);
  return (
    <DataTable
      label={transfer.number}
      rows={transfer.lines}
      rowKey={(line) => line.id}
      columns={[
        { key: "item", header: t("common:field.item"), cell: (line) => <ItemLink id={line.item_id} sku={line.sku} /> },
        { key: "lot", header: t("common:field.lot"), grow: true, cell: (line) => <span className="mono">{line.lot_code ?? line.serial ?? "–"}</span> },
        { key: "quantity", header: t("common:field.quantity"), align: "right", cell: (line) => <Quantity value={line.quantity} /> },
        { key: "received", header: t("common:state.received"), align: "right", cell: (line) => <Quantity value={line.received} /> },
      ]}
    />
  );
}

function ReceiveDialog({ transfer, onClose }: { transfer: Transfer; onClose: () => void }) {
  const { t } = useTranslation(["stock", "common"]);
  const receive = useCommand(receiveTransfer, { changes: ["stock", "movements", "discrepancies"] });
  const counted = transfer.lines.map((line): Field => ({ name: line.id, label: t("transfer.counted", { sku: line.sku, quantity: line.quantity }), kind: "quantity", required: true, half: true, initial: line.quantity }));
  return (
    <FormDialog
      title={`${t("transfer.receive")}: ${transfer.number}`}
      opened
      onClose={onClose}
      command={receive}
      fields={[{ name: "to_place", label: t("transfer.to_place"), hint: t("place_hint"), required: true }, ...counted]}
      toInput={(values) => ({ id: transfer.id, to_place: text(values["to_place"]), counted: transfer.lines.map((line) => ({ line_id: line.id, quantity: text(values[line.id]) })) })}
      submit={t("transfer.receive")}
      done={t("common:action.saved")}
    />
  );
}

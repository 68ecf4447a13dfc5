// Where routes start and end.
import { Autocomplete, Button } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { FormDialog, orNull, text, type Field, type Values } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Page, Panel } from "@/components/Page";
import { State } from "@/components/State";
import { EmptyState, LiveView } from "@/components/views";
import { changeDepot, createDepot, depotsQuery, type Depot, type NewDepot } from "@/data/fleet";
import { addressesQuery } from "@/data/map";

export default function Depots() {
  const { t } = useTranslation(["settings", "common"]);
  const depots = useQuery(depotsQuery);
  const [editing, setEditing] = useState<Depot | "new" | null>(null);
  const columns: Column<Depot>[] = [
    { key: "code", header: t("common:field.code"), cell: (depot) => <span className="mono">{depot.code}</span> },
    { key: "name", header: t("common:field.name"), cell: (depot) => depot.name },
    { key: "address", header: t("common:field.address"), grow: true, cell: (depot) => depot.address || "–" },
    { key: "at", header: t("depot.position"), cell: (depot) => <span className="mono">{depot.lat.toFixed(5)}, {depot.lon.toFixed(5)}</span> },
    { key: "load", header: t("depot.load"), align: "right", cell: (depot) => t("minutes", { n: Math.round(depot.load_s / 60) }) },
    { key: "active", header: t("common:field.state"), cell: (depot) => <State value={depot.active ? "active" : "inactive"} /> },
  ];
  const add = { label: t("depot.add"), onClick: () => setEditing("new") };
  return (
    <Page title={t("chapter.depots")} lead={t("depot.lead")} actions={<Button onClick={add.onClick}>{add.label}</Button>}>
      <Panel flush>
        <LiveView query={depots} empty={(rows) => rows.length === 0 && <EmptyState title={t("depot.none")} next={t("depot.none_next")} action={add} />}>
          {(rows) => <DataTable label={t("chapter.depots")} rows={rows} columns={columns} rowKey={(depot) => depot.id} onOpen={setEditing} />}
        </LiveView>
      </Panel>
      {editing && <DepotDialog key={editing === "new" ? "new" : editing.id} depot={editing === "new" ? null : editing} onClose={() => setEditing(null)} />}
    </Page>
  );
}

function DepotDialog({ depot, onClose }: { depot: Depot | null; onClose: () => void }) {
  const { t } = useTranslation(["settings", "common"]);
  const create = useCommand(createDepot, { changes: ["deliveries"] });
  const change = useCommand(changeDepot, { changes: ["deliveries"] });
  const fields: Field[] = [
    ...(depot ? [] : [{ name: "code", label: t("common:field.code"), required: true, half: true } satisfies Field]),
    { name: "name", label: t("common:field.name"), required: true, half: true, initial: depot?.name },
    { name: "address", label: t("common:field.address"), initial: depot?.address },
    { name: "lat", label: t("depot.lat"), kind: "quantity", half: true, hint: depot ? undefined : t("depot.lat_hint"), initial: depot ? String(depot.lat) : "" },
    { name: "lon", label: t("depot.lon"), kind: "quantity", half: true, initial: depot ? String(depot.lon) : "" },
    { name: "load_min", label: t("depot.load"), kind: "quantity", required: true, half: true, hint: t("depot.load_hint"), initial: String(Math.round((depot?.load_s ?? 600) / 60)) },
    ...(depot ? [{ name: "active", label: t("depot.active"), kind: "check", initial: depot.active, half: true } satisfies Field] : []),
  ];
  const common = (values: Values) => ({
    name: text(values["name"]), address: text(values["address"]), lat: number(values["lat"]), lon: number(values["lon"]), load_s: Math.round(Number(text(values["load_min"])) * 60),
  });
  const shared = { opened: true, onClose, fields, done: t("common:action.saved"), before: (fill: (values: Values) => void) => <AddressFinder onFound={fill} /> };
  return depot ? (
    <FormDialog {...shared} title={depot.code} command={change} submit={t("common:action.save")} toInput={(values) => ({ id: depot.id, version: depot.version, active: values["active"] === true, ...common(values) })} />
  ) : (
    <FormDialog {...shared} title={t("depot.add")} command={create} submit={t("common:action.create")} toInput={(values): NewDepot => ({ code: text(values["code"]), ...common(values) })} />
  );
}

const number = (value: Values[string] | undefined): number | null => (orNull(value) === null ? null : Number(text(value)));

/** Asks the map: an address that it knows fills in where that is. */
function AddressFinder({ onFound }: { onFound: (values: Values) => void }) {
  const { t } = useTranslation("settings");
  const [typed, setTyped] = useState("");
  const [q] = useDebouncedValue(typed.trim(), 250);
  const found = useQuery({ ...addressesQuery(q), enabled: q.length > 2, retry: false }).data?.matches ?? [];
  return (
    <Autocomplete
      label={t("depot.find")} description={t("depot.find_hint")} value={typed} onChange={setTyped} filter={({ options }) => options} data={[...new Set(found.map((match) => match.label))]}
      onOptionSubmit={(label) => {
        const match = found.find((one) => one.label === label);
        if (match) onFound({ address: match.label, lat: match.lat.toFixed(6), lon: match.lon.toFixed(6) });
      }}
    />
  );
}

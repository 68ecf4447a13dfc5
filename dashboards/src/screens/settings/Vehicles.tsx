// What each van carries, what it costs, and which receiver tells where it is.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useCommand } from "@/api/command";
import { FormDialog, many, orNull, text, type Field, type Values } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Goods, GOODS, isGoods } from "@/components/Goods";
import { PlaceLink } from "@/components/MovementTable";
import { Page, Panel } from "@/components/Page";
import { State, useWord } from "@/components/State";
import { EmptyState, LiveView } from "@/components/views";
import { capital } from "@/components/words";
import { changeVehicle, createVehicle, depotsQuery, fleetQuery, type Depot, type FleetVehicle, type NewFleetVehicle } from "@/data/fleet";

const KG = 1000, CUBIC_M = 1_000_000, MONEY = 100;
const shown = (value: number, unit: number): string => (value / unit).toLocaleString("en", { maximumFractionDigits: 2, useGrouping: false });
const whole = (value: Values[string] | undefined, unit: number): number => Math.round(Number(text(value).replace(",", ".")) * unit);

export default function Vehicles() {
  const { t } = useTranslation(["settings", "common"]);
  const vehicles = useQuery(fleetQuery);
  const depots = useQuery(depotsQuery);
  const [editing, setEditing] = useState<FleetVehicle | "new" | null>(null);
  const columns: Column<FleetVehicle>[] = [
    { key: "code", header: t("common:field.code"), cell: (vehicle) => <PlaceLink id={vehicle.id} code={vehicle.code} /> },
    { key: "name", header: t("common:field.name"), cell: (vehicle) => <>{vehicle.name || "–"} <span className="mono soft" title={t("vehicle.plate")}>{vehicle.plate}</span></> },
    { key: "depot", header: t("vehicle.depot"), cell: (vehicle) => vehicle.depot_code },
    { key: "goods", header: t("vehicle.goods"), grow: true, cell: (vehicle) => (vehicle.skills.length > 0 ? <Goods of={vehicle.skills} /> : <span className="soft">{t("vehicle.ambient_only")}</span>) },
    { key: "weight", header: t("vehicle.weight"), align: "right", cell: (vehicle) => shown(vehicle.max_weight_g, KG) },
    { key: "volume", header: t("vehicle.volume"), align: "right", cell: (vehicle) => shown(vehicle.max_volume_ml, CUBIC_M) },
    { key: "cartons", header: t("vehicle.cartons_short"), align: "right", cell: (vehicle) => vehicle.max_cartons },
    { key: "costs", header: t("vehicle.costs"), align: "right", cell: (vehicle) => [vehicle.cost_per_km_cents, vehicle.cost_per_h_cents].map((cents) => (cents / MONEY).toFixed(2)).join(" / ") },
    { key: "gps", header: t("vehicle.gps"), cell: (vehicle) => (vehicle.gps_device ? <span className="mono" title={vehicle.gps_agent ?? undefined}>{vehicle.gps_device}</span> : <span className="soft">{t("vehicle.no_gps")}</span>) },
    { key: "active", header: t("common:field.state"), cell: (vehicle) => <State value={vehicle.active ? "active" : "inactive"} /> },
  ];
  const without = depots.data?.length === 0;
  const add = { label: t("vehicle.add"), onClick: () => setEditing("new") };
  return (
    <Page title={t("chapter.vehicles")} lead={t("vehicle.lead")} actions={<Button onClick={add.onClick} disabled={without}>{add.label}</Button>}>
      <Panel flush>
        <LiveView
          query={vehicles}
          empty={(rows) => rows.length === 0 && (without
            ? <EmptyState title={t("depot.none")} next={<Link to="/settings/depots">{t("vehicle.depot_first")}</Link>} />
            : <EmptyState title={t("vehicle.none")} next={t("vehicle.none_next")} action={add} />)}
        >
          {(rows) => <DataTable label={t("chapter.vehicles")} rows={rows} columns={columns} rowKey={(vehicle) => vehicle.id} onOpen={setEditing} />}
        </LiveView>
      </Panel>
      {editing && <VehicleDialog key={editing === "new" ? "new" : editing.id} vehicle={editing === "new" ? null : editing} depots={depots.data ?? []} onClose={() => setEditing(null)} />}
    </Page>
  );
}

function VehicleDialog({ vehicle, depots, onClose }: { vehicle: FleetVehicle | null; depots: Depot[]; onClose: () => void }) {
  const { t } = useTranslation(["settings", "common"]);
  const word = useWord();
  const create = useCommand(createVehicle, { changes: ["deliveries", "floor"] });
  const change = useCommand(changeVehicle, { changes: ["deliveries", "floor"] });
  const fields: Field[] = [
    ...(vehicle ? [] : [{ name: "code", label: t("common:field.code"), required: true, half: true } satisfies Field]),
    { name: "name", label: t("common:field.name"), half: true, initial: vehicle?.name },
    { name: "plate", label: t("vehicle.plate"), half: true, initial: vehicle?.plate },
    { name: "depot_id", label: t("vehicle.depot"), kind: "select", required: true, half: true, initial: vehicle?.depot_id ?? depots[0]?.id ?? "",
      options: depots.map((depot) => ({ value: depot.id, label: `${depot.code} ${depot.name}` })) },
    { name: "weight", label: t("vehicle.weight"), kind: "quantity", required: true, half: true, initial: vehicle ? shown(vehicle.max_weight_g, KG) : "800" },
    { name: "volume", label: t("vehicle.volume"), kind: "quantity", required: true, half: true, initial: vehicle ? shown(vehicle.max_volume_ml, CUBIC_M) : "6" },
    { name: "cartons", label: t("vehicle.cartons"), kind: "quantity", required: true, half: true, initial: String(vehicle?.max_cartons ?? 200) },
    { name: "fixed", label: t("vehicle.fixed"), hint: t("vehicle.fixed_hint"), kind: "quantity", required: true, half: true, initial: shown(vehicle?.fixed_cost_cents ?? 0, MONEY) },
    { name: "km", label: t("vehicle.per_km"), kind: "quantity", required: true, half: true, initial: shown(vehicle?.cost_per_km_cents ?? 60, MONEY) },
    { name: "h", label: t("vehicle.per_h"), kind: "quantity", required: true, half: true, initial: shown(vehicle?.cost_per_h_cents ?? 3500, MONEY) },
    { name: "gps_agent", label: t("vehicle.gps_agent"), hint: t("vehicle.gps_hint"), half: true, initial: vehicle?.gps_agent ?? "" },
    { name: "gps_device", label: t("vehicle.gps_device"), half: true, initial: vehicle?.gps_device ?? "" },
    { name: "goods", label: t("vehicle.goods"), hint: t("vehicle.goods_hint"), kind: "many", initial: vehicle?.skills.filter(isGoods) ?? [],
      options: GOODS.map((value) => ({ value, label: capital(word("storage", value)) })) },
    { name: "skills", label: t("vehicle.skills"), hint: t("vehicle.skills_hint"), initial: vehicle?.skills.filter((skill) => !isGoods(skill)).join(", ") },
    ...(vehicle ? [{ name: "active", label: t("vehicle.active"), kind: "check", initial: vehicle.active } satisfies Field] : []),
  ];
  const common = (values: Values) => ({
    name: text(values["name"]), plate: text(values["plate"]), depot_id: text(values["depot_id"]), max_weight_g: whole(values["weight"], KG), max_volume_ml: whole(values["volume"], CUBIC_M),
    max_cartons: whole(values["cartons"], 1), fixed_cost_cents: whole(values["fixed"], MONEY), cost_per_km_cents: whole(values["km"], MONEY), cost_per_h_cents: whole(values["h"], MONEY),
    gps_agent: orNull(values["gps_agent"]), gps_device: orNull(values["gps_device"]),
    skills: [...new Set([...many(values["goods"]), ...text(values["skills"]).split(/[,，]/).map((skill) => skill.trim()).filter(Boolean)])],
  });
  const shared = { opened: true, onClose, fields, done: t("common:action.saved") };
  return vehicle ? (
    <FormDialog {...shared} title={vehicle.code} command={change} submit={t("common:action.save")} toInput={(values) => ({ id: vehicle.id, version: vehicle.version, active: values["active"] === true, ...common(values) })} />
  ) : (
    <FormDialog {...shared} title={t("vehicle.add")} command={create} submit={t("common:action.create")} toInput={(values): NewFleetVehicle => ({ code: text(values["code"]), ...common(values) })} />
  );
}

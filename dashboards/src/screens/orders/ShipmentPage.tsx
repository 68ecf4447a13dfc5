// A vehicle at a door: which orders it takes, which cartons are in, and what really left.
import { Button, Checkbox } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { Actor } from "@/components/Actor";
import { FormDialog, orNull } from "@/components/CommandForm";
import { Code } from "@/components/Code";
import { Confirm } from "@/components/Confirm";
import { DataTable, type Column } from "@/components/DataTable";
import { Facts } from "@/components/facts";
import { PlaceLink } from "@/components/MovementTable";
import { Columns, Page, Panel, Stack } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State, type Tone } from "@/components/State";
import { Age, Time } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { useList } from "@/data/queries";
import { changeShipment, depart, shipmentEventsQuery, shipmentQuery, unload, type Shipment, type ShipmentEvent } from "@/data/shipping";
import { sentence } from "@/i18n/sentences";
import { useVehicleAndDoor } from "./vehicleAndDoor";

export default function ShipmentPage() {
  const { t } = useTranslation(["orders", "common"]);
  const { shipmentId = "" } = useParams();
  const may = useMay();
  const shipment = useQuery(shipmentQuery(shipmentId));
  const [anyway, setAnyway] = useState(false);
  const [changing, setChanging] = useState(false);
  const leave = useCommand(depart, { changes: ["orders", "stock", "movements"], onDone: () => notifications.show({ message: t("depart_done"), color: "teal" }) });
  const known = shipment.data;
  return (
    <Page
      name={known?.number}
      title={known ? <>{known.number} <State value={known.state} /></> : "…"}
      crumbs={[
        { label: t("title"), to: "/orders" },
        { label: t("tab.shipments"), to: "/orders?tab=shipments" },
      ]}
      lead={known && [known.vehicle_code, known.door_code].filter(Boolean).join(" · ")}
      actions={
        (known?.state === "loading" || known?.state === "planned") && may("lead", "dispatcher", "worker") ? (
          <>
            {known.cartons.every((carton) => carton.loaded_at === null) && may("lead", "dispatcher") && (
              <Button variant="default" onClick={() => setChanging(true)}>
                {t("change_shipment")}
              </Button>
            )}
            {leave.error && <Checkbox size="xs" label={t("anyway")} checked={anyway} onChange={(event) => setAnyway(event.currentTarget.checked)} />}
            <Confirm onConfirm={() => leave.mutate({ id: shipmentId, anyway })} loading={leave.isPending}>
              {t("depart")}
            </Confirm>
          </>
        ) : undefined
      }
    >
      {leave.error && <ErrorState error={leave.error} compact />}
      <LiveView query={shipment}>{(s) => <Details shipment={s} />}</LiveView>
      {changing && known && <ChangeDialog shipment={known} onClose={() => setChanging(false)} />}
    </Page>
  );
}

function ChangeDialog({ shipment, onClose }: { shipment: Shipment; onClose: () => void }) {
  const { t } = useTranslation(["orders", "common"]);
  const fields = useVehicleAndDoor(shipment);
  const change = useCommand(changeShipment, { changes: ["orders"] });
  return (
    <FormDialog
      title={`${shipment.number}: ${t("change_shipment")}`}
      opened
      onClose={onClose}
      command={change}
      fields={fields}
      toInput={(values) => ({ id: shipment.id, version: shipment.version, vehicle_id: orNull(values["vehicle_id"]), door_id: orNull(values["door_id"]) })}
      submit={t("common:action.save")}
      done={t("common:action.saved")}
    />
  );
}

function Details({ shipment }: { shipment: Shipment }) {
  const { t } = useTranslation(["orders", "common"]);
  const may = useMay();
  const off = useCommand(unload, { changes: ["orders", "tasks", "stock", "movements"] });
  const isOpen = shipment.state === "planned" || shipment.state === "loading";
  return (
    <Columns ratio="minmax(0, 2.2fr) minmax(300px, 1fr)">
      <Stack>
        <Panel title={t("cartons")} flush>
          {shipment.cartons.length === 0 ? (
            <EmptyState title={t("no_cartons")} next={t("no_cartons_next")} />
          ) : (
            <DataTable
              label={t("cartons")}
              rows={shipment.cartons}
              rowKey={(carton) => carton.carton_id}
              rowTo={(carton) => `/units/${encodeURIComponent(carton.sscc)}`}
              columns={[
                { key: "sscc", header: t("common:field.license_plate"), cell: (carton) => <Code value={carton.sscc} to={`/units/${encodeURIComponent(carton.sscc)}`} keep={24} /> },
                { key: "order", header: t("common:field.order"), grow: true, cell: (carton) => carton.order_number },
                { key: "where", header: t("common:field.place"), cell: (carton) => <span className="mono">{carton.place_code ?? "–"}</span> },
                { key: "weight", header: t("measured_weight"), align: "right", cell: (carton) => <Quantity value={carton.weight_g} unit="g" /> },
                { key: "loaded", header: t("loaded"), cell: (carton) => <Time at={carton.loaded_at} /> },
                ...(isOpen ? [] : [{ key: "confirmed", header: t("seen_leaving"), cell: (carton: Shipment["cartons"][number]) => <Time at={carton.confirmed_at} /> }]),
                { key: "state", header: t("common:field.state"), cell: (carton) => <State value={carton.state} /> },
                ...(isOpen && may("lead", "dispatcher", "worker")
                  ? [{ key: "off", header: "", align: "right" as const, cell: (carton: Shipment["cartons"][number]) => carton.loaded_at !== null && (
                      <Confirm size="compact-xs" variant="subtle" color="gray" loading={off.isPending && off.variables.code === carton.sscc} onConfirm={() => off.mutate({ id: shipment.id, code: carton.sscc })}>
                        {t("unload")}
                      </Confirm>
                    ) }]
                  : []),
              ]}
            />
          )}
          {off.error && <ErrorState error={off.error} compact />}
        </Panel>
        <Panel title={t("title")} flush>
          <DataTable
            label={t("title")}
            rows={shipment.orders}
            rowKey={(order) => order.order_id}
            rowTo={(order) => `/orders/${order.order_id}`}
            columns={[
              { key: "number", header: t("common:field.order"), cell: (order) => <strong style={{ fontWeight: 560 }}>{order.number}</strong> },
              { key: "customer", header: t("common:field.customer"), grow: true, cell: (order) => order.customer_name },
              { key: "due", header: t("common:field.due"), cell: (order) => <Age at={order.due_at} /> },
              { key: "state", header: t("common:field.state"), cell: (order) => <State value={order.state} /> },
            ]}
          />
        </Panel>
        <Events shipmentId={shipment.id} />
      </Stack>
      <Panel title={t("about")}>
        <Facts
          facts={[
            [t("common:field.vehicle"), shipment.vehicle_code ?? "–"],
            [t("common:field.door"), <PlaceLink key="d" id={shipment.door_id} code={shipment.door_code} />],
            [t("common:field.created"), <Time key="c" at={shipment.created_at} age />],
            [t("common:field.who"), <Actor key="a" actor={shipment.created_by} />],
            shipment.departed_at !== null && [t("departed"), <Time key="p" at={shipment.departed_at} age />],
            shipment.departed_by !== null && [t("common:field.who"), <Actor key="b" actor={shipment.departed_by} />],
          ]}
        />
      </Panel>
    </Columns>
  );
}

const EVENT_TONE: Record<string, Tone> = { loaded: "busy", unloaded: "wait", confirmed: "ok", refused: "bad", stray: "warn", departed: "ok" };

function Events({ shipmentId }: { shipmentId: string }) {
  const { t } = useTranslation(["orders", "common"]);
  const list = useList(shipmentEventsQuery(shipmentId));
  const columns: Column<ShipmentEvent>[] = [
    { key: "when", header: t("common:field.when"), cell: (e) => <Time at={e.at} age /> },
    { key: "what", header: t("shipment_event.title"), cell: (e) => <State value={e.what} group="orders:shipment_event" tone={EVENT_TONE[e.what]} /> },
    { key: "detail", header: t("common:field.note"), wrap: true, cell: (e) => sentence(e.detail) },
    { key: "door", header: t("common:field.door"), cell: (e) => <span className="mono">{e.door_code ?? "–"}</span> },
    { key: "who", header: t("common:field.who"), cell: (e) => <Actor actor={e.actor} /> },
  ];
  return (
    <Panel title={t("shipment_event.all")} flush>
      <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState title={t("shipment_event.none")} next={t("shipment_event.none_next")} />}>
        {(rows) => <DataTable label={t("shipment_event.all")} rows={rows} columns={columns} rowKey={(e) => e.id} tone={(e) => (e.what === "refused" || e.what === "stray" ? "warn" : undefined)} more={list.more} />}
      </LiveView>
    </Panel>
  );
}

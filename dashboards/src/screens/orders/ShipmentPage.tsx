// A vehicle at a door: which orders it takes, which cartons are in, and what really left.
import { Checkbox } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { Actor } from "@/components/Actor";
import { Code } from "@/components/Code";
import { Confirm } from "@/components/Confirm";
import { DataTable } from "@/components/DataTable";
import { Facts } from "@/components/facts";
import { PlaceLink } from "@/components/MovementTable";
import { Columns, Page, Panel, Stack } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State } from "@/components/State";
import { Age, Time } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { depart, shipmentQuery, type Shipment } from "@/data/shipping";

export default function ShipmentPage() {
  const { t } = useTranslation(["orders", "common"]);
  const { shipmentId = "" } = useParams();
  const may = useMay();
  const shipment = useQuery(shipmentQuery(shipmentId));
  const [anyway, setAnyway] = useState(false);
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
    </Page>
  );
}

function Details({ shipment }: { shipment: Shipment }) {
  const { t } = useTranslation(["orders", "common"]);
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
                { key: "by", header: t("common:field.who"), cell: (carton) => <Actor actor={carton.loaded_by} /> },
                { key: "confirmed", header: t("seen_leaving"), cell: (carton) => <Time at={carton.confirmed_at} /> },
                { key: "state", header: t("common:field.state"), cell: (carton) => <State value={carton.state} /> },
              ]}
            />
          )}
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

// What customers wait for, what is late, what waits for stock; and releasing orders to the pickers.
import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { FormDialog, many, orNull } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Bar } from "@/components/facts";
import { Choice, SearchFilter, useFilter } from "@/components/filters";
import { PlaceLink } from "@/components/MovementTable";
import { useNow } from "@/components/now";
import { Page, Panel } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { Shape, State, useWord } from "@/components/State";
import { ScreenTabs } from "@/components/tabs";
import { Age, Time } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { ORDER_STATES, ordersQuery, releaseWave, wavesQuery, type Order, type OrderState, type Wave } from "@/data/orders";
import { newShipment, shipmentsQuery, type Shipment } from "@/data/shipping";
import { useList } from "@/data/queries";
import { NewOrder } from "./NewOrder";
import { isLate, share } from "./progress";
import { useVehicleAndDoor } from "./vehicleAndDoor";

export default function Orders() {
  const { t } = useTranslation(["orders", "common"]);
  const may = useMay();
  const [adding, setAdding] = useState(false);
  return (
    <Page title={t("title")} lead={t("lead")} actions={may("lead", "integrator") && <Button onClick={() => setAdding(true)}>{t("new.title")}</Button>}>
      <ScreenTabs
        tabs={[
          { value: "orders", label: t("tab.orders"), content: () => <OrderList /> },
          { value: "waves", label: t("tab.waves"), content: () => <WaveList /> },
          { value: "shipments", label: t("tab.shipments"), content: () => <ShipmentList /> },
        ]}
      />
      {adding && <NewOrder onClose={() => setAdding(false)} />}
    </Page>
  );
}

function OrderList() {
  const { t } = useTranslation(["orders", "common"]);
  const word = useWord();
  const may = useMay();
  const now = useNow();
  const [state] = useFilter("state", "unfinished");
  const [q] = useFilter("q");
  const [item] = useFilter("item_id");
  const [wave] = useFilter("wave_id");
  const [selected, setSelected] = useState<Set<string>>(new Set());
  const orders = useList(
    ordersQuery({ state: state === "backordered" ? "unfinished" : (state as OrderState), backordered: state === "backordered", q, item_id: item, wave_id: wave }),
  );
  const release = useCommand(releaseWave, {
    changes: ["orders", "tasks"],
    onDone: (made) => {
      setSelected(new Set());
      notifications.show({ message: t("wave_made", { number: made.number, orders: made.orders }), color: "teal" });
    },
  });

  const columns: Column<Order>[] = [
    { key: "number", header: t("common:field.order"), cell: (order) => <strong style={{ fontWeight: 560 }}>{order.number}</strong> },
    { key: "customer", header: t("common:field.customer"), grow: true, cell: (order) => order.customer_name },
    { key: "due", header: t("common:field.due"), cell: (order) => <Due order={order} now={now} /> },
    { key: "lines", header: t("common:field.lines"), align: "right", cell: (order) => order.lines.length },
    { key: "progress", header: t("progress"), width: 150, cell: (order) => <Progress order={order} /> },
    { key: "waiting", header: t("waiting"), align: "right", cell: (order) => (order.backordered ? <Waiting order={order} /> : <span className="soft">–</span>) },
    { key: "state", header: t("common:field.state"), cell: (order) => <State value={order.state} /> },
    { key: "source", header: t("source"), cell: (order) => <span className="soft">{word("orders:from", order.source)}</span> },
    { key: "received", header: t("received"), cell: (order) => <Age at={order.received_at} /> },
  ];
  const options = [
    { value: "unfinished", label: t("unfinished") },
    { value: "backordered", label: t("backordered") },
    ...ORDER_STATES.map((value) => ({ value, label: word("state", value) })),
    { value: "all", label: t("common:action.all") },
  ];
  return (
    <>
      <div style={{ display: "flex", gap: 10, flexWrap: "wrap" }}>
        <Choice name="state" fallback="unfinished" options={options} />
        <SearchFilter placeholder={t("search")} width={220} />
        {selected.size > 0 && may("lead") && (
          <Button ml="auto" loading={release.isPending} onClick={() => release.mutate([...selected])}>
            {t("release", { count: selected.size })}
          </Button>
        )}
      </div>
      {release.error && <ErrorState error={release.error} compact />}
      <Panel flush>
        <LiveView
          query={orders}
          empty={(rows) => rows.length === 0 && <EmptyState tone={state === "backordered" ? "ok" : "wait"} title={t(state === "backordered" ? "none_backordered" : "none")} next={t("none_next")} />}
        >
          {(rows) => (
            <DataTable
              label={t("title")}
              rows={rows}
              columns={columns}
              rowKey={(order) => order.id}
              rowTo={(order) => `/orders/${order.id}`}
              tone={(order) => (isLate(order, now) ? "bad" : order.backordered ? "warn" : undefined)}
              more={orders.more}
              selection={may("lead") ? { selected, onChange: setSelected, canSelect: (order) => order.wave_id === null && (order.state === "open" || order.state === "allocated") } : undefined}
            />
          )}
        </LiveView>
      </Panel>
    </>
  );
}

export function Due({ order, now }: { order: Order; now: number }) {
  const { t } = useTranslation("orders");
  const late = isLate(order, now);
  return (
    <span className="nowrap" style={late ? { color: "var(--tone-bad-ink)", fontWeight: 560 } : undefined}>
      {late && <><Shape tone="bad" size={10} /> </>}
      <Age at={order.due_at} />
      {late && ` · ${t("late")}`}
    </span>
  );
}

function Progress({ order }: { order: Order }) {
  const { t } = useTranslation("orders");
  const done = share(order, order.state === "shipped" ? "shipped" : order.state === "packed" || order.state === "loaded" ? "packed" : "picked");
  const percent = done.whole > 0 ? Math.round((100 * done.part) / done.whole) : 0;
  return (
    <span style={{ display: "flex", alignItems: "center", gap: 8 }}>
      <Bar part={done.part} whole={done.whole} tone={percent === 100 ? "ok" : "busy"} label={t("percent_picked", { percent })} />
      <span className="soft" style={{ width: 36, textAlign: "right" }}>{t("percent", { percent })}</span>
    </span>
  );
}

function Waiting({ order }: { order: Order }) {
  const { part } = share(order, "waiting");
  return (
    <span style={{ color: "var(--tone-warn-ink)" }}>
      <Quantity value={part} unit={order.lines[0]?.unit} />
    </span>
  );
}

function WaveList() {
  const { t } = useTranslation(["orders", "common"]);
  const waves = useList(wavesQuery);
  const columns: Column<Wave>[] = [
    { key: "number", header: t("wave"), cell: (wave) => <strong style={{ fontWeight: 560 }}>{wave.number}</strong> },
    { key: "created", header: t("common:field.created"), cell: (wave) => <Time at={wave.created_at} age /> },
    { key: "orders", header: t("title"), align: "right", cell: (wave) => <Link className="quiet-link" to={`/orders?wave_id=${wave.id}&state=all`}>{wave.orders}</Link> },
    { key: "done", header: t("picks_done"), grow: true, cell: (wave) => (
      <span style={{ display: "flex", alignItems: "center", gap: 10, maxWidth: 340 }}>
        <Bar part={wave.tasks_done} whole={wave.tasks} tone={wave.tasks_done === wave.tasks ? "ok" : "busy"} />
        <span className="soft nowrap">{t("of", { part: wave.tasks_done, whole: wave.tasks })}</span>
      </span>
    ) },
    { key: "state", header: t("common:field.state"), cell: (wave) => <State value={wave.state} /> },
  ];
  return (
    <Panel flush>
      <LiveView query={waves} empty={(rows) => rows.length === 0 && <EmptyState title={t("no_waves")} next={t("no_waves_next")} action={{ label: t("tab.orders"), to: "/orders" }} />}>
        {(rows) => <DataTable label={t("tab.waves")} rows={rows} columns={columns} rowKey={(wave) => wave.id} rowTo={(wave) => `/orders?wave_id=${wave.id}&state=all`} more={waves.more} />}
      </LiveView>
    </Panel>
  );
}

function ShipmentList() {
  const { t } = useTranslation(["orders", "common"]);
  const may = useMay();
  const shipments = useList(shipmentsQuery({}));
  const [planning, setPlanning] = useState(false);
  const columns: Column<Shipment>[] = [
    { key: "number", header: t("shipment"), cell: (shipment) => <strong style={{ fontWeight: 560 }}>{shipment.number}</strong> },
    { key: "vehicle", header: t("common:field.vehicle"), cell: (shipment) => shipment.vehicle_code ?? <span className="soft">–</span> },
    { key: "door", header: t("common:field.door"), cell: (shipment) => <PlaceLink id={shipment.door_id} code={shipment.door_code} /> },
    { key: "orders", header: t("title"), grow: true, cell: (shipment) => shipment.orders.map((order) => order.number).join(", ") },
    { key: "cartons", header: t("cartons"), width: 170, cell: (shipment) => {
      const loaded = shipment.cartons.filter((carton) => carton.loaded_at !== null).length;
      return (
        <span style={{ display: "flex", alignItems: "center", gap: 10 }}>
          <Bar part={loaded} whole={shipment.cartons.length} tone={loaded === shipment.cartons.length ? "ok" : "busy"} />
          <span className="soft">{t("of", { part: loaded, whole: shipment.cartons.length })}</span>
        </span>
      );
    } },
    { key: "created", header: t("common:field.created"), cell: (shipment) => <Age at={shipment.created_at} /> },
    { key: "departed", header: t("departed"), cell: (shipment) => <Time at={shipment.departed_at} /> },
    { key: "state", header: t("common:field.state"), cell: (shipment) => <State value={shipment.state} /> },
  ];
  return (
    <>
      {may("lead", "dispatcher") && (
        <Button style={{ alignSelf: "flex-end" }} onClick={() => setPlanning(true)}>
          {t("plan_shipment")}
        </Button>
      )}
      <Panel flush>
        <LiveView query={shipments} empty={(rows) => rows.length === 0 && <EmptyState title={t("no_shipments")} next={t("no_shipments_next")} />}>
          {(rows) => <DataTable label={t("tab.shipments")} rows={rows} columns={columns} rowKey={(shipment) => shipment.id} rowTo={(shipment) => `/shipments/${shipment.id}`} more={shipments.more} />}
        </LiveView>
      </Panel>
      {planning && <PlanShipment onClose={() => setPlanning(false)} />}
    </>
  );
}

/** Several orders on one vehicle or through one door; a packed order has a shipment of its own without this. */
function PlanShipment({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation(["orders", "common"]);
  const navigate = useNavigate();
  const orders = useList(ordersQuery({}));
  const where = useVehicleAndDoor();
  const plan = useCommand(newShipment, { changes: ["orders"] });
  return (
    <FormDialog
      title={t("plan_shipment")}
      opened
      onClose={onClose}
      command={plan}
      fields={[
        { name: "order_ids", label: t("title"), hint: t("plan_hint"), kind: "many", required: true, options: (orders.data ?? []).map((order) => ({ value: order.id, label: `${order.number} · ${order.customer_name}` })) },
        ...where,
      ]}
      toInput={(values) => ({ order_ids: many(values["order_ids"]), vehicle_id: orNull(values["vehicle_id"]), door_id: orNull(values["door_id"]) })}
      submit={t("common:action.create")}
      onDone={(made) => void navigate(`/shipments/${made.id}`)}
    />
  );
}

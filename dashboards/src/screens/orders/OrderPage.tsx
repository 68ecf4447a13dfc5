// One order: what was promised, what is missing, who picks, what has left.
import { Button } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { Actor } from "@/components/Actor";
import { Code } from "@/components/Code";
import { FormDialog, text } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Facts, Figure, Figures } from "@/components/facts";
import { ItemLink, MovementTable, PlaceLink } from "@/components/MovementTable";
import { useNow } from "@/components/now";
import { Columns, Page, Panel, Stack } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State, useWord, type Tone } from "@/components/State";
import { Time } from "@/components/Time";
import { openTab, showToPrint } from "@/components/print";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { cancelOrder, changeLine, orderQuery, pickTasksQuery, type Order, type OrderLine, type PickTask } from "@/data/orders";
import { useList } from "@/data/queries";
import { cartonsQuery, packingList, type Carton } from "@/data/shipping";
import { movementsQuery } from "@/data/stock";
import { Contents } from "./Contents";
import { Deliveries } from "./Deliveries";
import { Due } from "./Orders";
import { share } from "./progress";

export default function OrderPage() {
  const { t } = useTranslation(["orders", "common"]);
  const { orderId = "" } = useParams();
  const may = useMay();
  const order = useQuery(orderQuery(orderId));
  const [cancelling, setCancelling] = useState(false);
  const cancel = useCommand(cancelOrder, { changes: ["orders", "tasks", "stock"] });
  const known = order.data;
  const cancellable = known && !["loaded", "shipped", "cancelled"].includes(known.state);
  return (
    <Page
      name={known?.number}
      title={known ? <>{known.number} <State value={known.state} /></> : "…"}
      crumbs={[{ label: t("title"), to: "/orders" }]}
      lead={known?.customer_name}
      actions={
        cancellable && may("lead", "integrator") ? (
          <Button variant="default" onClick={() => setCancelling(true)}>
            {t("cancel")}
          </Button>
        ) : undefined
      }
    >
      <LiveView query={order}>{(o) => <Details order={o} />}</LiveView>
      <FormDialog
        title={t("cancel")}
        opened={cancelling}
        onClose={() => setCancelling(false)}
        command={cancel}
        danger
        fields={[{ name: "reason", label: t("common:field.reason"), hint: t("cancel_hint"), required: true }]}
        toInput={(values) => ({ id: orderId, reason: text(values["reason"]) })}
        submit={t("cancel")}
        done={t("cancelled")}
      />
    </Page>
  );
}

const WEIGHT_TONE: Record<Carton["weight_check"], Tone> = { good: "ok", off: "bad", not_weighed: "wait", cannot_say: "warn" };

function Details({ order }: { order: Order }) {
  const { t, i18n } = useTranslation(["orders", "common"]);
  const word = useWord();
  const now = useNow();
  const print = useMutation({
    mutationFn: ({ carton, tab }: { carton: Carton; tab: Window | null }) => showToPrint(tab, () => packingList(carton.id, i18n.language.startsWith("zh") ? "zh" : "en"), t("common:problem.popup")),
  });
  const may = useMay();
  const [changing, setChanging] = useState<OrderLine | null>(null);
  const change = useCommand(changeLine, { changes: ["orders", "tasks", "stock"] });
  const tasks = useList(pickTasksQuery({ order_id: order.id }));
  const cartons = useQuery(cartonsQuery(order.id));
  const movements = useList(movementsQuery({ cause_kind: "pick", cause_id: order.wave_id ?? order.id }, 20));
  const unit = order.lines[0]?.unit;
  const changeable = may("lead", "integrator") && !["packed", "loaded", "shipped", "cancelled"].includes(order.state);

  const lines: Column<OrderLine>[] = [
    { key: "position", header: "#", align: "right", cell: (line) => line.position },
    { key: "item", header: t("common:field.item"), grow: true, cell: (line) => <ItemLink id={line.item_id} sku={line.sku} name={line.item_name} /> },
    { key: "ordered", header: t("ordered"), align: "right", cell: (line) => <Quantity value={line.quantity} unit={line.unit} /> },
    { key: "waiting", header: t("waiting"), align: "right", cell: (line) => <span style={line.waiting !== "0" ? { color: "var(--tone-warn-ink)", fontWeight: 560 } : undefined}><Quantity value={line.waiting} /></span> },
    { key: "allocated", header: t("allocated"), align: "right", cell: (line) => <Quantity value={line.allocated} /> },
    { key: "picked", header: t("picked"), align: "right", cell: (line) => <Quantity value={line.picked} /> },
    { key: "packed", header: t("packed"), align: "right", cell: (line) => <Quantity value={line.packed} /> },
    { key: "loaded", header: t("loaded"), align: "right", cell: (line) => <Quantity value={line.loaded} /> },
    { key: "shipped", header: t("shipped"), align: "right", cell: (line) => <Quantity value={line.shipped} /> },
    ...(changeable
      ? [{ key: "change", header: "", align: "right" as const, cell: (line: OrderLine) => (
          <Button size="compact-xs" variant="subtle" onClick={() => setChanging(line)}>
            {t("change")}
          </Button>
        ) }]
      : []),
  ];
  const picks: Column<PickTask>[] = [
    { key: "place", header: t("common:field.place"), cell: (task) => <PlaceLink id={task.place_id} code={task.place_code} /> },
    { key: "item", header: t("common:field.item"), grow: true, cell: (task) => <ItemLink id={task.item_id} sku={task.sku} name={task.item_name} /> },
    { key: "lot", header: t("common:field.lot"), cell: (task) => <span className="mono">{task.lot_code ?? task.serial ?? "–"}</span> },
    { key: "quantity", header: t("picked"), align: "right", cell: (task) => <>{t("of", { part: task.picked, whole: task.quantity })}</> },
    { key: "who", header: t("common:field.who"), cell: (task) => <Actor actor={task.claimed_by} /> },
    { key: "note", header: t("common:field.note"), cell: (task) => task.short_reason?.replaceAll("_", " ") ?? task.skip_reason ?? <span className="soft">–</span> },
    { key: "state", header: t("common:field.state"), cell: (task) => <State value={task.state} /> },
  ];
  const boxes: Column<Carton>[] = [
    { key: "sscc", header: t("carton"), cell: (carton) => <Code value={carton.sscc} to={`/units/${encodeURIComponent(carton.sscc)}`} keep={24} /> },
    { key: "contents", header: t("common:field.lines"), grow: true, cell: (carton) => <InShort of={carton} /> },
    { key: "weighs", header: `${t("measured_weight")} / ${t("expected_weight")}`, align: "right", cell: (carton) => <span className="nowrap"><Quantity value={carton.weight_g} /> / <Quantity value={carton.expected_weight_g} unit="g" /></span> },
    { key: "check", header: t("weight_check"), cell: (carton) => <State value={carton.weight_check} group="orders:weight" tone={WEIGHT_TONE[carton.weight_check]} /> },
    { key: "state", header: t("common:field.state"), cell: (carton) => <State value={carton.state} /> },
    { key: "list", header: "", align: "right", cell: (carton) => carton.contents.length > 0 && (
      <Button size="compact-xs" variant="light" loading={print.isPending && print.variables.carton.id === carton.id} onClick={() => print.mutate({ carton, tab: openTab() })}>
        {t("packing_list")}
      </Button>
    ) },
  ];
  return (
    <>
      <Figures>
        <Figure label={t("ordered")}>
          <Quantity size="xl" value={share(order, "allocated").whole} unit={unit} />
        </Figure>
        <Figure label={t("waiting")} tone={order.backordered ? "warn" : undefined} note={order.backordered ? t("waiting_note") : t("nothing_waits")}>
          <Quantity size="xl" value={share(order, "waiting").part} unit={unit} />
        </Figure>
        <Figure label={t("picked")}>
          <Quantity size="xl" value={share(order, "picked").part} unit={unit} />
        </Figure>
        <Figure label={t("packed")}>
          <Quantity size="xl" value={share(order, "packed").part} unit={unit} />
        </Figure>
        <Figure label={t("shipped")}>
          <Quantity size="xl" value={share(order, "shipped").part} unit={unit} />
        </Figure>
      </Figures>
      <Panel title={t("common:field.lines")} flush>
        <DataTable label={t("common:field.lines")} rows={order.lines} columns={lines} rowKey={(line) => line.id} tone={(line) => (line.waiting !== "0" ? "warn" : undefined)} />
      </Panel>
      <Columns ratio="minmax(0, 1fr) 260px">
        <Stack>
          <Panel title={t("picks")} flush>
            <LiveView query={tasks} empty={(rows) => rows.length === 0 && <EmptyState title={t("no_picks")} next={t("no_picks_next")} />}>
              {(rows) => <DataTable label={t("picks")} rows={rows} columns={picks} rowKey={(task) => task.id} tone={(task) => (task.state === "short" ? "warn" : undefined)} more={tasks.more} />}
            </LiveView>
          </Panel>
          {cartons.data && cartons.data.items.length > 0 && (
            <Panel title={t("cartons")} flush>
              {print.error && <ErrorState error={print.error} compact />}
              <DataTable label={t("cartons")} rows={cartons.data.items} columns={boxes} rowKey={(carton) => carton.id} rowTo={(carton) => `/units/${encodeURIComponent(carton.sscc)}`} tone={(carton) => (carton.weight_check === "off" ? "bad" : undefined)} expanded={(carton) => (carton.state === "open" && carton.contents.length > 0 && may("lead", "worker") ? <Contents carton={carton} /> : undefined)} />
            </Panel>
          )}
          <Deliveries orderId={order.id} />
          <Panel title={t(order.wave_id ? "moved_wave" : "moved")} flush>
            <MovementTable list={movements} emptyNext={t("moved_next")} />
          </Panel>
        </Stack>
        <Panel title={t("about")}>
          <Facts
            facts={[
              [t("common:field.due"), <span key="d"><Time at={order.due_at} /> <span className="soft">(<Due order={order} now={now} />)</span></span>],
              [t("priority"), String(order.priority)],
              [t("source"), word("orders:from", order.source)],
              [t("their_number"), order.external_number],
              [t("erp_number"), order.erp_number ?? <span key="e" className="soft">{t("not_in_erp")}</span>],
              [t("received"), <Time key="r" at={order.received_at} />],
              order.shipped_at !== null && [t("shipped"), <Time key="s" at={order.shipped_at} age />],
              order.cancelled_at !== null && [t("cancelled_at"), <Time key="c" at={order.cancelled_at} age />],
              order.cancel_reason !== null && [t("common:field.reason"), order.cancel_reason],
              shipTo(order) !== "" && [t("ship_to"), shipTo(order)],
              order.note !== "" && [t("common:field.note"), order.note],
            ]}
          />
        </Panel>
      </Columns>
      {changing && (
        <FormDialog
          key={changing.id}
          title={`${changing.sku}: ${t("change")}`}
          opened
          onClose={() => setChanging(null)}
          command={change}
          fields={[{ name: "quantity", label: t("common:field.quantity"), kind: "quantity", required: true, initial: changing.quantity, hint: t("change_hint") }]}
          toInput={(values) => ({ orderId: order.id, lineId: changing.id, version: changing.version, quantity: text(values["quantity"]) })}
          submit={t("common:action.save")}
          done={t("common:action.saved")}
        />
      )}
    </>
  );
}

function InShort({ of }: { of: Carton }) {
  const text = of.contents.map((one) => `${one.quantity} × ${one.sku}`).join(", ");
  return <span title={text}>{text}</span>;
}

/** Whom and where to; what else came along (window, note, coordinates) is the delivery's. */
function shipTo({ ship_to }: Order): string {
  const part = (...names: string[]) => names.map((name) => ship_to[name]).filter((value) => typeof value === "string" && value !== "").join(" ");
  return [part("name"), part("street", "house_number"), part("address"), part("postcode", "city"), part("country"), part("phone"), part("email")].filter(Boolean).join(", ");
}

// One item: how much, where, in which lots, promised to whom, and how it got there.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import { useMay } from "@/app/may";
import { Chart, type Series } from "@/components/Chart";
import { Code } from "@/components/Code";
import { DataTable, type Column } from "@/components/DataTable";
import { Facts, Figure, Figures } from "@/components/facts";
import { MovementTable, PlaceLink } from "@/components/MovementTable";
import { Columns, Page, Panel, Stack } from "@/components/Page";
import { Quantity, useUnit } from "@/components/Quantity";
import { State, useWord } from "@/components/State";
import { Day } from "@/components/Time";
import { minus, plus } from "@/components/numbers";
import { EmptyState, ErrorState, LiveView, LoadingRows } from "@/components/views";
import { itemQuery, partnersQuery, supplierItemsQuery, useItemName, type Item } from "@/data/catalog";
import { availabilityQuery } from "@/data/orders";
import { useList } from "@/data/queries";
import { itemHistoryQuery, itemStockQuery, movementsQuery, type Balance } from "@/data/stock";
import { AdjustDialog } from "./AdjustDialog";

export default function ItemPage() {
  const { t } = useTranslation(["stock", "common"]);
  const { itemId = "" } = useParams();
  const item = useQuery(itemQuery(itemId));
  if (!item.data) {
    return (
      <Page title={t("title")} crumbs={[{ label: t("title"), to: "/stock" }]}>
        <Panel>{item.error ? <ErrorState error={item.error} retry={() => void item.refetch()} /> : <LoadingRows />}</Panel>
      </Page>
    );
  }
  return <Known item={item.data} />;
}

function Known({ item }: { item: Item }) {
  const { t } = useTranslation(["stock", "common"]);
  const may = useMay();
  const nameOf = useItemName();
  const word = useWord();
  const [adjusting, setAdjusting] = useState(false);
  const stock = useQuery(itemStockQuery(item.id));
  const promise = useQuery(availabilityQuery(item.id));
  const incoming = promise.data?.incoming ?? [];
  const movements = useList(movementsQuery({ item_id: item.id }, 20));
  const figures = stock.data;

  return (
    <Page
      name={item.sku}
      title={
        <>
          {nameOf(item)}
          {!item.active && <State value="inactive" />}
        </>
      }
      crumbs={[{ label: t("title"), to: "/stock" }]}
      lead={<span className="mono">{item.sku}</span>}
      actions={
        may("lead") && (
          <Button variant="light" onClick={() => setAdjusting(true)}>
            {t("adjust")}
          </Button>
        )
      }
    >
      <Figures>
        <Figure label={t("common:field.on_hand")} to={`/movements?item_id=${item.id}`} note={t("on_hand_note")}>
          <Quantity size="xl" value={figures?.on_hand} unit={item.base_unit} />
        </Figure>
        <Figure label={t("common:field.reserved")} to={`/orders?item_id=${item.id}`} note={t("reserved_note")}>
          <Quantity size="xl" value={figures?.reserved} unit={item.base_unit} />
        </Figure>
        <Figure label={t("common:field.available")} note={t("available_note")}>
          <Quantity size="xl" value={figures?.available} unit={item.base_unit} />
        </Figure>
        <Figure label={t("blocked")} note={t("blocked_note")}>
          <Quantity size="xl" value={figures?.blocked} unit={item.base_unit} />
        </Figure>
        <Figure
          label={t("common:field.incoming")}
          to="/receipts"
          note={incoming[0] ? <>{t("next_arrival")} <Day on={incoming[0].on} /></> : t("incoming_note")}
        >
          <Quantity size="xl" value={promise.data ? incoming.reduce((sum, one) => plus(sum, one.quantity), "0") : null} unit={item.base_unit} />
        </Figure>
      </Figures>
      <Columns ratio="minmax(0, 2.2fr) minmax(300px, 1fr)">
        <Stack>
          <History item={item} />
          <Panel title={t("by_place")} flush>
            <LiveView query={stock} empty={(s) => s.balances.length === 0 && <EmptyState title={t("nothing_here")} next={t("nothing_here_next")} />}>
              {(s) => <Balances rows={s.balances} />}
            </LiveView>
          </Panel>
          <Panel
            title={t("movements")}
            flush
            actions={
              <Link to={`/movements?item_id=${item.id}`} className="quiet-link">
                {t("all_movements")}
              </Link>
            }
          >
            <MovementTable list={movements} withItem={false} />
          </Panel>
        </Stack>
        <Stack>
          <Panel title={t("about")}>
            <Facts
              facts={[
                [t("tracked"), word("tracking", item.tracking)],
                [t("stored"), word("storage", item.storage_class)],
                [t("expires"), item.has_expiry ? t("yes") : t("no")],
                [t("base_unit"), word("unit", item.base_unit)],
                item.weight_g !== null && [t("unit_weight"), <Quantity key="w" value={item.weight_g} unit="g" />],
              ]}
            />
          </Panel>
          <Panel title={t("packs")}>
            <Facts
              facts={item.packs.map((pack) => [
                word("unit", pack.name),
                <span key={pack.id}>
                  <Quantity value={pack.units} unit={item.base_unit} />
                  {pack.gtin && (
                    <>
                      {" · "}
                      <Code value={pack.gtin} />
                    </>
                  )}
                </span>,
              ])}
            />
          </Panel>
          <Suppliers item={item} />
        </Stack>
      </Columns>
      <AdjustDialog opened={adjusting} onClose={() => setAdjusting(false)} item={item.sku} />
    </Page>
  );
}

function History({ item }: { item: Item }) {
  const { t } = useTranslation(["stock", "common"]);
  const unit = useUnit()(item.base_unit);
  const history = useQuery(itemHistoryQuery(item.id));
  const { times, series } = useMemo(() => {
    const days = history.data?.days ?? [];
    // The chart begins with the day before the first movement: earlier there is nothing to tell.
    const first = days.findIndex((day) => Number(day.on_hand) !== 0 || Number(day.received) !== 0 || Number(day.issued) !== 0);
    const shown = first > 0 ? days.slice(first - 1) : days;
    const onHand = shown.map((day) => Number(day.on_hand));
    const series: Series[] = [{ label: t("common:field.on_hand"), unit, values: [...onHand, onHand.at(-1) ?? null], shape: "step", fill: true }];
    const starts = shown.map((day) => Date.parse(`${day.day}T00:00:00Z`) / 1000);
    // The last day's figure holds until the day is over.
    return { times: [...starts, (starts.at(-1) ?? 0) + 86_400], series };
  }, [history.data, t, unit]);
  return (
    <Panel title={t("ninety_days")}>
      <LiveView query={history} empty={(h) => h.days.every((day) => Number(day.on_hand) === 0) && <EmptyState title={t("no_history")} />}>
        {() => <Chart times={times} series={series} label={t("ninety_days")} zero dates height={200} />}
      </LiveView>
    </Panel>
  );
}

/** `slim` leaves out what a narrow column has no room for. */
export function Balances({ rows, withItem = false, slim = false }: { rows: readonly Balance[]; withItem?: boolean; slim?: boolean }) {
  const { t } = useTranslation(["stock", "common"]);
  const columns: Column<Balance>[] = [
    ...(withItem
      ? [{ key: "item", header: t("common:field.item"), grow: true, cell: (b: Balance) => (
          <Link className="quiet-link" to={`/items/${b.item_id}`}><strong style={{ fontWeight: 560 }}>{b.sku}</strong> <span className="soft">{b.item_name}</span></Link>
        ) }]
      : [{ key: "place", header: t("common:field.place"), cell: (b: Balance) => <PlaceLink id={b.place_id} code={b.place_code} /> }]),
    { key: "lot", header: t("common:field.lot"), cell: (b) => <span className="mono">{b.lot_code ?? b.serial ?? "–"}</span> },
    { key: "expiry", header: t("common:field.expiry"), cell: (b) => <Day on={b.expires_on} near={30} /> },
    { key: "plate", header: t("common:field.license_plate"), cell: (b) => (b.license_plate_code ? <Code value={b.license_plate_code} to={`/units/${encodeURIComponent(b.license_plate_code)}`} /> : <span className="soft">–</span>) },
    { key: "status", header: t("common:field.status"), cell: (b) => <State value={b.status} /> },
    { key: "on_hand", header: t("common:field.on_hand"), align: "right", cell: (b) => <Quantity value={b.on_hand} unit={b.unit} to={`/movements?item_id=${b.item_id}&place_id=${b.place_id}`} /> },
    { key: "reserved", header: t("common:field.reserved"), align: "right", cell: (b) => <Quantity value={b.reserved} unit={b.unit} /> },
    { key: "free", header: t("common:field.available"), align: "right", cell: (b) => (b.status === "available" ? <Quantity value={minus(b.on_hand, b.reserved)} unit={b.unit} /> : <span className="soft">–</span>) },
  ];
  return (
    <DataTable
      label={t("by_place")}
      rows={rows}
      columns={slim ? columns.filter((column) => !["expiry", "plate", "status"].includes(column.key)) : columns}
      rowKey={(b) => [b.place_id, b.item_id, b.lot_id, b.serial, b.license_plate_id, b.owner_id, b.status].join("|")}
      rowTo={(b) => `/movements?item_id=${b.item_id}&place_id=${b.place_id}`}
    />
  );
}

function Suppliers({ item }: { item: Item }) {
  const { t } = useTranslation(["stock", "common"]);
  const prices = useQuery(supplierItemsQuery({ item_id: item.id }));
  const partners = useList(partnersQuery({ role: "supplier" }));
  return (
    <Panel title={t("suppliers")}>
      <LiveView query={prices} empty={(page) => page.items.length === 0 && <EmptyState title={t("no_supplier")} next={t("no_supplier_next")} />}>
        {(page) => (
          <Facts
            facts={page.items.map((price) => [
              partners.data?.find((partner) => partner.id === price.supplier_id)?.name ?? price.supplier_id.slice(0, 8),
              <span key={price.supplier_id}>
                {price.unit_price} {price.currency}
                <br />
                <span className="soft">{t("lead_time", { days: price.lead_time_d, min: price.min_order_qty })}</span>
              </span>,
            ])}
          />
        )}
      </LiveView>
    </Panel>
  );
}

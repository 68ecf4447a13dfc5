// How many, where, how sure: every item with what is on hand, reserved and available.
import { Button } from "@mantine/core";
import { IconHistory, IconPlus, IconTruck } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useMay } from "@/app/may";
import { DataTable, type Column } from "@/components/DataTable";
import { SearchFilter, useFilter } from "@/components/filters";
import { Page, Panel } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State, useWord } from "@/components/State";
import { EmptyState, LiveView } from "@/components/views";
import { itemsQuery, useItemName, type Item } from "@/data/catalog";
import { useList } from "@/data/queries";
import { rowStockQuery } from "@/data/stock";
import { AdjustDialog } from "./AdjustDialog";

export default function Stock() {
  const { t } = useTranslation(["stock", "common"]);
  const may = useMay();
  const word = useWord();
  const nameOf = useItemName();
  const [q] = useFilter("q");
  const [adjusting, setAdjusting] = useState(false);
  const items = useList(itemsQuery(q));

  const columns: Column<Item>[] = [
    { key: "sku", header: t("common:field.sku"), cell: (item) => <strong style={{ fontWeight: 560 }}>{item.sku}</strong> },
    { key: "name", header: t("common:field.name"), grow: true, cell: nameOf },
    { key: "kept", header: t("kept"), cell: (item) => <span className="soft">{[word("storage", item.storage_class), word("tracking", item.tracking)].join(" · ")}</span> },
    { key: "on_hand", header: t("common:field.on_hand"), align: "right", cell: (item) => <Figure item={item} of="on_hand" to={`/movements?item_id=${item.id}`} /> },
    { key: "reserved", header: t("common:field.reserved"), align: "right", cell: (item) => <Figure item={item} of="reserved" to={`/items/${item.id}`} /> },
    { key: "available", header: t("common:field.available"), align: "right", cell: (item) => <Figure item={item} of="available" to={`/items/${item.id}`} /> },
    { key: "places", header: t("places"), align: "right", cell: (item) => <Places item={item} /> },
    { key: "state", header: t("common:field.state"), cell: (item) => <State value={item.active ? "active" : "inactive"} /> },
  ];

  return (
    <Page
      title={t("title")}
      lead={t("lead")}
      toolbar={<SearchFilter placeholder={t("search")} width={340} />}
      actions={
        <>
          <Button component={Link} to="/movements" variant="default" leftSection={<IconHistory size={16} stroke={1.6} />}>
            {t("all_movements")}
          </Button>
          <Button component={Link} to="/transfers" variant="default" leftSection={<IconTruck size={16} stroke={1.6} />}>
            {t("transfer.title")}
          </Button>
          {may("lead") && (
            <Button variant="light" leftSection={<IconPlus size={16} stroke={1.8} />} onClick={() => setAdjusting(true)}>
              {t("adjust")}
            </Button>
          )}
        </>
      }
    >
      <Panel flush>
        <LiveView
          query={items}
          empty={(rows) =>
            rows.length === 0 &&
            (q ? (
              <EmptyState title={t("nothing_found", { q })} next={t("nothing_found_next")} />
            ) : (
              <EmptyState title={t("no_items")} next={t("no_items_next")} action={{ label: t("import"), to: "/settings/imports" }} />
            ))
          }
        >
          {(rows) => (
            <DataTable label={t("title")} rows={rows} columns={columns} rowKey={(item) => item.id} rowTo={(item) => `/items/${item.id}`} more={items.more} />
          )}
        </LiveView>
      </Panel>
      <AdjustDialog opened={adjusting} onClose={() => setAdjusting(false)} />
    </Page>
  );
}

function Figure({ item, of, to }: { item: Item; of: "on_hand" | "reserved" | "available"; to: string }) {
  const stock = useQuery(rowStockQuery(item.id));
  if (!stock.data) return <span className="soft">{stock.error ? "–" : "…"}</span>;
  return <Quantity value={stock.data[of]} unit={item.base_unit} to={to} />;
}

function Places({ item }: { item: Item }) {
  const stock = useQuery(rowStockQuery(item.id));
  return <span className="soft">{stock.data ? new Set(stock.data.balances.map((b) => b.place_id)).size || "–" : ""}</span>;
}

// How many, where, how sure: every item with what is on hand, reserved and available.
import { Button } from "@mantine/core";
import { IconHistory, IconPlus, IconTruck } from "@tabler/icons-react";
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
import { useItemName } from "@/data/catalog";
import { useList } from "@/data/queries";
import { stockQuery, type StockRow } from "@/data/stock";
import { AdjustDialog } from "./AdjustDialog";

export default function Stock() {
  const { t } = useTranslation(["stock", "common"]);
  const may = useMay();
  const word = useWord();
  const nameOf = useItemName();
  const [q] = useFilter("q");
  const [adjusting, setAdjusting] = useState(false);
  const items = useList(stockQuery(q));

  const columns: Column<StockRow>[] = [
    { key: "sku", header: t("common:field.sku"), cell: (item) => <strong style={{ fontWeight: 560 }}>{item.sku}</strong> },
    { key: "name", header: t("common:field.name"), grow: true, cell: nameOf },
    { key: "kept", header: t("kept"), cell: (item) => <span className="soft">{[word("storage", item.storage_class), word("tracking", item.tracking)].join(" · ")}</span> },
    { key: "on_hand", header: t("common:field.on_hand"), align: "right", cell: (item) => <Quantity value={item.on_hand} unit={item.unit} to={`/movements?item_id=${item.item_id}`} /> },
    { key: "reserved", header: t("common:field.reserved"), align: "right", cell: (item) => <Quantity value={item.reserved} unit={item.unit} to={`/items/${item.item_id}`} /> },
    { key: "available", header: t("common:field.available"), align: "right", cell: (item) => <Quantity value={item.available} unit={item.unit} to={`/items/${item.item_id}`} /> },
    { key: "places", header: t("places"), align: "right", cell: (item) => <span className="soft">{item.places || "–"}</span> },
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
            <DataTable label={t("title")} rows={rows} columns={columns} rowKey={(item) => item.item_id} rowTo={(item) => `/items/${item.item_id}`} more={items.more} />
          )}
        </LiveView>
      </Panel>
      <AdjustDialog opened={adjusting} onClose={() => setAdjusting(false)} />
    </Page>
  );
}

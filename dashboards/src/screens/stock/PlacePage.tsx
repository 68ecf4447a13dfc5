// One place: what lies in it (and in the places inside it), and what came and went.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import { useMay } from "@/app/may";
import { Facts } from "@/components/facts";
import { MovementTable } from "@/components/MovementTable";
import { Columns, Page, Panel, Stack } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State, useWord } from "@/components/State";
import { EmptyState, LiveView } from "@/components/views";
import { placeQuery } from "@/data/catalog";
import { useList } from "@/data/queries";
import { balancesQuery, movementsQuery } from "@/data/stock";
import { AdjustDialog } from "./AdjustDialog";
import { Balances } from "./ItemPage";

export default function PlacePage() {
  const { t } = useTranslation(["stock", "common"]);
  const word = useWord();
  const may = useMay();
  const { placeId = "" } = useParams();
  const [adjusting, setAdjusting] = useState(false);
  const place = useQuery(placeQuery(placeId));
  const inside = useList(balancesQuery({ place_id: placeId }));
  const movements = useList(movementsQuery({ place_id: placeId }, 20));
  return (
    <Page
      name={place.data?.code}
      title={
        <>
          <span className="mono">{place.data?.code ?? "…"}</span>
          {place.data && !place.data.active && <State value="inactive" />}
        </>
      }
      crumbs={[{ label: t("title"), to: "/stock" }]}
      lead={place.data && [word("place_kind", place.data.kind), place.data.name].filter(Boolean).join(" · ")}
      actions={
        may("lead") && (
          <Button variant="light" onClick={() => setAdjusting(true)}>
            {t("adjust")}
          </Button>
        )
      }
    >
      <Columns ratio="minmax(0, 2.4fr) minmax(280px, 1fr)">
        <Stack>
          <Panel title={t("inside")} flush>
            <LiveView query={inside} empty={(rows) => rows.length === 0 && <EmptyState title={t("place_empty")} />}>
              {(rows) => <Balances rows={rows} withItem />}
            </LiveView>
          </Panel>
          <Panel title={t("movements")} flush>
            <MovementTable list={movements} />
          </Panel>
        </Stack>
        <Panel title={t("about")}>
          <LiveView query={place}>
            {(p) => (
              <Facts
                facts={[
                  [t("common:field.kind"), word("place_kind", p.kind)],
                  [t("stored"), word("storage", p.storage_class)],
                  [t("capacity"), p.max_units === null ? t("unlimited") : <Quantity key="m" value={p.max_units} unit="units" />],
                  [t("mixed"), [p.mixed_items ? t("mixed_items") : t("one_item"), p.mixed_lots ? t("mixed_lots") : t("one_lot")].join(", ")],
                  p.pick_sequence !== null && [t("pick_sequence"), String(p.pick_sequence)],
                  [t("erp_location"), p.erp_location ?? <span key="e" className="soft">{t("of_parent")}</span>],
                ]}
              />
            )}
          </LiveView>
        </Panel>
      </Columns>
      {place.data && <AdjustDialog opened={adjusting} onClose={() => setAdjusting(false)} place={place.data.code} />}
    </Page>
  );
}
